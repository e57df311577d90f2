import assert from "node:assert/strict";
import test from "node:test";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";
import { sameForAll, startStreamRig } from "./stream-rig.ts";

const WHOLE = "t0 t1 t2 t3 t4 ";
const COMMENT = ": keep-alive\n\n";
const commentsIn = (client: RigClient): number => client.text.split(COMMENT).length - 1;

/** Time passes, and the engine makes steps: for others. */
async function work(rig: GatewayRig, forMs: number): Promise<void> {
  for (let workedMs = 0; workedMs < forMs; workedMs += 50) {
    rig.engine(1).steps += 1;
    await rig.clock.advance(50);
  }
}

async function startRig(change: { prefillMs?: number; gapMs?: number }): Promise<GatewayRig> {
  const rig = new GatewayRig();
  Object.assign(rig.engine(1), change);
  await rig.start(rigTable([rigEndpoint(1)]));
  return rig;
}

test("keep-alive: while an engine reads a long prompt the head is kept back for ten seconds, then comments come", async () => {
  const rig = await startRig({ prefillMs: 18_000 });
  const client = rig.chat();
  await work(rig, 9_900);
  assert.equal(client.status, null);
  await work(rig, 1_200);
  assert.deepEqual([client.status, client.text, client.header("content-type")], [200, COMMENT, "text/event-stream; charset=utf-8"]);
  await work(rig, 8_000);
  assert.equal(client.wholeStream, WHOLE);
  assert.equal(commentsIn(client), 2);
});

test("keep-alive: an answer in one piece gets no comment, and a quick stream none either", async () => {
  const rig = await startRig({ prefillMs: 18_000 });
  const whole = rig.chat({ stream: false });
  await work(rig, 20_000);
  assert.equal(whole.status, 200);
  assert.doesNotMatch(whole.text, /^:/);
  rig.engine(1).prefillMs = 50;
  const quick = rig.chat();
  await work(rig, 2_000);
  assert.deepEqual([quick.wholeStream, commentsIn(quick)], [WHOLE, 0]);
});

test("keep-alive: between tokens no silence is longer than six seconds", async () => {
  const rig = await startRig({ gapMs: 9_500 });
  const client = rig.chat();
  const writtenAt: number[] = [];
  client.onWrite = () => writtenAt.push(rig.clock.monotonicMs());
  await work(rig, 50_000);
  assert.equal(client.wholeStream, WHOLE);
  const gaps = writtenAt.slice(1).map((at, index) => at - (writtenAt[index] ?? 0));
  assert.ok(Math.max(...gaps) <= 6_100, `${Math.max(...gaps)} ms`);
  assert.equal(commentsIn(client), 5);
});

test("keep-alive: nothing is queued for a client that does not read, and it gets comments again when it does", async () => {
  const rig = await startRig({ prefillMs: 19_000 });
  const client = rig.chat();
  client.hasRoom = false;
  await work(rig, 18_000);
  assert.equal(client.text, COMMENT);
  client.hasRoom = true;
  client.events?.drained();
  await work(rig, 800);
  assert.equal(client.text, COMMENT.repeat(2));
  await work(rig, 2_000);
  assert.equal(client.wholeStream, WHOLE);
});

test("keep-alive: a client that waits for an instance and does not read gets one comment", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([]));
  const client = rig.chat();
  client.hasRoom = false;
  await rig.clock.advance(14_000);
  assert.equal(client.text, ": waiting for an instance\n\n");
});

for (const [target, event] of [
  [
    "/v1/chat/completions",
    /^data: \{"error":\{"message":"[^"]+","type":"invalid_request_error","param":null,"code":"invalid_request"\}\}\n\n$/,
  ],
  [
    "/v1/responses",
    /^event: error\ndata: \{"type":"error","code":"invalid_request","message":"[^"]+","param":null,"sequence_number":0\}\n\n$/,
  ],
] as const) {
  test(`keep-alive: what an engine says against a request to ${target} after its head is an event, and the end`, async () => {
    const rig = await startRig({ prefillMs: 18_000 });
    Object.assign(rig.engine(1), { status: 400, statusAfterMs: 12_000 });
    const client = rig.send('{"model":"tide-8b","stream":true,"input":"x"}', { target });
    await work(rig, 13_000);
    assert.deepEqual([client.status, client.end_, client.text.slice(0, COMMENT.length)], [200, "ended", COMMENT]);
    assert.match(client.text.slice(COMMENT.length), event);
  });
}

test("keep-alive: a stream with comments before its first token is still tried again unseen when its engine dies", async () => {
  const rig = new GatewayRig();
  rig.engine(1).prefillMs = 18_000;
  await rig.start(rigTable([rigEndpoint(1, { weight: 99 }), rigEndpoint(2, { weight: 1 })]));
  const client = rig.chat();
  await work(rig, 11_500);
  assert.equal(client.text, COMMENT);
  rig.engine(1).kill();
  await rig.clock.advance(1_000);
  assert.deepEqual([client.wholeStream, commentsIn(client)], [WHOLE, 1]);
});

test("keep-alive: while an answer is made again its client gets comments, and then the rest", async () => {
  const world = await startStreamRig(1, 2);
  const body = { input: "tide ".repeat(20), max_output_tokens: 2_000, ignore_eos: true };
  const client = world.ask(body, undefined, "/v1/responses");
  // Nobody counts its events: that would read all of them with each.
  client.onWrite = null;
  await world.rig.clock.advance(9_000);
  world.killServer(client);
  await world.untilEnded(client);
  const whole = await startStreamRig(1, 1);
  const undisturbed = whole.ask(body, undefined, "/v1/responses");
  undisturbed.onWrite = null;
  await whole.untilEnded(undisturbed);
  assert.ok(commentsIn(client) >= 1);
  assert.equal(sameForAll(client.text).replaceAll(/^: .*\n\n/gm, ""), sameForAll(undisturbed.text));
});
