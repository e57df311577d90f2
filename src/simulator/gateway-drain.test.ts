import assert from "node:assert/strict";
import test from "node:test";
import { engineName, startStreamRig } from "./stream-rig.ts";

const LONG = { messages: [{ role: "user", content: "tide" }], max_tokens: 2_000, ignore_eos: true };

test("drain: what cannot end in time is told so, in the form of what its client has, and its engine is asked no more", async () => {
  const world = await startStreamRig(1, 2);
  const { rig, network } = world;
  const streamed = world.ask(LONG);
  const short = world.ask({ ...LONG, max_tokens: 20 });
  const whole = world.ask({ ...LONG, stream: false });
  await rig.clock.advance(100);
  const drained = rig.gateway.drain(2_000);
  await rig.clock.advance(1_900);
  assert.deepEqual([streamed.end_, short.end_, whole.end_], ["open", "ended", "open"]);
  await rig.clock.advance(200);
  await drained;
  assert.ok(short.text.endsWith("data: [DONE]\n\n"));
  assert.match(streamed.text, /"content":"[^"]*"[^]*data: \{"error":\{[^\n]*"code":"gateway_draining"\}\}\n\n$/);
  assert.ok(!streamed.text.includes("[DONE]"));
  assert.deepEqual([whole.status, whole.header("x-should-retry")], [503, "true"]);
  assert.match(whole.text, /"code":"gateway_draining"/);
  assert.deepEqual(
    [1, 2].map((port) => network.openBetween("gateway", engineName(port))),
    [0, 0],
  );
});

test("drain: with nothing open it is over at once, and nobody is told anything", async () => {
  const world = await startStreamRig(1, 1);
  const { rig } = world;
  const client = world.ask({ ...LONG, max_tokens: 5 });
  await world.untilEnded(client);
  let isOver = false;
  void rig.gateway.drain(60_000).then(() => (isOver = true));
  await rig.clock.advance(1);
  assert.equal(isOver, true);
  assert.ok(client.text.endsWith("data: [DONE]\n\n"));
});

test("drain: a request whose body comes after the drain began is told to go elsewhere", async () => {
  const { rig } = await startStreamRig(1, 1);
  const slow = rig.send("", { isOpen: true });
  const drained = rig.gateway.drain(2_000);
  await rig.clock.advance(2_100);
  await drained;
  slow.events?.body(Buffer.from(JSON.stringify({ model: "tide-8b", stream: true, ...LONG })));
  slow.events?.bodyEnd();
  assert.deepEqual([slow.status, slow.header("x-should-retry"), slow.end_], [503, "true", "ended"]);
});
