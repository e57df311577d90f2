import assert from "node:assert/strict";
import test from "node:test";
import type { Rung, RouteTable } from "../api/route-table.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

const WHOLE = "t0 t1 t2 t3 t4 ";
const WARM = 9;

const warmRung = (change: Partial<Parameters<typeof rigEndpoint>[1]> = {}): Rung => ({
  level: "warm",
  activation: { kind: "none" },
  endpoints: [rigEndpoint(WARM, { weight: 0, ...change })],
});

/** Two hot instances that take `maxBatch` each, and one warm. */
function mirrored(change: Partial<RouteTable> = {}, maxBatch = 64): RouteTable {
  const hot: Rung = { level: "hot", activation: { kind: "none" }, endpoints: [1, 2].map((port) => rigEndpoint(port, { maxBatch })) };
  return rigTable([], { mirrorPercent: 10, rungs: [hot, warmRung()], ...change });
}

async function startMirrored(table: RouteTable): Promise<GatewayRig> {
  const rig = new GatewayRig();
  for (const port of [1, 2, WARM]) rig.engine(port);
  await rig.start(table);
  return rig;
}

const copiesOf = (rig: GatewayRig): number => rig.engine(WARM).work.length;

/** Value of one series of the gateway's metrics page; 0 = it is not there. */
const metricOf = (rig: GatewayRig, series: string): number =>
  Number(
    rig.gateway
      .metricsText()
      .split("\n")
      .find((line) => line.startsWith(`${series} `))
      ?.split(" ")
      .at(-1) ?? 0,
  );

const outcome = (rig: GatewayRig, name: string): number =>
  metricOf(rig, `tidegate_mirrored_requests_total{service="gold",outcome="${name}"}`);

test("mirror: of 2,000 requests one in ten is copied, within one at every prefix", async () => {
  const rig = await startMirrored(mirrored());
  const clients: RigClient[] = [];
  for (let count = 1; count <= 2_000; count += 1) {
    clients.push(rig.chat({ stream: count % 3 > 0 }));
    assert.ok(Math.abs(copiesOf(rig) - count / 10) <= 1, `${copiesOf(rig)} copies of ${count}`);
    await rig.clock.advance(10);
  }
  await rig.clock.advance(1_000);
  assert.equal(copiesOf(rig), 200);
  assert.equal(outcome(rig, "ok"), 200);
  for (const client of clients) assert.equal(client.header("x-tidegate-level"), "hot");
});

/** What a tenant sees and pays with or without a mirror. */
async function tenantView(mirrorPercent: number): Promise<unknown> {
  const rig = await startMirrored(mirrored({ mirrorPercent }));
  const clients = Array.from({ length: 30 }, (_, index) => rig.chat({ stream: index % 2 === 0 }));
  await rig.clock.advance(3_000);
  const counts = rig.sentUp.filter((message) => message.type === "counts").at(-1);
  const seen = clients.map((client) => [
    client.status,
    client.text,
    client.firstByteAt,
    client.endedAt,
    client.header("x-tidegate-instance"),
  ]);
  return { counts, seen };
}

test("mirror: a tenant's answers, their times and the usage are those of a service without a mirror", async () => {
  assert.deepEqual(await tenantView(100), await tenantView(0));
});

test("mirror: the copy has the same body under a name of its own", async () => {
  const rig = await startMirrored(mirrored({ mirrorPercent: 100 }));
  rig.chat();
  const real = [...rig.engine(1).work, ...rig.engine(2).work][0];
  const copy = rig.engine(WARM).work[0];
  const added = ',"return_token_ids":true,"stream_options":{"include_usage":true}}';
  const asked = Buffer.from(real?.body ?? []).toString("utf8");
  assert.ok(asked.endsWith(added), "of the real one the gateway asks more");
  assert.equal(Buffer.from(copy?.body ?? []).toString("utf8"), asked.replace(added, "}"));
  assert.equal(copy?.headers[5], real?.headers[5]?.replace(/-1$/, "-mirror"));
});

test("mirror: at most an eighth of the warm's batch is open at once, the rest is skipped", async () => {
  const rig = await startMirrored(mirrored({ mirrorPercent: 100 }));
  for (let count = 0; count < 20; count += 1) rig.chat();
  assert.equal(copiesOf(rig), 8);
  await rig.clock.advance(1_000);
  assert.equal(outcome(rig, "skipped"), 12);
  rig.chat();
  assert.equal(copiesOf(rig), 9);
});

