import assert from "node:assert/strict";
import test from "node:test";
import { generation, nodeName, serviceName, uid } from "../base/ids.ts";
import { SLOW_START_MS } from "../routing/slow-start.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

const WHOLE = "t0 t1 t2 t3 t4 ";

async function twoHots(): Promise<GatewayRig> {
  const rig = new GatewayRig();
  rig.engine(1);
  rig.engine(2);
  await rig.start(rigTable([rigEndpoint(1), rigEndpoint(2)]));
  return rig;
}

/** Requests spread over both engines; those on engine 1 are `affected`. */
function sendMany(rig: GatewayRig, count: number, stream = true): RigClient[] {
  return Array.from({ length: count }, () => rig.chat({ stream }));
}

test("gateway: an undisturbed stream arrives whole, with its head held back until the first content token", async () => {
  const rig = await twoHots();
  const client = rig.chat();
  await rig.clock.advance(49);
  assert.equal(client.status, null);
  await rig.clock.advance(1_000);
  assert.equal(client.wholeStream, WHOLE);
  assert.equal(client.status, 200);
  assert.equal(client.header("x-tidegate-level"), "hot");
  assert.equal(client.header("x-tidegate-attempts"), "1");
  assert.match(client.header("x-tidegate-instance") ?? "", /^gold-hot-/);
  assert.match(client.header("x-request-id") ?? "", /^req_/);
});

test("gateway: an engine killed before the first byte loses nobody", async () => {
  const rig = await twoHots();
  const clients = sendMany(rig, 10);
  await rig.clock.advance(30);
  rig.engine(1).kill();
  const killedAt = rig.clock.monotonicMs();
  await rig.clock.advance(1_000);
  assert.deepEqual(
    clients.map((client) => client.wholeStream),
    clients.map(() => WHOLE),
  );
  const worst = Math.max(...clients.map((client) => (client.firstByteAt ?? Infinity) - killedAt));
  assert.ok(worst <= 50 + 10, `recovered after ${worst} ms`);
  assert.deepEqual(rig.ejections(), ["gold-hot-1 reset"]);
});

test("gateway: an engine killed in the middle of a stream ends it by an error event, without DONE", async () => {
  const rig = await twoHots();
  const clients = sendMany(rig, 4);
  await rig.clock.advance(95);
  rig.engine(1).kill();
  await rig.clock.advance(1_000);
  const cut = clients.filter((client) => client.wholeStream === null);
  assert.equal(cut.length, 2);
  for (const client of cut) {
    assert.equal(client.end_, "ended");
    assert.match(client.text, /"t2 "[^\n]*\n\ndata: \{"error":\{[^\n]*"type":"server_error","param":null,"code":"upstream_lost"\}\}\n\n$/);
    assert.ok(!client.text.includes("[DONE]"));
  }
});

test("gateway: an answer in one piece that dies before its end is retried unseen", async () => {
  const rig = await twoHots();
  const clients = sendMany(rig, 4, false);
  await rig.clock.advance(100);
  rig.engine(1).kill();
  await rig.clock.advance(1_000);
  for (const client of clients) {
    assert.equal(client.status, 200);
    assert.match(client.text, /"content":"whole"/);
  }
});

test("gateway: half an event at a cut never reaches the client", async () => {
  const rig = await twoHots();
  rig.engine(1).breakAfter = { tokens: 2, how: "half-frame" };
  const clients = sendMany(rig, 2);
  await rig.clock.advance(1_000);
  const cut = clients.find((client) => client.wholeStream === null);
  assert.ok(cut !== undefined);
  assert.ok(!cut.text.includes("cont\n"));
  assert.equal(cut.text.split("\n\n").length, 1 + 2 + 1 + 1);
});

for (const how of ["end", "garbage", "error-event"] as const) {
  test(`gateway: a stream that breaks by ${how} after its first byte ends in an error event`, async () => {
    const rig = await twoHots();
    rig.engine(1).breakAfter = { tokens: 1, how };
    const clients = sendMany(rig, 2);
    await rig.clock.advance(1_000);
    const cut = clients.find((client) => client.wholeStream === null);
    assert.match(cut?.text ?? "", /data: \{"error":[^\n]*\}\n\n$/);
    assert.ok(!cut?.text.includes("secret"));
    assert.deepEqual(rig.ejections(), []);
  });

  test(`gateway: a stream that breaks by ${how} before any content is retried unseen`, async () => {
    const rig = await twoHots();
    rig.engine(1).breakAfter = { tokens: 0, how };
    const clients = sendMany(rig, 2);
    await rig.clock.advance(1_000);
    for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  });
}

