import type { EngineKind } from "../api/hot-standby-config.ts";
import { isJsonObject, type JsonObject } from "../base/json.ts";
import type { ServedModel } from "./parse-model-list.ts";

/** What an engine says of itself that decides which tokens it makes. */
export interface EngineSelf {
  /** Of its program; null = it does not tell, as below. */
  readonly version: string | null;
  /** Where the base model's weights come from. */
  readonly root: string | null;
  /** The rest, as one text that is compared for equality. */
  readonly settings: string;
}

/**
 * Questions an engine answers about itself, each with its names, the present one last: engines rename their routes.
 * `parseEngineSelf` takes the answers in this order.
 */
export function selfTargets(engine: EngineKind): readonly (readonly string[])[] {
  switch (engine) {
    case "simulated":
    case "vllm":
      return [["/version"]];
    case "sglang":
      return [
        ["/get_model_info", "/model_info"],
        ["/get_server_info", "/server_info"],
      ];
    case "llama.cpp":
      return [["/props"]];
  }
}

/** SGLang names how it was started; of that, what touches the sums. */
const SGLANG_SETTINGS = ["quantization", "dtype", "kv_cache_dtype", "tp_size", "attention_backend", "enable_deterministic_inference"];

/** @param answers bodies in the order of `selfTargets`; null = not answered. */
export function parseEngineSelf(engine: EngineKind, answers: readonly (string | null)[], models: readonly ServedModel[]): EngineSelf {
  const [first = null, second = null] = answers.map((body) => (body === null ? null : parseObject(body)));
  const names = models.map(({ id, root }) => `${id}=${root ?? "?"}`).toSorted();
  const settings = (own: readonly string[]): string => [...own, `models ${names.join(" ")}`].join(", ");
  switch (engine) {
    case "simulated":
    case "vllm":
      return { version: textOf(first, "version"), root: models[0]?.root ?? null, settings: settings([]) };
    case "sglang": {
      const own = SGLANG_SETTINGS.map((name) => `${name} ${JSON.stringify(second?.[name] ?? null)}`);
      const weights = `weight_version ${JSON.stringify(first?.["weight_version"] ?? null)}`;
      return { version: textOf(second, "version"), root: textOf(first, "model_path"), settings: settings([weights, ...own]) };
    }
    case "llama.cpp": {
      const defaults = first?.["default_generation_settings"];
      const slot = isJsonObject(defaults) ? defaults["n_ctx"] : null;
      return {
        version: textOf(first, "build_info"),
        root: textOf(first, "model_path"),
        settings: settings([`n_ctx ${JSON.stringify(slot)}`]),
      };
    }
  }
}

function textOf(from: JsonObject | null, name: string): string | null {
  const value = from?.[name];
  return typeof value === "string" && value !== "" ? value : null;
}

function parseObject(body: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(body);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
