import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { glanceSseEvent, parseSseEvent, parseSseUsage } from "./parse-sse-event.ts";
import { FRAME_BYTES_MAX, SseFrames } from "./sse-frames.ts";

/** Frames of `text` when it arrives in pieces of these sizes; the lent bytes are overwritten afterwards. */
function framesOf(text: string, cuts: readonly number[]): { frames: string[]; rest: number } {
  const framer = new SseFrames();
  const frames: Buffer[] = [];
  const bytes = Buffer.from(text);
  let at = 0;
  for (const size of [...cuts, bytes.length]) {
    const lent = Buffer.from(bytes.subarray(at, at + size));
    at += lent.length;
    frames.push(...(framer.push(lent) ?? []));
    lent.fill(0x21);
  }
  return { frames: frames.map((frame) => frame.toString("utf8")), rest: framer.pendingBytes };
}

test("SSE frames: events end at a blank line of LF, CR or CRLF", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const text = `data: a${end}${end}: note${end}data: b${end}${end}data: c${end}`;
    const { frames, rest } = framesOf(text, []);
    assert.deepEqual(frames, [`data: a${end}${end}`, `: note${end}data: b${end}${end}`]);
    assert.equal(rest, `data: c${end}`.length);
  }
});

test("SSE frames: any cut of the bytes gives the same bytes and the same events", () => {
  const part = fc.constantFrom("data: x", "é", "\n", "\r", "\r\n", "\n\n", "\r\n\r\n", ":", " ", "data: [DONE]");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 40 }), (parts, cuts) => {
      const text = parts.join("");
      const whole = framesOf(text, []);
      const cut = framesOf(text, cuts);
      assert.deepEqual(cut, whole);
      assert.ok(text.startsWith(whole.frames.join("")));
    }),
  );
});

test("SSE frames: after a long event those that follow do not keep its memory", () => {
  const framer = new SseFrames();
  const [long] = framer.push(Buffer.from(`data: ${"1,".repeat(300_000)}\n\n`)) ?? [];
  assert.ok((long?.buffer.byteLength ?? 0) > 600_000);
  const [short] = framer.push(Buffer.from("data: x\n\n")) ?? [];
  assert.equal(short?.toString(), "data: x\n\n");
  assert.ok((short?.buffer.byteLength ?? Infinity) <= 65_536, `${short?.buffer.byteLength} bytes`);
});

test("SSE frames: a frame that never ends is refused", () => {
  const framer = new SseFrames();
  const piece = Buffer.alloc(65_536, 0x61);
  let isRefused = false;
  for (let sent = 0; sent <= FRAME_BYTES_MAX; sent += piece.length) isRefused = framer.push(piece) === null;
  assert.equal(isRefused, true);
});

const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const events: readonly (readonly [name: string, frame: string, before: string, after: string])[] = [
  ["the role chunk", chunk({ role: "assistant", content: "" }), "preamble", "content"],
  ["a token", chunk({ content: "a" }), "content", "content"],
  ["a tool call", chunk({ tool_calls: [{ index: 0 }] }), "content", "content"],
  ["reasoning", chunk({ reasoning_content: "hm" }), "content", "content"],
  ["a finish without text", chunk({}, "stop"), "content", "content"],
  ["a completion's text", 'data: {"choices":[{"index":0,"text":"a"}]}\n\n', "content", "content"],
  ["an empty completion", 'data: {"choices":[{"index":0,"text":""}]}\n\n', "preamble", "content"],
  ["usage", 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n', "content", "content"],
  ["a comment", ": ping\n\n", "empty", "empty"],
  ["the end", "data: [DONE]\n\n", "done", "done"],
  ["the end without a space", "data:[DONE]\r\n\r\n", "done", "done"],
  ["an error", 'data: {"error":{"message":"x"}}\n\n', "error", "error"],
  ["no error", 'data: {"error":null,"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n', "content", "content"],
  ["a token that says error", chunk({ content: '"error"' }), "content", "content"],
  ["broken JSON", 'data: {"choices":\n\n', "garbage", "garbage"],
  ["broken JSON between braces", "data: {nothing}\n\n", "garbage", "content"],
  ["a word", "data: hello\n\n", "garbage", "garbage"],
  ["a named event over two lines", 'event: x\ndata: {"choices":\ndata: [{"text":"a"}]}\n\n', "content", "content"],
];
test("SSE events: only one whose usage is an object may tell usage", () => {
  const tells = (usage: string): boolean => {
    const event = glanceSseEvent(Buffer.from(`data: {"choices":[{"index":0,"delta":{"content":"a"}}]${usage}}\n\n`));
    return event.kind === "content" && event.mayTellUsage;
  };
  assert.deepEqual(["", ',"usage":null', ',"usage":{}', ',"usage": {}'].map(tells), [false, false, true, true]);
});

for (const [name, frame, before, after] of events) {
  test(`SSE event: ${name} is ${before} before the first token, ${after} later`, () => {
    assert.equal(parseSseEvent(Buffer.from(frame)).kind, before);
    assert.equal(glanceSseEvent(Buffer.from(frame)).kind, after);
  });
}

test("SSE event: usage is read where it stands", () => {
  assert.deepEqual(parseSseUsage(Buffer.from('data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n')), {
    promptTokens: 1,
    outputTokens: 2,
    isAlone: true,
  });
  assert.equal(parseSseUsage(Buffer.from('data: {"usage":null}\n\n')), null);
});