for (const stream of [true, false]) {
  test(`gateway: a stopped engine is found by two unanswered probes and its ${stream ? "streams" : "whole answers"} move on`, async () => {
    const rig = await twoHots();
    rig.engine(1).stop();
    const clients = sendMany(rig, 10, stream);
    const stoppedAt = rig.clock.monotonicMs();
    await rig.clock.advance(2_000);
    for (const client of clients) assert.equal(client.status, 200);
    const worst = Math.max(...clients.map((client) => (client.endedAt ?? Infinity) - stoppedAt));
    assert.ok(worst <= 1_050 + 150, `recovered after ${worst} ms`);
    assert.deepEqual(rig.ejections(), ["gold-hot-1 silent"]);
  });
}

test("gateway: a hung engine that answers health is found by its lack of steps", async () => {
  const rig = await twoHots();
  rig.engine(1).mode = "hung";
  const clients = sendMany(rig, 10);
  await rig.clock.advance(3_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  assert.deepEqual(rig.ejections(), ["gold-hot-1 no-progress"]);
  const worst = Math.max(...clients.map((client) => (client.endedAt ?? Infinity) - 1_000));
  assert.ok(worst <= 2_100, `recovered after ${worst} ms`);
});

test("gateway: an engine whose every gap is long but which steps is never ejected", async () => {
  const rig = await twoHots();
  for (const port of [1, 2]) Object.assign(rig.engine(port), { gapMs: 700, prefillMs: 1_500 });
  // Between the tokens of a request the engine works for others.
  const clients = sendMany(rig, 6);
  for (let step = 0; step < 70; step += 1) {
    rig.engine(1).steps += 1;
    rig.engine(2).steps += 1;
    await rig.clock.advance(100);
  }
  assert.deepEqual(rig.ejections(), []);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
});

test("gateway: an engine whose metrics are missing serves on, however long its steps, and is still found when it stops", async () => {
  const rig = await twoHots();
  for (const port of [1, 2]) Object.assign(rig.engine(port), { gapMs: 1_500, prefillMs: 1_500, isLosingMetrics: true });
  const clients = sendMany(rig, 6);
  await rig.clock.advance(10_000);
  assert.deepEqual(rig.ejections(), []);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  sendMany(rig, 6);
  rig.engine(1).stop();
  await rig.clock.advance(1_050);
  assert.deepEqual(rig.ejections(), ["gold-hot-1 silent"]);
});

test("gateway: a step of a second and a half is work, also where only the metrics page can tell", async () => {
  const rig = await twoHots();
  for (const port of [1, 2]) Object.assign(rig.engine(port), { gapMs: 3_000, prefillMs: 3_000 });
  const clients = sendMany(rig, 4, false);
  for (let step = 0; step < 24; step += 1) {
    await rig.clock.advance(1_500);
    rig.engine(1).steps += 1;
    rig.engine(2).steps += 1;
  }
  assert.deepEqual(rig.ejections(), []);
  for (const client of clients) assert.equal(client.status, 200);
});

test("gateway: a single stalled stream of a working engine is cut only after ten seconds", async () => {
  const rig = await twoHots();
  rig.engine(1).breakAfter = { tokens: 2, how: "stall" };
  const clients = sendMany(rig, 2);
  await rig.clock.advance(9_000);
  const stalled = clients.find((client) => client.endedAt === null);
  assert.ok(stalled !== undefined);
  assert.equal(stalled.end_, "open");
  await rig.clock.advance(2_000);
  assert.match(stalled.text, /"code":"upstream_stalled"\}\}\n\n$/);
  assert.deepEqual(rig.ejections(), []);
});

test("gateway: our own loop lag judges nobody", async () => {
  const rig = await twoHots();
  rig.engine(1).stop();
  sendMany(rig, 4);
  rig.loopLagMs = 500;
  await rig.clock.advance(5_000);
  assert.deepEqual(rig.ejections(), []);
});

test("gateway: a stopped engine that goes on comes back after its time and a good health answer", async () => {
  const rig = await twoHots();
  rig.engine(1).stop();
  sendMany(rig, 4);
  await rig.clock.advance(1_500);
  assert.deepEqual(rig.ejections(), ["gold-hot-1 silent"]);
  const before = rig.engine(1).work.length;
  sendMany(rig, 4);
  await rig.clock.advance(5_000);
  assert.equal(rig.engine(1).work.length, before);
  rig.engine(1).goOn();
  await rig.clock.advance(1_000 + SLOW_START_MS);
  sendMany(rig, 4);
  assert.equal(rig.engine(1).work.length, before + 2);
});

test("gateway: a new generation of a dead instance is used at once", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1)]));
  rig.engine(1).kill();
  const client = rig.chat();
  await rig.clock.advance(300);
  assert.equal(client.status, null, "held while nobody is ready");
  const table = rigTable([rigEndpoint(3, { uid: rigEndpoint(1).uid, generation: generation(2) })], { revision: 2 });
  rig.tell({ type: "table", table });
  await rig.clock.advance(500);
  assert.equal(client.wholeStream, WHOLE);
});

