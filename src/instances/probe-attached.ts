import { err, ok, type Result } from "../base/result.ts";
import type { EngineKind } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { progressOf } from "../wire/dialect.ts";
import { parseModelList } from "../wire/parse-model-list.ts";
import type { EnginePorts } from "./call-engine.ts";
import { get, type ProbeError } from "./probe-instance.ts";

/** What a server that somebody else runs can do. */
export interface Capabilities {
  readonly models: readonly string[];
  readonly contextLength: number | null;
  /** null = none that we know: served all the same, by its OpenAI API alone. */
  readonly engine: EngineKind | null;
  readonly hasProgress: boolean;
}
export type AttachedProbeError = ProbeError | { readonly code: "NO_MODEL_LIST" };

const PROBE_TIMEOUT_MS = 1_000;
/** llama.cpp speaks of itself in /props, SGLang in /get_model_info: for servers that show no metrics. */
const MARKS: readonly { readonly engine: EngineKind; readonly target: string }[] = [
  { engine: "llama.cpp", target: "/props" },
  { engine: "sglang", target: "/get_model_info" },
];

/** Asks for the models, and by metrics or marks which engine it is. A server that lists its models is up, whatever else it lacks. */
export async function probeAttached(
  ports: EnginePorts,
  address: EndpointAddress,
  signal: AbortSignal,
): Promise<Result<Capabilities, AttachedProbeError>> {
  const [list, metrics] = await Promise.all([
    get(ports, address, "/v1/models", PROBE_TIMEOUT_MS, signal),
    get(ports, address, "/metrics", PROBE_TIMEOUT_MS, signal),
  ]);
  if (!list.ok) return list;
  const models = parseModelList(list.value.text);
  if (models === null) return err({ code: "NO_MODEL_LIST" });
  const page = metrics.ok ? metrics.value.text : "";
  const engine = engineOfMetrics(page) ?? (await engineOfMarks(ports, address, signal));
  return ok({
    models: models.map((model) => model.id),
    contextLength: models[0]?.contextLength ?? null,
    engine,
    hasProgress: engine !== null && progressOf(engine, page) !== null,
  });
}

function engineOfMetrics(page: string): EngineKind | null {
  if (/^vllm:/m.test(page)) return "vllm";
  if (/^sglang:/m.test(page)) return "sglang";
  return /^llamacpp:/m.test(page) ? "llama.cpp" : null;
}

async function engineOfMarks(ports: EnginePorts, address: EndpointAddress, signal: AbortSignal): Promise<EngineKind | null> {
  const answers = await Promise.all(MARKS.map(({ target }) => get(ports, address, target, PROBE_TIMEOUT_MS, signal)));
  return MARKS.find((_mark, index) => answers[index]?.ok === true)?.engine ?? null;
}
