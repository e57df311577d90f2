import assert from "node:assert/strict";
import test from "node:test";
import type { Continuity } from "./continuity.ts";
import { continueAskOf, idEngineOf } from "./id-engine.ts";
import { readCompletionRequest } from "./openai-request.ts";

const bodyOf = (more: string): Buffer => Buffer.from(`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true${more}}`);

function told(continuity: Continuity): string {
  if (continuity.kind !== "ids") return `${continuity.kind} ${continuity.why}`;
  const { stops } = continuity;
  return stops === null ? "ids" : `ids stops ${stops.strings.join()}${stops.areShown ? " shown" : ""}`;
}

const cases: readonly (readonly [more: string, expected: string])[] = [
  ["", "ids"],
  [',"temperature":0.7,"seed":3,"user":"u","max_tokens":9,"stream_options":{"include_usage":true}', "ids"],
  [',"tools":[],"response_format":{"type":"text"},"stop":null,"presence_penalty":0,"logprobs":false', "ids"],
  [',"prompt":[1,2,3]', "ids"],
  [',"tools":[{"type":"function"}],"tool_choice":"auto"', "restart tools"],
  [',"response_format":{"type":"json_object"}', "restart guided"],
  [',"guided_regex":"a+"', "restart guided"],
  [`,"guided_json":{"x":"${"y".repeat(5_000)}"}`, "restart guided"],
  [',"stop":["a","bc"]', "ids stops a,bc"],
  [',"stop":"a","min_tokens":3', "ids stops a"],
  [',"stop":"a","include_stop_str_in_output":true', "ids stops a shown"],
  [',"stop":"a","include_stop_str_in_output":true,"min_tokens":3', "restart stops"],
  [',"stop":[],"include_stop_str_in_output":true', "ids"],
  [',"stop":[""]', "restart stops"],
  [',"stop":[1]', "restart stops"],
  [`,"stop":"${"y".repeat(5_000)}"`, "restart stops"],
  [',"stop":"a","frequency_penalty":0.1', "restart penalties"],
  [',"frequency_penalty":0.1', "restart penalties"],
  [',"of_the_future":1', "restart unknown-field"],
  [',"n":2', "none choices"],
  [',"best_of":2', "none choices"],
  [',"prompt":["a","b"]', "none choices"],
  [',"prompt":[ [1],[2]]', "none choices"],
  [',"logprobs":true,"tools":[{"type":"function"}]', "none logprobs"],
  [',"return_token_ids":true', "none ids-asked"],
  [',"return_token_ids":false', "none ids-asked"],
];
for (const [more, expected] of cases) {
  test(`continuity: a request with ${more.slice(0, 60) || "nothing else"} goes on by ${expected}`, () => {
    const read = readCompletionRequest(bodyOf(more));
    assert.ok(read.ok);
    const { continuity } = read.value;
    assert.equal(told(continuity), expected);
  });
}

const IMAGE = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } };
const LONG = 'tide [{"type":"image_url"}] '.repeat(5_000);
const conversations: readonly (readonly [name: string, messages: readonly unknown[], expected: string])[] = [
  [
    "texts",
    [
      { role: "system", content: LONG, name: "n" },
      { role: "user", content: 'a "type" [{' },
    ],
    "ids",
  ],
  ["parts of text", [{ role: "user", content: [{ type: "text", text: LONG }, "b"] }], "ids"],
  [
    "calls that were made",
    [
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: '{"image_url":1}' } }],
      },
      { role: "tool", tool_call_id: "c", content: [{ type: "text", text: "b" }] },
    ],
    "ids",
  ],
  ["an image", [{ role: "user", content: [{ type: "text", text: LONG }, IMAGE] }], "restart media"],
  ["an image that has no type", [{ role: "user", content: [{ image_url: "x" }] }], "restart media"],
  ["a type that nobody knows", [{ role: "user", content: [{ type: "hologram", text: "x" }] }], "restart media"],
  ["a type that is no text", [{ role: "user", content: [{ type: ["text"], text: "x" }] }], "restart media"],
  ["audio", [{ role: "user", content: [{ type: "input_audio", input_audio: { data: "x" } }] }], "restart media"],
  ["audio said before", [{ role: "assistant", content: "x", audio: { id: "a" } }], "restart media"],
  ["a field that nobody knows", [{ role: "user", content: "x", images: ["a"] }], "restart media"],
];
for (const [name, messages, expected] of conversations) {
  test(`continuity: a chat of ${name} goes on by ${expected}`, () => {
    for (const space of [0, 2]) {
      const read = readCompletionRequest(Buffer.from(JSON.stringify({ model: "m", messages, stream: true }, null, space)));
      assert.ok(read.ok);
      assert.equal(told(read.value.continuity), expected);
    }
  });
}

test("continuity: a part that names its type in escapes is not taken for text", () => {
  const part = String.raw`{"t\u0079pe":"image_url","text":"a"}`;
  const body = `{"model":"m","stream":true,"messages":[{"role":"user","content":[${part}]}]}`;
  const read = readCompletionRequest(Buffer.from(body));
  assert.ok(read.ok);
  assert.equal(told(read.value.continuity), "restart media");
});

test("continuity: the next engine gets ids, limits less by what was shown, the sampling, and nothing else", () => {
  const body = bodyOf(',"temperature":0.7,"min_tokens":10,"max_tokens":20,"metadata":{"a":"b"},"stop_token_ids":[7],"stop":"x"');
  const ask = {
    body,
    upstreamModel: "org/m",
    promptIds: Buffer.from("1,2"),
    shownIds: Buffer.from("3,4,5"),
    shownTokens: 3,
    tokensLeft: 17,
  };
  assert.deepEqual(JSON.parse(Buffer.from(continueAskOf(idEngineOf("vllm"), ask).body).toString("utf8")), {
    model: "org/m",
    prompt: [1, 2, 3, 4, 5],
    max_tokens: 17,
    stream: true,
    stream_options: { include_usage: true },
    return_token_ids: true,
    min_tokens: 7,
    temperature: 0.7,
    stop_token_ids: [7],
    stop: "x",
  });
});
