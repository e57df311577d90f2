import assert from "node:assert/strict";
import test from "node:test";
import { isJsonObject, type JsonObject } from "../base/json.ts";
import { firstChoice } from "./continued-chunk.ts";
import { LLAMA_CPP_OWN } from "./own-llama-cpp.ts";
import { SGLANG_OWN } from "./own-sglang.ts";
import type { ContinueAsk, EngineAsk, OwnSurface } from "./own-surface.ts";

const bodyOf = (fields: object): Buffer => Buffer.from(JSON.stringify({ model: "m", stream: true, ...fields }));
function objectOf(text: string): JsonObject {
  const value: unknown = JSON.parse(text);
  assert.ok(isJsonObject(value), text);
  return value;
}
const read = ({ target, body }: EngineAsk): object => ({ target, ...objectOf(Buffer.from(body).toString("utf8")) });
const nextOf = (body: Buffer, promptIds: string | null): ContinueAsk => ({
  body,
  upstreamModel: "m",
  promptIds: promptIds === null ? null : Buffer.from(promptIds),
  shownIds: Buffer.from("7,8"),
  shownTokens: 2,
  tokensLeft: 22,
});
const ASKED = { temperature: 0, seed: 5, min_tokens: 9, user: "u", presence_penalty: 0, stream_options: { include_usage: true } };

test("own surface: SGLang is asked for text and then for ids, with limits less by what was shown, and its own names", () => {
  const text = bodyOf({ prompt: 'a "b"', ...ASKED });
  const sampling = { temperature: 0, sampling_seed: 5 };
  const common = { target: "/generate", stream: true, return_prompt_token_ids: true };
  assert.deepEqual(read(SGLANG_OWN.first({ body: text, maxTokens: 24 })), {
    ...common,
    text: 'a "b"',
    sampling_params: { ...sampling, max_new_tokens: 24, min_new_tokens: 9 },
  });
  assert.deepEqual(read(SGLANG_OWN.next(nextOf(text, "1,2"))), {
    ...common,
    input_ids: [1, 2, 7, 8],
    sampling_params: { ...sampling, max_new_tokens: 22, min_new_tokens: 7 },
  });
  assert.deepEqual(read(SGLANG_OWN.first({ body: bodyOf({ prompt: [3, 4] }), maxTokens: null })), {
    ...common,
    input_ids: [3, 4],
    sampling_params: { max_new_tokens: 16 },
  });
});

test("own surface: llama.cpp is given the client's prompt and the ids after it, read whole where the same answer is asked for", () => {
  const common = { target: "/completion", stream: true, return_tokens: true };
  const text = bodyOf({ prompt: 'a "b"', temperature: 0, seed: 5 });
  const same = { temperature: 0, seed: 5, cache_prompt: false };
  assert.deepEqual(read(LLAMA_CPP_OWN.first({ body: text, maxTokens: 24 })), { ...common, ...same, prompt: 'a "b"', n_predict: 24 });
  assert.deepEqual(read(LLAMA_CPP_OWN.next(nextOf(text, null))), { ...common, ...same, prompt: ['a "b"', 7, 8], n_predict: 22 });
  const ids = bodyOf({ prompt: [3, 4] });
  assert.deepEqual(read(LLAMA_CPP_OWN.first({ body: ids, maxTokens: null })), { ...common, prompt: [3, 4], n_predict: -1 });
  const open = { ...nextOf(ids, null), tokensLeft: Number.POSITIVE_INFINITY };
  assert.deepEqual(read(LLAMA_CPP_OWN.next(open)), { ...common, prompt: [3, 4, 7, 8], n_predict: -1 });
});

for (const [surface, fields, isKnown] of [
  ["sglang", { prompt: "a", ...ASKED }, true],
  ["sglang", { prompt: "a", stop_token_ids: [3], repetition_penalty: 1.1, logprobs: null, best_of: 1 }, true],
  ["sglang", { prompt: "a", logit_bias: { "3": 1 } }, false],
  ["sglang", { prompt: "a", cache_salt: "x" }, false],
  ["sglang", { messages: [] }, false],
  ["sglang", { prompt: "a", max_tokens: null }, false],
  ["llama.cpp", { prompt: "a", temperature: 1, logit_bias: { "3": 1 } }, true],
  ["llama.cpp", { prompt: "a", min_tokens: 3 }, false],
  ["llama.cpp", { prompt: "a", repetition_penalty: 1.1 }, false],
] as const) {
  test(`own surface: ${surface} ${isKnown ? "is" : "is not"} asked for ${JSON.stringify(fields).slice(0, 70)}`, () => {
    assert.equal((surface === "sglang" ? SGLANG_OWN : LLAMA_CPP_OWN).mayAsk(bodyOf(fields)), isKnown);
  });
}

