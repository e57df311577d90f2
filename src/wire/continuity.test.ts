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
