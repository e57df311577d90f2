import assert from "node:assert/strict";
import { test } from "node:test";
import { ToldAnswer, type ChoicePayload } from "./told-answer.ts";

const told = (...chunks: readonly ChoicePayload[]): ToldAnswer => {
  const answer = new ToldAnswer();
  for (const chunk of chunks) answer.add(chunk);
  return answer;
};
const say = (content: string, index = 0): ChoicePayload => ({ index, delta: { content } });
const call = (given: string, name?: string): ChoicePayload => ({
  delta: { tool_calls: [{ index: 0, function: { ...(name === undefined ? {} : { name }), arguments: given } }] },
});

test("the bench's client: one answer is the same however it is cut into chunks, and not the same as another one", () => {
  assert.ok(told(say("ti"), say("de"), say("sea", 1)).isSameAs(told(say("sea", 1), say("tide"))));
  assert.ok(!told(say("tide")).isSameAs(told(say("tides"))));
  assert.ok(told(call("", "note"), call("{"), call("}")).isSameAs(told(call("{}", "note"))));
  assert.ok(!told(call("{}", "note")).isSameAs(told(call("{}", "other"))));
  assert.ok(!told({ ...say("tide"), finish_reason: "stop" }).isSameAs(told({ ...say("tide"), finish_reason: "length" })));
});

test("the bench's client: what ended by an error is a beginning of the answer, in each of its choices and calls", () => {
  const whole = told(say("tide"), say("sea", 1));
  assert.ok(told(say("ti"), say("s", 1)).isBeginningOf(whole));
  assert.ok(!told(say("ti"), say("t", 1)).isBeginningOf(whole));
  assert.ok(told(call("{", "note")).isBeginningOf(told(call("{}", "note"))));
  assert.ok(!told(call("{[", "note")).isBeginningOf(told(call("{}", "note"))));
  const sure = (logprob: number): ChoicePayload => ({ ...say("a"), logprobs: { content: [{ token: "a", logprob }] } });
  assert.ok(told(sure(-0.1)).isBeginningOf(told(sure(-0.1), sure(-0.1))));
  assert.ok(!told(sure(-0.2)).isBeginningOf(told(sure(-0.1))));
});