/** What a teller makes of an engine's events: of each chunk its text, ids and end, or what else it is. */
function told(own: OwnSurface, events: readonly (object | string)[], prompt: unknown = "a"): readonly unknown[] {
  const teller = own.teller({ id: "cmpl-1", model: "m", createdSeconds: 7, body: bodyOf({ prompt }) });
  const frames = events.flatMap((event) =>
    teller.tell(Buffer.from(`data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`)),
  );
  return frames.map((frame) => {
    const data = frame.toString("utf8").slice("data: ".length, -2);
    if (!data.startsWith("{")) return data;
    const { choices, usage, error, prompt_token_ids } = objectOf(data);
    if (error !== undefined) return { error };
    if (usage !== undefined) return { usage };
    const choice = firstChoice({ choices: choices ?? [] });
    return [
      choice?.["text"],
      choice?.["token_ids"],
      choice?.["finish_reason"],
      ...(prompt_token_ids === undefined ? [] : [prompt_token_ids]),
    ];
  });
}

const meta = (made: number, reason: object | null = null): object => ({ prompt_tokens: 2, completion_tokens: made, finish_reason: reason });
const usage = (prompt: number, made: number): object => ({
  usage: { prompt_tokens: prompt, completion_tokens: made, total_tokens: prompt + made },
});
const sglang: readonly {
  readonly name: string;
  readonly events: readonly (object | string)[];
  readonly prompt?: unknown;
  readonly expected: unknown;
}[] = [
  {
    name: "text and ids of the whole are told by what is new",
    events: [
      { text: "so", output_ids: [7], prompt_token_ids: [1, 2], meta_info: meta(1) },
      { text: "so it", output_ids: [7, 8, 9], meta_info: meta(3) },
      { text: "so it", output_ids: [7, 8, 9, 2], meta_info: meta(4, { type: "stop", matched: 2 }) },
      "[DONE]",
    ],
    expected: [["so", [7], null, [1, 2]], [" it", [8, 9], null], ["", [2], "stop"], usage(2, 4), "[DONE]"],
  },
  {
    name: "those of one step as they come",
    events: [
      { text: "so", output_ids: [7], meta_info: { ...meta(1), prompt_token_ids: [1, 2] } },
      { text: " it", output_ids: [8, 9], meta_info: meta(3) },
      { text: " so", output_ids: [7], meta_info: meta(4, { type: "length", length: 4 }) },
      "[DONE]",
    ],
    expected: [["so", [7], null, [1, 2]], [" it", [8, 9], null], [" so", [7], "length"], usage(2, 4), "[DONE]"],
  },
  {
    name: "a client's own ids are those of the prompt",
    events: [{ text: "so", output_ids: [7], meta_info: meta(1) }],
    prompt: [4, 5],
    expected: [["so", [7], null, [4, 5]]],
  },
  {
    name: "an error within a stream is handed on, and an abort is told as one",
    events: [{ text: "so", output_ids: [7], meta_info: meta(1, { type: "abort" }) }, { error: { message: "out of memory" } }],
    expected: [["so", [7], "abort"], { error: { message: "out of memory" } }],
  },
  {
    name: "ids that are missing are not told by half",
    events: [
      { text: "so", output_ids: [7], meta_info: meta(1) },
      { text: " it", output_ids: [9], meta_info: meta(3) },
    ],
    expected: [
      ["so", [7], null],
      [" it", undefined, null],
    ],
  },
  {
    name: "text that is taken back, and what is no answer, is garbage",
    events: [
      { text: "so", output_ids: [7], meta_info: meta(1) },
      { text: "no it", output_ids: [7, 8], meta_info: meta(2) },
      { text: "x", output_ids: ["7"], meta_info: meta(1) },
      "{}",
    ],
    expected: [["so", [7], null], "?", "?", "?"],
  },
];
for (const { name, events, prompt, expected } of sglang)
  test(`own surface: of SGLang, ${name}`, () => assert.deepEqual(told(SGLANG_OWN, events, prompt), expected));

const step = (content: string, tokens: readonly number[], made: number): object => ({
  content,
  tokens,
  stop: false,
  tokens_predicted: made,
  tokens_evaluated: 3,
});
const last = (type: string, made: number): object => ({ ...step("", [], made), stop: true, stop_type: type });
const llama: readonly { readonly name: string; readonly events: readonly (object | string)[]; readonly expected: unknown }[] = [
  {
    name: "the last event tells the end and the usage, and nothing comes after it",
    events: [step("so", [7], 1), step(" it", [8], 2), last("eos", 3), "[DONE]"],
    expected: [["so", [7], null], [" it", [8], null], ["", undefined, "stop"], usage(3, 3), "[DONE]"],
  },
  { name: "a limit is a length", events: [last("limit", 0)], expected: [["", [], "length"], usage(3, 0), "[DONE]"] },
  { name: "a stop from outside is an abort", events: [last("none", 0)], expected: [["", [], "abort"], usage(3, 0), "[DONE]"] },
  {
    name: "a token within a character, which has no event, is a gap",
    events: [step("so", [7], 1), step("é", [9], 3), step(" it", [8], 4)],
    expected: [
      ["so", [7], null],
      ["é", undefined, null],
      [" it", [8], null],
    ],
  },
  {
    name: "progress is passed over, errors are handed on, and the rest is garbage",
    events: [{ prompt_progress: { total: 3 }, content: "" }, { error: { message: "x" } }, { content: 3 }],
    expected: [{ error: { message: "x" } }, "?"],
  },
];
for (const { name, events, expected } of llama)
  test(`own surface: of llama.cpp, ${name}`, () => assert.deepEqual(told(LLAMA_CPP_OWN, events), expected));
