import type { EngineKind, ModelSpec } from "../api/hot-standby-config.ts";
import type { JsonObject } from "../base/json.ts";
import { readMetric } from "./prometheus-text.ts";

/** What an engine's metrics page says of its work. Dead = running > 0 while `steps` stands still; no work and no step is idle. */
export interface Progress {
  /** Grows at each engine step (at each token where the engine counts no steps). */
  readonly steps: number;
  readonly running: number;
  readonly waiting: number;
  /** Share of the KV memory in use, 0 to 1; null = the engine does not tell. */
  readonly kvUsage: number | null;
}

/** A control call to an engine, in the shape that the Upstream port takes. */
export interface DialectRequest {
  readonly method: "GET" | "POST";
  readonly target: string;
  /** Raw pairs. */
  readonly headers: readonly string[];
  readonly body: Uint8Array | null;
}

/** Names of the signals, the present one first: engines rename their metrics. */
interface SignalNames {
  readonly steps: readonly string[];
  readonly running: readonly string[];
  readonly waiting: readonly string[];
  readonly kvUsage: readonly string[];
}

const VLLM: SignalNames = {
  steps: ["vllm:iteration_tokens_total_count", "vllm:generation_tokens_total"],
  running: ["vllm:num_requests_running"],
  waiting: ["vllm:num_requests_waiting"],
  kvUsage: ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
};
const SIGNALS: Readonly<Record<EngineKind, SignalNames>> = {
  simulated: VLLM,
  vllm: VLLM,
  sglang: {
    steps: ["sglang:generation_tokens_total"],
    running: ["sglang:num_running_reqs"],
    waiting: ["sglang:num_queue_reqs"],
    kvUsage: ["sglang:token_usage"],
  },
  "llama.cpp": {
    steps: ["llamacpp:n_decode_total", "llamacpp:tokens_predicted_total"],
    running: ["llamacpp:requests_processing"],
    waiting: ["llamacpp:requests_deferred"],
    kvUsage: ["llamacpp:kv_cache_usage_ratio"],
  },
};

/** @returns null when the page has no progress counter of that engine: its silence then proves nothing. */
export function progressOf(engine: EngineKind, metricsText: string): Progress | null {
  const names = SIGNALS[engine];
  const steps = firstMetric(metricsText, names.steps);
  if (steps === null) return null;
  return {
    steps,
    running: firstMetric(metricsText, names.running) ?? 0,
    waiting: firstMetric(metricsText, names.waiting) ?? 0,
    kvUsage: firstMetric(metricsText, names.kvUsage),
  };
}

function firstMetric(text: string, names: readonly string[]): number | null {
  for (const name of names) {
    const value = readMetric(text, name);
    if (value !== null) return value;
  }
  return null;
}

const SGLANG_TAGS: JsonObject = { tags: ["kv_cache", "weights"] };

/**
 * Steps that put a drained engine to sleep, in order; each must answer 200, and the memory is free only when read back.
 * @returns null when the engine cannot sleep on demand.
 */
export function sleepRequests(engine: EngineKind): readonly DialectRequest[] | null {
  switch (engine) {
    case "simulated":
    case "vllm":
      return [post("/sleep?level=1", null)];
    case "sglang":
      return [post("/release_memory_occupation", SGLANG_TAGS)];
    case "llama.cpp":
      return null;
  }
}

/**
 * Steps that wake an engine from the sleep of `sleepRequests`, in order. A 200 proves nothing: verify by a known answer.
 * @returns null when the engine cannot sleep on demand.
 */
export function wakeRequests(engine: EngineKind): readonly DialectRequest[] | null {
  switch (engine) {
    case "simulated":
    case "vllm":
      return [post("/wake_up", null)];
    case "sglang":
      return [post("/resume_memory_occupation", SGLANG_TAGS)];
    case "llama.cpp":
      return null;
  }
}

/** Asks whether the engine sleeps; read the answer with `parseSleepState`. null = the engine has no such question. */
export function sleepStateRequest(engine: EngineKind): DialectRequest | null {
  switch (engine) {
    case "simulated":
    case "vllm":
      return { method: "GET", target: "/is_sleeping", headers: [], body: null };
    case "sglang":
    case "llama.cpp":
      return null;
  }
}

const KNOWN_ANSWER_TOKENS = 4;
const KNOWN_ANSWER_PROMPT = "The tide comes in, the tide goes out, and the gate";

/**
 * A short greedy completion of a fixed prompt: equal for every healthy engine of one fingerprint. Read the answer with
 * `parseKnownAnswer`. `ignore_eos` keeps the length fixed where the engine knows it.
 */
export function knownAnswerRequest(model: Pick<ModelSpec, "name">): DialectRequest {
  return post("/v1/completions", {
    model: model.name,
    prompt: KNOWN_ANSWER_PROMPT,
    max_tokens: KNOWN_ANSWER_TOKENS,
    temperature: 0,
    ignore_eos: true,
    stream: false,
  });
}

const LIKENESS_TOKENS = 32;

/**
 * A greedy completion that is long enough to tell one quantisation of a model from another. Read the answer with `parseLikeness`.
 * Ids are asked of those who name them; llama.cpp's cache of prompts would make its sums, and so its answers, depend on what was before.
 */
export function likenessRequest(engine: EngineKind, model: string): DialectRequest {
  const own = engine === "llama.cpp" ? { cache_prompt: false } : engine === "sglang" ? {} : { return_token_ids: true };
  const asked = {
    model,
    prompt: KNOWN_ANSWER_PROMPT,
    max_tokens: LIKENESS_TOKENS,
    temperature: 0,
    seed: 0,
    ignore_eos: true,
    stream: false,
  };
  return post("/v1/completions", { ...asked, ...own });
}

const encoder = new TextEncoder();

function post(target: string, body: JsonObject | null): DialectRequest {
  if (body === null) return { method: "POST", target, headers: [], body: null };
  return { method: "POST", target, headers: ["content-type", "application/json"], body: encoder.encode(JSON.stringify(body)) };
}
