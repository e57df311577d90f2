import { test } from "node:test";
import assert from "node:assert/strict";
import type { EngineKind } from "../api/hot-standby-config.ts";
import {
  knownAnswerRequest,
  likenessRequest,
  progressOf,
  sleepRequests,
  sleepStateRequest,
  wakeRequests,
  type DialectRequest,
  type Progress,
} from "./dialect.ts";
import { parseKnownAnswer, parseLikeness, parseSleepState } from "./parse-known-answer.ts";

const VLLM_PAGE = [
  "# TYPE vllm:iteration_tokens_total histogram",
  'vllm:iteration_tokens_total_bucket{le="1"} 7',
  'vllm:iteration_tokens_total_sum{engine="0"} 900',
  'vllm:iteration_tokens_total_count{engine="0"} 41',
  'vllm:generation_tokens_total{engine="0"} 800',
  'vllm:num_requests_running{engine="0"} 3',
  'vllm:num_requests_waiting{engine="0"} 1',
  'vllm:kv_cache_usage_perc{engine="0"} 0.25',
].join("\n");

const progressCases: readonly {
  readonly name: string;
  readonly engine: EngineKind;
  readonly page: string;
  readonly expected: Progress | null;
}[] = [
  {
    name: "vLLM's progress is its count of engine steps",
    engine: "vllm",
    page: VLLM_PAGE,
    expected: { steps: 41, running: 3, waiting: 1, kvUsage: 0.25 },
  },
  {
    name: "the simulated engine's progress is read as vLLM's",
    engine: "simulated",
    page: VLLM_PAGE,
    expected: { steps: 41, running: 3, waiting: 1, kvUsage: 0.25 },
  },
  {
    name: "an older vLLM's progress is its count of tokens",
    engine: "vllm",
    page: "vllm:generation_tokens_total 9\nvllm:num_requests_running 1\nvllm:gpu_cache_usage_perc 0.5\n",
    expected: { steps: 9, running: 1, waiting: 0, kvUsage: 0.5 },
  },
  {
    name: "SGLang's progress is its count of tokens",
    engine: "sglang",
    page: "sglang:generation_tokens_total 12\nsglang:num_running_reqs 2\nsglang:num_queue_reqs 4\nsglang:token_usage 0.75\n",
    expected: { steps: 12, running: 2, waiting: 4, kvUsage: 0.75 },
  },
  {
    name: "llama.cpp's progress is its count of decodes, and it tells no KV use",
    engine: "llama.cpp",
    page: "llamacpp:n_decode_total 5\nllamacpp:requests_processing 1\nllamacpp:requests_deferred 2\n",
    expected: { steps: 5, running: 1, waiting: 2, kvUsage: null },
  },
  { name: "a metrics page of another engine shows no progress", engine: "sglang", page: VLLM_PAGE, expected: null },
];
for (const { name, engine, page, expected } of progressCases) test(name, () => assert.deepEqual(progressOf(engine, page), expected));

const line = ({ method, target, body }: DialectRequest): string =>
  `${method} ${target}${body === null ? "" : ` ${new TextDecoder().decode(body)}`}`;

const sleepCases: readonly {
  readonly engine: EngineKind;
  readonly sleep: string[] | null;
  readonly wake: string[] | null;
  readonly ask: string | null;
}[] = [
  { engine: "vllm", sleep: ["POST /sleep?level=1"], wake: ["POST /wake_up"], ask: "GET /is_sleeping" },
  { engine: "simulated", sleep: ["POST /sleep?level=1"], wake: ["POST /wake_up"], ask: "GET /is_sleeping" },
  {
    engine: "sglang",
    sleep: ['POST /release_memory_occupation {"tags":["kv_cache","weights"]}'],
    wake: ['POST /resume_memory_occupation {"tags":["kv_cache","weights"]}'],
    ask: null,
  },
  { engine: "llama.cpp", sleep: null, wake: null, ask: null },
];
for (const { engine, sleep, wake, ask } of sleepCases) {
  test(`the steps of sleep and wake are those of ${engine}`, () => {
    const question = sleepStateRequest(engine);
    assert.deepEqual(sleepRequests(engine)?.map(line) ?? null, sleep);
    assert.deepEqual(wakeRequests(engine)?.map(line) ?? null, wake);
    assert.equal(question === null ? null : line(question), ask);
  });
}

test("the known answer is asked for greedily with four tokens", () => {
  const request = knownAnswerRequest({ name: "tide-8b" });
  assert.equal(request.target, "/v1/completions");
  const body: unknown = JSON.parse(new TextDecoder().decode(request.body ?? new Uint8Array()));
  assert.deepEqual(body, {
    model: "tide-8b",
    prompt: "The tide comes in, the tide goes out, and the gate",
    max_tokens: 4,
    temperature: 0,
    ignore_eos: true,
    stream: false,
  });
});

test("likeness is asked for greedily with thirty-two tokens, and by ids of those who name them", () => {
  const own = (["vllm", "sglang", "llama.cpp"] as const).map((engine) => {
    const body: unknown = JSON.parse(new TextDecoder().decode(likenessRequest(engine, "tide-8b").body ?? new Uint8Array()));
    return body;
  });
  const all = {
    model: "tide-8b",
    prompt: "The tide comes in, the tide goes out, and the gate",
    max_tokens: 32,
    temperature: 0,
    seed: 0,
    ignore_eos: true,
    stream: false,
  };
  assert.deepEqual(own, [{ ...all, return_token_ids: true }, all, { ...all, cache_prompt: false }]);
});

test("likeness is read as ids where they are named, else as text", () => {
  const bodies = ['{"choices":[{"text":" a","token_ids":[7,8]}]}', '{"choices":[{"text":" a","token_ids":null}]}', '{"choices":[]}'];
  assert.deepEqual(bodies.map(parseLikeness), ["7,8", " a", null]);
});

const answerCases: readonly { readonly name: string; readonly body: string; readonly expected: string | null }[] = [
  { name: "a known answer is the completion's text", body: '{"choices":[{"text":" a b"}]}', expected: " a b" },
  { name: "an empty completion is no known answer", body: '{"choices":[{"text":""}]}', expected: null },
  { name: "an error body is no known answer", body: '{"error":{"message":"asleep"}}', expected: null },
  { name: "a torn body is no known answer", body: '{"choices":[{"text":" a', expected: null },
  { name: "a completion without choices is no known answer", body: '{"choices":[]}', expected: null },
];
for (const { name, body, expected } of answerCases) test(name, () => assert.equal(parseKnownAnswer(body), expected));

test("a sleep state is read, and anything else is unknown", () => {
  const bodies = ['{"is_sleeping":true}', '{"is_sleeping":false}', "{}", "gone"];
  assert.deepEqual(bodies.map(parseSleepState), [true, false, null, null]);
});