test("mirror: an overflow to the warm ends its copies in the same turn", async () => {
  const rig = await startMirrored(mirrored({ mirrorPercent: 100 }, 4));
  const clients = Array.from({ length: 8 }, () => rig.chat());
  const copies = copiesOf(rig);
  assert.ok(copies > 0);
  for (let count = 0; count < 4; count += 1) clients.push(rig.chat());
  assert.equal(rig.engine(WARM).aborts, copies);
  assert.equal(outcome(rig, "aborted"), copies);
  const open = rig.engine(WARM).openCount;
  assert.ok(open > 0, "real requests run there");
  clients.push(rig.chat());
  assert.equal(rig.engine(WARM).aborts, copies, "nothing is copied to an endpoint that serves");
  await rig.clock.advance(1_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
});

test("mirror: while real requests run on the warm, requests of the hot are not copied there", async () => {
  const rig = await startMirrored(mirrored({ mirrorPercent: 100 }, 1));
  rig.engine(WARM).tokenCount = 100;
  for (let count = 0; count < 3; count += 1) rig.chat();
  await rig.clock.advance(500);
  assert.deepEqual([rig.engine(1).openCount, rig.engine(2).openCount, rig.engine(WARM).openCount], [0, 0, 1]);
  const before = copiesOf(rig);
  rig.chat();
  assert.equal(copiesOf(rig), before);
  await rig.clock.advance(3_000);
  rig.chat();
  assert.equal(copiesOf(rig), before + 1);
});

test("mirror: a failover to the warm ends its copies, and nobody waits for them", async () => {
  const rig = await startMirrored(mirrored({ mirrorPercent: 100 }));
  const clients = Array.from({ length: 6 }, () => rig.chat());
  await rig.clock.advance(20);
  rig.engine(1).kill();
  rig.engine(2).kill();
  assert.equal(rig.engine(WARM).aborts, 6);
  await rig.clock.advance(1_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
});

for (const { name, change } of [
  { name: "is not Ready any more", change: { rungs: [mirrored().rungs[0] ?? warmRung(), warmRung({ isReady: false })] } },
  { name: "is asleep", change: { rungs: [mirrored().rungs[0] ?? warmRung(), warmRung({ isReady: false, isAsleep: true })] } },
  { name: "serves its service", change: { serveFrom: "warm" } },
  { name: "takes no mirror", change: { mirrorPercent: 0 } },
] satisfies readonly { name: string; change: Partial<RouteTable> }[]) {
  test(`mirror: a table by which the warm ${name} ends its copies`, async () => {
    const rig = await startMirrored(mirrored({ mirrorPercent: 100 }));
    rig.chat();
    await rig.clock.advance(10);
    assert.equal(rig.engine(WARM).openCount, 1);
    rig.tell({ type: "table", table: mirrored({ mirrorPercent: 100, revision: 2, ...change }) });
    assert.equal(rig.engine(WARM).aborts, 1);
    assert.equal(copiesOf(rig), 1);
  });
}

test("mirror: a warm that refuses its copy is ejected, and the client sees nothing of it", async () => {
  const rig = await startMirrored(mirrored({ mirrorPercent: 100 }));
  rig.engine(WARM).kill();
  const clients = [rig.chat(), rig.chat({ stream: false })];
  await rig.clock.advance(1_000);
  assert.deepEqual(rig.ejections(), [`gold-hot-${WARM} refused`]);
  for (const client of clients) assert.equal(client.header("x-tidegate-attempts"), "1");
  const before = copiesOf(rig);
  rig.chat();
  assert.equal(copiesOf(rig), before, "an ejected endpoint takes no copies");
});

test("mirror: a warm that is silent under its copies is found like any other", async () => {
  const rig = await startMirrored(mirrored({ mirrorPercent: 100 }));
  rig.engine(WARM).stop();
  const client = rig.chat();
  await rig.clock.advance(2_000);
  assert.deepEqual(rig.ejections(), [`gold-hot-${WARM} silent`]);
  assert.equal(client.wholeStream, WHOLE);
  assert.equal(outcome(rig, "failed"), 1);
});

test("mirror: a copy that is never answered ends after a minute", async () => {
  const rig = await startMirrored(mirrored({ mirrorPercent: 100 }));
  rig.engine(WARM).prefillMs = 300_000;
  for (let count = 0; count < 3; count += 1) rig.chat({ stream: false });
  for (let step = 0; step < 610; step += 1) {
    // It works for others meanwhile, so that nobody calls it hung.
    rig.engine(WARM).steps += 1;
    await rig.clock.advance(100);
  }
  assert.equal(outcome(rig, "aborted"), 3);
  assert.equal(rig.engine(WARM).openCount, 0);
});
