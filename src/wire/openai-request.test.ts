import assert from "node:assert/strict";
import test from "node:test";
import { openAiErrorBody, openAiErrorEvent, openAiErrorHeaders } from "./openai-error.ts";
import { openAiModelList } from "./openai-models.ts";
import { completionBodyFor, readCompletionRequest } from "./openai-request.ts";

function codeOf(body: string): string {
  const read = readCompletionRequest(Buffer.from(body));
  return read.ok ? "ok" : read.error.code;
}

test("OpenAI request: what the gateway reads of it", () => {
  const read = readCompletionRequest(
    Buffer.from('{"model":"m","stream":true,"max_tokens":9,"n":2,"stream_options":{"include_usage":true}}'),
  );
  assert.ok(read.ok);
  const { model, isStream, maxTokens, n, includesUsage } = read.value;
  assert.deepEqual(
    { model, isStream, maxTokens, n, includesUsage },
    { model: "m", isStream: true, maxTokens: 9, n: 2, includesUsage: true },
  );
});

test("OpenAI request: max_completion_tokens goes before max_tokens, and null is nothing", () => {
  const read = readCompletionRequest(Buffer.from('{"model":"m","max_tokens":9,"max_completion_tokens":5,"stream":null,"n":null}'));
  assert.ok(read.ok);
  assert.deepEqual([read.value.maxTokens, read.value.isStream, read.value.n], [5, false, 1]);
});

const bad: readonly (readonly [body: string, code: string])[] = [
  ["{}", "missing_required_parameter"],
  ['{"model":1}', "missing_required_parameter"],
  ['{"model":"m","stream":"true"}', "invalid_type"],
  ['{"model":"m","n":0}', "invalid_value"],
  ['{"model":"m","n":1000}', "invalid_value"],
  ['{"model":"m","max_tokens":-1}', "invalid_value"],
  ['{"model":"m","max_tokens":1.5}', "invalid_value"],
  ['{"model":"m","Model":"n"}', "unknown_parameter"],
  ['{"model":"m","STREAM":true}', "unknown_parameter"],
  ['{"model":"a\nb"}', "invalid_json"],
  ['{"model":"m","stream_options":[1]}', "invalid_type"],
  ['{"model":"m","stream_options":"all"}', "invalid_type"],
  [`{"model":"m","stream_options":{"a":"${"b".repeat(5_000)}"}}`, "invalid_type"],
  ["nothing", "invalid_json"],
];
for (const [body, code] of bad)
  test(`OpenAI request: ${JSON.stringify(body.slice(0, 60))} is ${code}`, () => assert.equal(codeOf(body), code));

test("OpenAI request: the engine's body differs by the named edits only", () => {
  const body = Buffer.from('{ "model" : "m", "messages": [] }');
  const read = readCompletionRequest(body);
  assert.ok(read.ok);
  const edited = completionBodyFor(body, read.value, { upstreamModel: 'o/"m"', maxTokens: 7, asksIds: false, asksUsage: false });
  assert.equal(Buffer.from(edited).toString("utf8"), '{ "model" : "o/\\"m\\"", "messages": [] ,"max_tokens":7}');
  assert.equal(completionBodyFor(body, read.value, { upstreamModel: "m", maxTokens: null, asksIds: false, asksUsage: false }), body);
});

test("OpenAI request: a limit that says nothing is replaced, never given twice, and never hides another one", () => {
  const body = Buffer.from('{"model":"m","max_tokens":null,"n":1}');
  const read = readCompletionRequest(body);
  assert.ok(read.ok);
  const sent = completionBodyFor(body, read.value, { upstreamModel: null, maxTokens: 7, asksIds: false, asksUsage: false });
  assert.equal(Buffer.from(sent).toString("utf8"), '{"model":"m","max_tokens":7,"n":1}');
  const other = readCompletionRequest(Buffer.from('{"model":"m","max_tokens":9,"max_completion_tokens":null}'));
  assert.ok(other.ok);
  assert.equal(other.value.maxTokens, 9);
});

test("OpenAI error: the SDK is told when to come back, within what it obeys", () => {
  const error = { status: 429, type: "rate_limit_error", code: "c", message: "m", param: null } as const;
  const body = openAiErrorBody({ ...error, retry: { kind: "never" } });
  assert.deepEqual(JSON.parse(body.toString("utf8")), { error: { message: "m", type: "rate_limit_error", param: null, code: "c" } });
  assert.deepEqual(openAiErrorHeaders({ ...error, retry: { kind: "never" } }, body).slice(4), ["x-should-retry", "false"]);
  assert.deepEqual(openAiErrorHeaders({ ...error, retry: { kind: "after", delayMs: 90_000 } }, body).slice(4), [
    "x-should-retry",
    "true",
    "retry-after-ms",
    "60000",
    "retry-after",
    "60",
  ]);
});

test("OpenAI error: the event that ends a stream is one whole event", () => {
  assert.equal(
    openAiErrorEvent({ type: "server_error", code: "upstream_lost", message: "a\nb" }).toString("utf8"),
    'data: {"error":{"message":"a\\nb","type":"server_error","param":null,"code":"upstream_lost"}}\n\n',
  );
});

test("OpenAI models: the list has OpenAI's form", () => {
  assert.deepEqual(JSON.parse(openAiModelList([{ id: "m", ownedBy: "t" }], 5).toString("utf8")), {
    object: "list",
    data: [{ id: "m", object: "model", created: 5, owned_by: "t" }],
  });
});
