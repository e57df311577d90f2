import assert from "node:assert/strict";
import test from "node:test";
import type { DegradedStep } from "../api/hot-standby-config.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import { serviceName, tenantId, uid } from "../base/ids.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

const WHOLE = "t0 t1 t2 t3 t4 ";
const BIG = 1;
const SMALL = 5;
const QUEUE_THEN_MODEL: readonly DegradedStep[] = [{ kind: "queue", upToMs: 1_000 }, { kind: "model", name: "tide-1b" }, { kind: "shed" }];

const bigTable = (change: Partial<RouteTable> = {}): RouteTable => rigTable([rigEndpoint(BIG)], { degraded: QUEUE_THEN_MODEL, ...change });

function smallTable(endpoints: readonly RungEndpoint[], change: Partial<RouteTable> = {}): RouteTable {
  return rigTable(endpoints, { uid: uid("service-small"), service: serviceName("small"), models: ["tide-1b"], ...change });
}

/** The big model's only engine is dead, and known to be; the small one's lives. */
async function start(big: RouteTable, small: RouteTable): Promise<GatewayRig> {
  const rig = new GatewayRig();
  rig.engine(BIG).kill();
  await rig.start(big, small);
  // The first round of claims finds out.
  await rig.clock.advance(5_100);
  return rig;
}

/** The engine steps while it works on whole answers. */
async function work(rig: GatewayRig, port: number, forMs: number): Promise<void> {
  for (let passed = 0; passed < forMs; passed += 50) {
    rig.engine(port).steps += 1;
    await rig.clock.advance(50);
  }
}

const many = (rig: GatewayRig, count: number): RigClient[] => Array.from({ length: count }, () => rig.chat({ stream: false }));
const hasMetric = (rig: GatewayRig, line: string): boolean => rig.gateway.metricsText().split("\n").includes(line);

test("degraded: when the queue's time is over the named model answers, and the answer says so", async () => {
  const rig = await start(bigTable(), smallTable([rigEndpoint(SMALL)]));
  const client = rig.chat({ stream: false });
  await rig.clock.advance(990);
  assert.deepEqual([client.status, rig.engine(SMALL).work.length], [null, 0]);
  await rig.clock.advance(500);
  assert.equal(client.status, 200);
  assert.equal(client.header("x-tidegate-level"), "degraded");
  assert.equal(client.header("x-tidegate-model"), "tide-1b");
  assert.equal(client.header("x-tidegate-instance"), `gold-hot-${SMALL}`);
  const asked = Buffer.from(rig.engine(SMALL).work[0]?.body ?? []).toString("utf8");
  assert.equal(asked, '{"model":"tide-1b","stream":false,"messages":[{"role":"user","content":"hi"}]}');
  assert.ok(hasMetric(rig, 'tidegate_requests_total{tenant="tenant-gold",service="gold",outcome="degraded"} 1'));
  assert.ok(hasMetric(rig, 'tidegate_requests_degraded_total{service="gold",by="small"} 1'));
  assert.ok(hasMetric(rig, 'tidegate_attempts_total{service="gold",level="degraded",because="first"} 1'));
});

test("degraded: a stream whose head is out says in a comment which model answers", async () => {
  const big = bigTable({ degraded: [{ kind: "queue", upToMs: 3_000 }, { kind: "model", name: "tide-1b" }, { kind: "shed" }] });
  const rig = await start(big, smallTable([rigEndpoint(SMALL)]));
  const client = rig.chat();
  await rig.clock.advance(4_000);
  assert.equal(client.wholeStream, WHOLE);
  assert.ok(client.text.startsWith(": waiting for an instance\n\n: x-tidegate-level: degraded\n: x-tidegate-model: tide-1b\n\ndata: "));
});

test("degraded: its own model answers as soon as it is back", async () => {
  const rig = await start(bigTable(), smallTable([rigEndpoint(SMALL)]));
  const [first] = many(rig, 1);
  await rig.clock.advance(1_500);
  rig.engine(2);
  rig.tell({ type: "table", table: bigTable({ revision: 2, rungs: rigTable([rigEndpoint(2)]).rungs }) });
  const next = rig.chat({ stream: false });
  await rig.clock.advance(500);
  assert.equal(first?.header("x-tidegate-level"), "degraded");
  assert.deepEqual([next.header("x-tidegate-level"), next.header("x-tidegate-model")], ["hot", null]);
});

test("degraded: half of the other service's batch is lent, its own requests find the rest, and nobody is woken", async () => {
  const warm = rigEndpoint(6, { isReady: false, isAsleep: true, weight: 0 });
  const rungs: RouteTable["rungs"] = [
    { level: "hot", activation: { kind: "none" }, endpoints: [rigEndpoint(SMALL, { maxBatch: 8 })] },
    { level: "warm", activation: { kind: "wake" }, endpoints: [warm] },
  ];
  const rig = await start(bigTable(), smallTable([], { rungs, knownAnswer: "tide" }));
  rig.engine(6).isAsleep = true;
  rig.engine(SMALL).prefillMs = 5_000;
  const clients = many(rig, 10);
  await work(rig, SMALL, 1_500);
  assert.equal(rig.engine(SMALL).openCount, 4);
  assert.deepEqual(
    clients.map(({ status }) => status),
    [null, null, null, null, 503, 503, 503, 503, 503, 503],
  );
  const own = Array.from({ length: 4 }, () => rig.chat({ model: "tide-1b", stream: false }));
  await rig.clock.advance(10);
  assert.equal(rig.engine(SMALL).openCount, 8);
  await work(rig, SMALL, 8_000);
  assert.ok(own.every((client) => client.status === 200 && client.header("x-tidegate-level") === "hot"));
  assert.deepEqual([rig.engine(6).wakes, rig.engine(6).workWhileAsleep], [0, 0]);
});

