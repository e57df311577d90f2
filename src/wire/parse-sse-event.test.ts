import assert from "node:assert/strict";
import { test } from "node:test";
import { glanceSseEvent, parseSseEvent } from "./parse-sse-event.ts";
import { parseWholeAnswer } from "./parse-whole-answer.ts";

const chunk = (delta: object, finish: string | null): string =>
  `data: ${JSON.stringify({ id: "x", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

const cases = [
  { name: "the role chunk tells nothing yet", frame: chunk({ role: "assistant", content: "" }, null), first: "preamble", later: "content" },
  { name: "a text chunk is content", frame: chunk({ content: "tide" }, null), first: "content", later: "content" },
  { name: "a last chunk that finished is content", frame: chunk({}, "stop"), first: "content", later: "content" },
  { name: "a chunk whose engine aborted is an error, however it looks", frame: chunk({}, "abort"), first: "error", later: "error" },
  { name: "text that says abort is content", frame: chunk({ content: '"abort"' }, null), first: "content", later: "content" },
  { name: "an error event is an error", frame: 'data: {"error":{"message":"x"}}\n\n', first: "error", later: "error" },
  { name: "the end mark is the end", frame: "data: [DONE]\n\n", first: "done", later: "done" },
  { name: "a comment is empty", frame: ": ping\n\n", first: "empty", later: "empty" },
  { name: "half an object is garbage", frame: 'data: {"choices":[\n\n', first: "garbage", later: "garbage" },
];
for (const { name, frame, first, later } of cases) {
  test(`sse event: ${name}`, () => {
    assert.equal(parseSseEvent(Buffer.from(frame)).kind, first);
    assert.equal(glanceSseEvent(Buffer.from(frame)).kind, later);
  });
}

const nested = (depth: number): Buffer => Buffer.from(`data: {"text":"]","x":${"[".repeat(depth)}${"]".repeat(depth)}}\n\n`);

test("sse event: what is nested so deeply that nobody could write it again is garbage", () => {
  assert.equal(parseSseEvent(nested(150)).kind, "preamble");
  assert.equal(parseSseEvent(nested(5_000)).kind, "garbage");
});

test("sse event: brackets within a text nest nothing", () => {
  const said = { text: `${"[{".repeat(2_000)}\\`, choices: [{ text: `"${"[".repeat(2_000)}` }] };
  const text = `data: ${JSON.stringify(said)}\n\n`;
  assert.equal(parseSseEvent(Buffer.from(text)).kind, "content");
});

test("a whole answer that its engine aborted is an error", () => {
  const answer = (finish: string): Buffer => Buffer.from(JSON.stringify({ choices: [{ index: 0, message: {}, finish_reason: finish }] }));
  assert.equal(parseWholeAnswer(answer("abort")).kind, "error");
  assert.equal(parseWholeAnswer(answer("length")).kind, "answer");
});
