import { test } from "node:test";
import assert from "node:assert/strict";
import { parseEngineSelf } from "./engine-self.ts";

const MODELS = [
  { id: "tide", contextLength: 8_192, root: "/models/tide" },
  { id: "law", contextLength: null, root: null },
];
const json = (value: object): string => JSON.stringify(value);

test("vLLM says its version, and its list of models where weights come from", () => {
  assert.deepEqual(parseEngineSelf("vllm", [json({ version: "0.11.0" })], MODELS), {
    version: "0.11.0",
    root: "/models/tide",
    settings: "models law=? tide=/models/tide",
  });
});

test("SGLang says its version, its weights, and how it was started", () => {
  const model = json({ model_path: "org/tide", weight_version: "3", is_generation: true });
  const server = json({ version: "0.5.4", quantization: "fp8", dtype: "auto", tp_size: 2, host: "10.0.0.1" });
  assert.deepEqual(parseEngineSelf("sglang", [model, server], []), {
    version: "0.5.4",
    root: "org/tide",
    settings:
      'weight_version "3", quantization "fp8", dtype "auto", kv_cache_dtype null, tp_size 2, attention_backend null, enable_deterministic_inference null, models ',
  });
});

test("llama.cpp says its build, its file, and the context of a slot", () => {
  const props = json({ build_info: "b8681", model_path: "/m/tide.gguf", default_generation_settings: { n_ctx: 4096 } });
  assert.deepEqual(parseEngineSelf("llama.cpp", [props], []), {
    version: "b8681",
    root: "/m/tide.gguf",
    settings: "n_ctx 4096, models ",
  });
});

test("what an engine does not say of itself is not known", () => {
  for (const answers of [[null], ["no JSON"], ["{}"], [json({ version: 7 })]]) {
    assert.deepEqual(
      (["vllm", "sglang", "llama.cpp"] as const).map((engine) => parseEngineSelf(engine, answers, []).version),
      [null, null, null],
    );
  }
});