test("degraded: two services that name each other and are both lost shed, without a loop", async () => {
  const rig = await start(
    bigTable(),
    smallTable([rigEndpoint(SMALL)], { degraded: [{ kind: "model", name: "tide-8b" }, { kind: "shed" }] }),
  );
  rig.engine(SMALL).kill();
  const big = rig.chat({ stream: false });
  const small = rig.chat({ model: "tide-1b", stream: false });
  await rig.clock.advance(3_000);
  for (const client of [big, small]) {
    assert.equal(client.status, 503);
    assert.match(client.text, /"code":"shed"/);
  }
  assert.ok(hasMetric(rig, 'tidegate_requests_shed_total{service="gold"} 1'));
  assert.ok(rig.engine(BIG).work.length + rig.engine(SMALL).work.length <= 4);
});

test("degraded: the sleeper of the other service is not woken for it", async () => {
  const asleep = rigEndpoint(SMALL, { isReady: false, isAsleep: true });
  const rungs: RouteTable["rungs"] = [{ level: "warm", activation: { kind: "wake" }, endpoints: [asleep] }];
  const rig = await start(bigTable(), smallTable([], { rungs, knownAnswer: "tide" }));
  rig.engine(SMALL).isAsleep = true;
  const [client] = many(rig, 1);
  await rig.clock.advance(3_000);
  assert.deepEqual([client?.status, rig.engine(SMALL).wakes, rig.engine(SMALL).work.length], [503, 0, 0]);
});

test("degraded: a model of another tenant is nobody's", async () => {
  const rig = await start(bigTable(), smallTable([rigEndpoint(SMALL)], { tenant: tenantId("tenant-other") }));
  const [client] = many(rig, 1);
  await rig.clock.advance(3_000);
  assert.deepEqual([client?.status, rig.engine(SMALL).work.length], [503, 0]);
});

test("degraded: a death before the first byte moves it on inside the other service, and with nobody left it is shed", async () => {
  const rig = await start(bigTable(), smallTable([rigEndpoint(SMALL), rigEndpoint(6)]));
  for (const port of [SMALL, 6]) rig.engine(port).prefillMs = 200;
  const client = rig.chat({ stream: false });
  await rig.clock.advance(1_100);
  const [first, second] = rig.engine(SMALL).openCount > 0 ? [SMALL, 6] : [6, SMALL];
  rig.engine(first).kill();
  await rig.clock.advance(50);
  assert.equal(rig.engine(second).openCount, 1);
  rig.engine(second).kill();
  await rig.clock.advance(500);
  assert.equal(client.status, 503);
  assert.match(client.text, /"code":"shed"/);
});

test("degraded: what the other model's engine calls wrong is shed, for its own model might take it", async () => {
  const rig = await start(bigTable(), smallTable([rigEndpoint(SMALL)]));
  rig.engine(SMALL).status = 400;
  const [client] = many(rig, 1);
  await rig.clock.advance(3_000);
  assert.equal(client?.status, 503);
  assert.match(client?.text ?? "", /"code":"shed"/);
  assert.equal(rig.engine(SMALL).work.length, 1);
});

test("degraded: a model before the queue is asked at once, and one without room again and again until the queue ends", async () => {
  const degraded: readonly DegradedStep[] = [{ kind: "model", name: "tide-1b" }, { kind: "queue", upToMs: 2_000 }, { kind: "shed" }];
  const rig = await start(bigTable({ degraded }), smallTable([rigEndpoint(SMALL, { maxBatch: 2 })]));
  rig.engine(SMALL).prefillMs = 700;
  const clients = many(rig, 4);
  await rig.clock.advance(100);
  assert.equal(rig.engine(SMALL).openCount, 1);
  await rig.clock.advance(5_000);
  assert.deepEqual(
    clients.map(({ status }) => status).toSorted((a, b) => Number(a) - Number(b)),
    [200, 200, 200, 503],
  );
});

test("degraded: the other service's token limit holds for its guests", async () => {
  const limits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null, maxTokens: 100 };
  const rig = await start(bigTable(), smallTable([rigEndpoint(SMALL)], { limits }));
  const [silent, modest, greedy] = [
    rig.chat({ stream: false }),
    rig.chat({ stream: false, max_tokens: 50 }),
    rig.chat({ stream: false, max_tokens: 101 }),
  ];
  await rig.clock.advance(2_000);
  assert.deepEqual([silent.status, modest.status, greedy.status], [200, 200, 503]);
  const asked = rig.engine(SMALL).work.map(({ body }) => Buffer.from(body ?? []).toString("utf8"));
  assert.deepEqual(
    asked.map((text) => /"max_tokens":(\d+)/.exec(text)?.[1]),
    ["100", "50"],
  );
});

test("degraded: another model's answer is no recovery of the service", async () => {
  const rig = new GatewayRig();
  await rig.start(bigTable(), smallTable([rigEndpoint(SMALL)]));
  const client = rig.chat({ stream: false });
  await rig.clock.advance(20);
  rig.engine(BIG).kill();
  await rig.clock.advance(3_000);
  assert.equal(client.header("x-tidegate-level"), "degraded");
  const told = rig.sentUp.filter((message) => message.type === "episode");
  assert.ok(told.length > 0);
  assert.deepEqual(
    told.map(({ service, to, lost }) => [service, to, lost]),
    told.map(() => ["gold", null, 0]),
  );
});