test("gateway: a held request is refused when nobody became ready in time", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1, { isReady: false })]));
  const client = rig.chat({ stream: false });
  await rig.clock.advance(14_900);
  assert.equal(client.status, null);
  await rig.clock.advance(200);
  assert.equal(client.status, 503);
  assert.match(client.text, /"code":"no_endpoint"/);
  assert.equal(client.header("retry-after"), "15");
});

test("gateway: when most endpoints of several nodes fall silent together it suspects itself and ejects nobody", async () => {
  const rig = new GatewayRig();
  const ports = [1, 2, 3, 4];
  const tables = ports.map((port) =>
    rigTable([rigEndpoint(port, { node: nodeName(`node-${port}`) })], {
      uid: uid(`s${port}`),
      service: serviceName(`s${port}`),
      models: [`m${port}`],
    }),
  );
  await rig.start(...tables);
  for (const port of ports) {
    rig.engine(port).stop();
    rig.chat({ model: `m${port}` });
    // Not all at one time: their requests began at different ones.
    await rig.clock.advance(60);
  }
  await rig.clock.advance(3_000);
  assert.deepEqual(rig.ejections(), []);
});

test("gateway: one node's loss takes all its endpoints, though they are most of those that owe", async () => {
  const rig = new GatewayRig();
  const hot = [1, 2, 3].map((port) => rigEndpoint(port, { node: nodeName(port === 3 ? "node-b" : "node-a") }));
  await rig.start(rigTable(hot));
  for (const port of [1, 2]) rig.engine(port).stop();
  const clients = sendMany(rig, 9);
  await rig.clock.advance(3_000);
  assert.deepEqual(rig.ejections().toSorted(), ["gold-hot-1 silent", "gold-hot-2 silent"]);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
});

test("gateway: an idle endpoint whose port is closed is found by the next claim", async () => {
  const rig = await twoHots();
  rig.engine(1).kill();
  await rig.clock.advance(5_100);
  assert.deepEqual(rig.ejections(), ["gold-hot-1 refused"]);
});

test("gateway: an engine that is full is no failure, and its request goes elsewhere", async () => {
  const rig = await twoHots();
  rig.engine(1).status = 429;
  const clients = sendMany(rig, 4);
  await rig.clock.advance(1_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  assert.deepEqual(rig.ejections(), []);
  rig.engine(2).status = 429;
  for (let count = 0; count < 4; count += 1) rig.chat();
  const last = rig.chat();
  await rig.clock.advance(1_000);
  assert.equal(last.status, 429);
  assert.equal(last.header("retry-after-ms"), "1000");
});

test("gateway: one answer reaches the client whatever the engines do", async () => {
  const rig = await twoHots();
  const clients = sendMany(rig, 20);
  await rig.clock.advance(60);
  rig.engine(1).stop();
  await rig.clock.advance(2_000);
  rig.engine(1).goOn();
  await rig.clock.advance(2_000);
  // The rig throws at a second head, a write after the end, and a second end.
  for (const client of clients) assert.equal(client.end_, "ended");
});

test("gateway: failing answers of every engine stay within the retry budget", async () => {
  const rig = await twoHots();
  for (const port of [1, 2]) rig.engine(port).status = 500;
  for (let round = 0; round < 100; round += 1) {
    rig.chat();
    await rig.clock.advance(20);
  }
  const calls = rig.engine(1).work.length + rig.engine(2).work.length;
  assert.ok(calls <= 100 + 0.1 * 100 + 3, `${calls} calls for 100 requests`);
  let out = 0;
  for (const { event } of rig.log) {
    if (event === "gateway.ejected") out += 1;
    if (event === "gateway.returned") out -= 1;
    assert.ok(out <= 1, "the panic floor keeps one");
  }
});

test("gateway: with all others dead an engine that is out for bad answers takes requests at once", async () => {
  const rig = await twoHots();
  rig.engine(1).status = 500;
  sendMany(rig, 10);
  await rig.clock.advance(400);
  assert.deepEqual(rig.ejections(), ["gold-hot-1 5xx"]);
  rig.engine(1).status = 200;
  rig.engine(2).kill();
  await rig.clock.advance(20);
  const client = rig.chat({ stream: false });
  await rig.clock.advance(400);
  assert.equal(client.status, 200);
  assert.equal(client.header("x-tidegate-instance"), "gold-hot-1");
});

test("gateway: connections that are refused do not use up the re-routes of a request", async () => {
  const rig = new GatewayRig();
  const dead = [1, 2, 3, 4];
  await rig.start(rigTable([...dead.map((port) => rigEndpoint(port)), rigEndpoint(5, { weight: 0 })]));
  const client = rig.chat();
  // After the request has gone: it meets them one after another.
  for (const port of dead) rig.engine(port).mode = "dead";
  await rig.clock.advance(1_000);
  assert.deepEqual([client.wholeStream, client.header("x-tidegate-attempts")], [WHOLE, "5"]);
});
