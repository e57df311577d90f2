import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "../base/json.ts";
import { readResponsesEvent, responsesEvent, sequenceOf } from "./parse-responses-event.ts";
import { parseWholeAnswer } from "./parse-whole-answer.ts";
import { learnNames, renamed, sayingOf } from "./response-events.ts";

const framed = (type: string, more: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: 4, ...more })}\n\n`;
const ended = (type: string, response: object): string =>
  framed(type, { response: { usage: { input_tokens: 3, output_tokens: 2 }, ...response } });

const cases: readonly (readonly [frame: string, kind: string])[] = [
  [": ping\n\n", "empty"],
  ["event: ping\n\n", "empty"],
  ["\n", "empty"],
  [framed("response.created"), "preamble"],
  [framed("response.queued"), "preamble"],
  [framed("response.output_item.added"), "preamble"],
  [framed("response.output_text.delta", { delta: "x" }), "content"],
  [framed("response.output_text.delta", { delta: "x" }).replaceAll("\n", "\r\n"), "content"],
  ['data: {"type":"response.output_text.delta","delta":"x"}\n\n', "content"],
  [framed("response.never_heard_of.delta", { delta: "x" }), "content"],
  [framed("response.output_text.done", { text: "event: response.failed" }), "content"],
  [ended("response.completed", { status: "completed", error: null }), "end"],
  [ended("response.incomplete", { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }), "end"],
  [ended("response.incomplete", { status: "incomplete", incomplete_details: { reason: "content_filter" } }), "end"],
  [ended("response.incomplete", { status: "incomplete", incomplete_details: { reason: "abort" } }), "error"],
  [ended("response.completed", { status: "completed", error: { code: "server_error" } }), "error"],
  [framed("response.completed"), "error"],
  [ended("response.failed", { status: "failed" }), "error"],
  [framed("error", { code: "server_error", message: "m" }), "error"],
  ['data: {"error":{"message":"m"}}\n\n', "error"],
  ['event: response.output_text.delta\ndata: {"type":"response.output_text.delta"\n\n', "garbage"],
  ["event: response.output_text.delta\ndata: {}}\n\n", "content"],
  ["data: [DONE]\n\n", "garbage"],
  ["data: {}\n\n", "garbage"],
  ["data: 7\n\n", "garbage"],
];
for (const [frame, kind] of cases) {
  test(`a response's event ${JSON.stringify(frame).slice(0, 90)} is ${kind}`, () => {
    assert.equal(readResponsesEvent(Buffer.from(frame)).kind, kind);
  });
}

test("the end of a response tells its tokens, or that it does not know them", () => {
  const read = (frame: string): unknown => readResponsesEvent(Buffer.from(frame));
  assert.deepEqual(read(ended("response.completed", { status: "completed" })), {
    kind: "end",
    tokens: { promptTokens: 3, outputTokens: 2 },
  });
  assert.deepEqual(read(ended("response.completed", { status: "completed", usage: null })), { kind: "end", tokens: null });
});

test("an event of a response knows its number, and is written under its type's name", () => {
  const frame = responsesEvent({ type: "error", code: "c", message: "a\nb", param: null, sequence_number: 7 });
  assert.equal(
    frame.toString("utf8"),
    'event: error\ndata: {"type":"error","code":"c","message":"a\\nb","param":null,"sequence_number":7}\n\n',
  );
  assert.deepEqual([sequenceOf(frame), sequenceOf(Buffer.from("data: {}\n\n"))], [7, null]);
});

test("two engines' events say the same where only names, times and numbers differ", () => {
  const item = (id: string, text: string): JsonObject => ({
    type: "response.output_item.done",
    sequence_number: id.length,
    output_index: 0,
    item: { id, type: "message", content: [{ type: "output_text", text }] },
  });
  assert.deepEqual(sayingOf(item("msg_1", "a")), sayingOf(item("msg_22", "a")));
  assert.notDeepEqual(sayingOf(item("msg_1", "a")), sayingOf(item("msg_1", "b")));
});

test("names are learnt at equal places and told ever after, with the first one's time", () => {
  const names = new Map<string, string>();
  learnNames(names, { response: { id: "r1", output: [{ id: "m1" }] } }, { response: { id: "r2", output: [{ id: "m2" }, { id: "m3" }] } });
  const later = { item_id: "m2", response: { id: "r2", created_at: 9, output: [{ id: "m2" }, { id: "m3" }], text: "r2" } };
  assert.deepEqual(renamed(later, names, 5), {
    item_id: "m1",
    response: { id: "r1", created_at: 5, output: [{ id: "m1" }, { id: "m3" }], text: "r2" },
  });
});

test("a whole response is an answer only where its engine did not give it up", () => {
  const whole = (more: object): unknown =>
    parseWholeAnswer(
      Buffer.from(
        JSON.stringify({ object: "response", status: "completed", error: null, usage: { input_tokens: 3, output_tokens: 2 }, ...more }),
      ),
    );
  assert.deepEqual(whole({}), { kind: "answer", tokens: { promptTokens: 3, outputTokens: 2 } });
  for (const more of [{ status: "failed" }, { error: { code: "x" } }, { status: "incomplete", incomplete_details: { reason: "abort" } }])
    assert.deepEqual(whole(more), { kind: "error" });
});

test("the usage of an answer too long to be built is read from its end", () => {
  const long = "x".repeat(1_100_000);
  const of = (end: string): unknown => parseWholeAnswer(Buffer.from(`{"data":"${long}",${end}}`));
  const answer = (promptTokens: number, outputTokens: number): object => ({ kind: "answer", tokens: { promptTokens, outputTokens } });
  assert.deepEqual(of('"usage":{"prompt_tokens":12,"total_tokens":12}'), answer(12, 0));
  assert.deepEqual(of('"usage": {"output_tokens": 5, "input_tokens": 7}'), answer(7, 5));
  assert.deepEqual(of('"other":1'), answer(0, 0));
});
