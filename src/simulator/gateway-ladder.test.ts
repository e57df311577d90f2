import assert from "node:assert/strict";
import test from "node:test";
import type { RouteTable, Rung, RungEndpoint } from "../api/route-table.ts";
import { epoch, generation, nodeName, serviceName, uid } from "../base/ids.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

const WHOLE = "t0 t1 t2 t3 t4 ";
const WARM = 9;
const ASLEEP = { isReady: false, isAsleep: true, weight: 0 } as const;

const rung = (level: Rung["level"], kind: Rung["activation"]["kind"], endpoints: readonly RungEndpoint[]): Rung => ({
  level,
  activation: { kind },
  endpoints,
});

/** Two hot instances over one warm. */
function ladder(warm: Partial<RungEndpoint> = ASLEEP, change: Partial<RouteTable> = {}, maxBatch = 64): RouteTable {
  const hot = rung("hot", "none", [rigEndpoint(1, { maxBatch }), rigEndpoint(2, { maxBatch })]);
  const warmRung = rung("warm", warm.isAsleep === true ? "wake" : "none", [rigEndpoint(WARM, { weight: 0, maxBatch, ...warm })]);
  return rigTable([], { rungs: [hot, warmRung], knownAnswer: "tide", ...change });
}

async function startLadder(table: RouteTable): Promise<GatewayRig> {
  const rig = new GatewayRig();
  rig.engine(WARM).isAsleep = table.rungs.some((one) => one.endpoints.some((endpoint) => endpoint.isAsleep));
  await rig.start(table);
  return rig;
}

function killHots(rig: GatewayRig): void {
  rig.engine(1).kill();
  rig.engine(2).kill();
}

const many = (rig: GatewayRig, count: number, stream = true): RigClient[] => Array.from({ length: count }, () => rig.chat({ stream }));
const activations = (rig: GatewayRig): string[] =>
  rig.sentUp.filter((message) => message.type === "rung-activated").map((message) => `${message.because} ${message.outcome}`);

test("ladder: with both hot instances dead a resident warm takes every request", async () => {
  const rig = await startLadder(ladder({ weight: 0 }));
  const clients = many(rig, 10);
  await rig.clock.advance(30);
  killHots(rig);
  await rig.clock.advance(1_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  assert.ok(clients.every((client) => client.header("x-tidegate-level") === "warm"));
  assert.deepEqual(activations(rig), []);
});

test("ladder: with both hot instances dead a sleeping warm is woken once, verified, and serves who waited", async () => {
  const rig = await startLadder(ladder());
  const clients = [...many(rig, 10), ...many(rig, 4, false)];
  await rig.clock.advance(30);
  killHots(rig);
  await rig.clock.advance(2_000);
  for (const client of clients.slice(0, 10)) assert.equal(client.wholeStream, WHOLE);
  for (const client of clients.slice(10)) assert.match(client.text, /"content":"whole"/);
  assert.equal(rig.engine(WARM).wakes, 1);
  assert.equal(rig.engine(WARM).workWhileAsleep, 0);
  assert.deepEqual(activations(rig), ["lost awake"]);
  assert.match(rig.gateway.metricsText(), /tidegate_gateway_wakes_total\{service="gold",because="lost",outcome="awake"\} 1/);
});

test("ladder: a wake with a wrong known answer never serves anybody and is not tried again", async () => {
  const rig = await startLadder(ladder());
  rig.engine(WARM).knownAnswer = "!!!!";
  const clients = many(rig, 5, false);
  await rig.clock.advance(30);
  killHots(rig);
  await rig.clock.advance(20_000);
  assert.deepEqual(activations(rig), ["lost failed"]);
  assert.equal(rig.engine(WARM).wakes, 1);
  assert.deepEqual(rig.engine(WARM).work, []);
  for (const client of clients) assert.equal(client.status, 503);
});

test("ladder: a wake that does not end within its budget is a failed one", async () => {
  const rig = await startLadder(ladder(ASLEEP, { rtoTargetMs: 5_000 }));
  rig.engine(WARM).wakeMs = 60_000;
  killHots(rig);
  rig.chat();
  await rig.clock.advance(2_900);
  assert.deepEqual(activations(rig), []);
  await rig.clock.advance(200);
  assert.deepEqual(activations(rig), ["lost failed"]);
});

const unwoken: readonly { readonly name: string; readonly change: Partial<RouteTable> }[] = [
  { name: "held grants", change: { grants: { descent: "held", movesLeft: 0 } } },
  { name: "no moves left", change: { grants: { descent: "automatic", movesLeft: 0 } } },
  { name: "no known answer", change: { knownAnswer: null } },
];
for (const { name, change } of unwoken) {
  test(`ladder: with ${name} nobody is woken`, async () => {
    const rig = await startLadder(ladder(ASLEEP, change));
    killHots(rig);
    const client = rig.chat({ stream: false });
    await rig.clock.advance(20_000);
    assert.equal(rig.engine(WARM).wakes, 0);
    assert.equal(client.status, 503);
  });
}

test("ladder: a failed wake leaves no second move under an epoch that granted one", async () => {
  const rig = await startLadder(ladder(ASLEEP, { grants: { descent: "automatic", movesLeft: 1 } }));
  rig.engine(WARM).knownAnswer = "!!!!";
  killHots(rig);
  rig.chat();
  await rig.clock.advance(3_000);
  const again = (change: Partial<RouteTable>): RouteTable => {
    rig.engine(10).isAsleep = true;
    const grants = { descent: "automatic", movesLeft: 1 } as const;
    return ladder({ ...ASLEEP, address: { host: "127.0.0.1", port: 10 }, generation: generation(2) }, { grants, ...change });
  };
  rig.tell({ type: "table", table: again({ revision: 2 }) });
  await rig.clock.advance(1_000);
  assert.equal(rig.engine(10).wakes, 0);
  rig.tell({ type: "table", table: again({ epoch: epoch(2) }) });
  await rig.clock.advance(1_000);
  assert.equal(rig.engine(10).wakes, 1);
});

test("ladder: saturated hot instances wake the warm for overflow, and new requests go back when they ebb", async () => {
  const rig = await startLadder(ladder(ASLEEP, {}, 4));
  const crowd = many(rig, 12);
  await rig.clock.advance(500);
  assert.deepEqual(activations(rig), ["saturated awake"]);
  const before = rig.engine(WARM).work.length;
  for (const engine of [1, 2]) rig.engine(engine).tokenCount = 500;
  many(rig, 12);
  assert.ok(rig.engine(WARM).work.length > before, "overflow goes to the woken warm");
  await rig.clock.advance(30_000);
  const after = rig.engine(WARM).work.length;
  many(rig, 2);
  await rig.clock.advance(100);
  assert.equal(rig.engine(WARM).work.length, after);
  for (const client of crowd) assert.equal(client.wholeStream, WHOLE);
});

test("ladder: the rung that traffic belongs to is tried before a better one that came back", async () => {
  const rig = await startLadder(ladder({ weight: 0 }, { serveFrom: "warm" }));
  const clients = many(rig, 4);
  await rig.clock.advance(1_000);
  assert.ok(clients.every((client) => client.header("x-tidegate-level") === "warm"));
  rig.engine(WARM).kill();
  const next = rig.chat();
  await rig.clock.advance(1_000);
  assert.equal(next.header("x-tidegate-level"), "hot");
});

test("ladder: shedding says when to come back", async () => {
  const rig = await startLadder(ladder(ASLEEP, { knownAnswer: null, degraded: [{ kind: "queue", upToMs: 1_000 }, { kind: "shed" }] }));
  rig.tell({ type: "table", table: rigTable([], { revision: 2, degraded: [{ kind: "queue", upToMs: 1_000 }, { kind: "shed" }] }) });
  const client = rig.chat();
  await rig.clock.advance(900);
  assert.equal(client.status, null);
  await rig.clock.advance(150);
  assert.equal(client.status, 503);
  assert.match(client.text, /"code":"shed"/);
  assert.equal(client.header("x-should-retry"), "true");
  assert.equal(client.header("retry-after"), "15");
  assert.match(rig.gateway.metricsText(), /tidegate_requests_shed_total\{service="gold"\} 1/);
});

test("ladder: a service that sheds at once still waits for the wake that is on its way", async () => {
  const rig = await startLadder(ladder(ASLEEP, { degraded: [{ kind: "shed" }] }));
  const clients = many(rig, 4);
  await rig.clock.advance(30);
  killHots(rig);
  await rig.clock.advance(1_500);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
});

test("ladder: a stream that waits is kept open by comments and ends by an error event", async () => {
  const rig = await startLadder(rigTable([]));
  const client = rig.chat();
  await rig.clock.advance(1_900);
  assert.equal(client.status, null);
  await rig.clock.advance(150);
  assert.equal(client.status, 200);
  assert.equal(client.text, ": waiting for an instance\n\n");
  await rig.clock.advance(10_000);
  assert.equal(client.text, ": waiting for an instance\n\n".repeat(3));
  await rig.clock.advance(5_000);
  assert.match(client.text, /\n\ndata: \{"error":\{[^\n]*"code":"no_endpoint"\}\}\n\n$/);
  assert.ok(!client.text.includes("[DONE]"));
  assert.equal(client.end_, "ended");
});

test("ladder: a stream with comments is still served whole, and a client that goes ends them", async () => {
  const rig = await startLadder(rigTable([]));
  const [stays, goes] = [rig.chat(), rig.chat()];
  await rig.clock.advance(3_000);
  goes.events?.gone();
  const before = goes.text;
  rig.tell({ type: "table", table: rigTable([rigEndpoint(1)], { revision: 2 }) });
  await rig.clock.advance(8_000);
  assert.equal(stays.wholeStream, WHOLE);
  assert.equal(goes.text, before);
});

test("ladder: a woken instance is out again when a table no longer calls it asleep, and its report is repeated until then", async () => {
  const rig = await startLadder(ladder());
  killHots(rig);
  rig.chat();
  await rig.clock.advance(1_000);
  rig.tell({ type: "synced" });
  assert.deepEqual(activations(rig), ["lost awake", "lost awake"]);
  const hotGone = ladder({ isReady: false, weight: 0 }, { revision: 2 });
  rig.tell({ type: "table", table: hotGone }, { type: "synced" });
  assert.equal(activations(rig).length, 2);
  const before = rig.engine(WARM).work.length;
  rig.chat();
  await rig.clock.advance(1_000);
  assert.equal(rig.engine(WARM).work.length, before);
});

test("ladder: wakes over one node's link go in tier order, the next when the one before is done", async () => {
  const rig = new GatewayRig();
  const tiers = ["silver", "gold", "platinum"] as const;
  const tables = tiers.map((tier, index) => {
    rig.engine(20 + index).isAsleep = true;
    const hot = rung("hot", "none", [rigEndpoint(10 + index)]);
    const warm = rung("warm", "wake", [rigEndpoint(20 + index, { ...ASLEEP, node: nodeName("node-a") })]);
    const names = { uid: uid(`s-${tier}`), service: serviceName(tier), models: [tier] };
    return rigTable([], { ...names, tier, rungs: [hot, warm], knownAnswer: "tide" });
  });
  await rig.start(...tables);
  for (const port of [10, 11, 12]) rig.engine(port).kill();
  const clients = tiers.map((tier) => rig.chat({ model: tier }));
  await rig.clock.advance(3_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  const order = rig.sentUp.filter((message) => message.type === "rung-activated").map((message) => message.service);
  assert.deepEqual(order, ["platinum", "gold", "silver"]);
});

test("ladder: with the control plane away from the start a gateway wakes by its memory's grants, and tells it later", async () => {
  const first = await startLadder(ladder());
  await first.clock.advance(100);
  const rig = new GatewayRig(first.saved);
  rig.engine(WARM).isAsleep = true;
  await rig.gateway.load();
  rig.gateway.start({ host: "127.0.0.1", port: 8080 });
  killHots(rig);
  const clients = many(rig, 6);
  await rig.clock.advance(2_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  assert.equal(rig.engine(WARM).wakes, 1);
  const before = activations(rig).length;
  rig.tell({ type: "welcome", stateId: "state-1" }, { type: "table", table: ladder() }, { type: "synced" });
  assert.equal(activations(rig).length, before + 1);
});

test("ladder: a gateway that suspects itself wakes nobody", async () => {
  const rig = new GatewayRig();
  const ports = [1, 2, 3, 4];
  const tables = ports.map((port) => {
    const node = nodeName(`node-${port}`);
    rig.engine(20 + port).isAsleep = true;
    const rungs = [
      rung("hot", "none", [rigEndpoint(port, { node, maxBatch: 1 })]),
      rung("warm", "wake", [rigEndpoint(20 + port, { ...ASLEEP, node })]),
    ];
    return rigTable([], { uid: uid(`s${port}`), service: serviceName(`s${port}`), models: [`m${port}`], rungs, knownAnswer: "tide" });
  });
  await rig.start(...tables);
  for (const port of ports) {
    rig.engine(port).stop();
    rig.chat({ model: `m${port}` });
  }
  await rig.clock.advance(1_000);
  // Their one place is taken, so the next request would wake for overflow.
  for (const port of ports) rig.chat({ model: `m${port}` });
  await rig.clock.advance(500);
  assert.deepEqual(rig.ejections(), []);
  assert.deepEqual(
    ports.map((port) => rig.engine(20 + port).wakes),
    [0, 0, 0, 0],
  );
});

test("ladder: while traffic returns hot takes its share of new requests, which is counted apart", async () => {
  const rig = await startLadder(ladder({ weight: 0 }, { serveFrom: "warm", returnPercent: 25 }));
  const clients = many(rig, 40);
  await rig.clock.advance(2_000);
  const levels = clients.map((client) => client.header("x-tidegate-level"));
  assert.deepEqual([levels.filter((level) => level === "hot").length, levels.filter((level) => level === "warm").length], [10, 30]);
  const returned = rig.sentUp.flatMap((message) => (message.type === "counts" ? (message.services[0]?.returned ?? []) : []));
  assert.deepEqual([returned[0]?.requests, returned[0]?.failed], [10, 0]);
  assert.ok((returned[0]?.firstTokenP99Ms ?? 0) > 0);
});

test("ladder: hot that dies while traffic returns loses no request, and its failures are counted", async () => {
  const rig = await startLadder(ladder({ weight: 0 }, { serveFrom: "warm", returnPercent: 50 }));
  const clients = many(rig, 20);
  await rig.clock.advance(30);
  killHots(rig);
  await rig.clock.advance(2_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  const next = rig.chat();
  await rig.clock.advance(1_000);
  assert.equal(next.header("x-tidegate-level"), "warm");
  const returned = rig.sentUp.flatMap((message) => (message.type === "counts" ? (message.services[0]?.returned ?? []) : []));
  assert.equal(returned.at(-1)?.failed, 10);
});

test("ladder: a wake that fails while no engine is heard is not held against the sleeper", async () => {
  const rig = await startLadder(ladder(ASLEEP, {}, 1));
  // Both hot engines are full, so the third request wakes; then nobody is heard any more.
  many(rig, 3);
  await rig.clock.advance(1);
  for (const engine of rig.engines.values()) engine.stop();
  await rig.clock.advance(20_000);
  assert.deepEqual(activations(rig), []);
  const told = rig.log.map(({ event }) => event).filter((event) => event.startsWith("gateway.wake"));
  assert.deepEqual([...new Set(told)], ["gateway.wake-begun", "gateway.wake-dismissed"]);
  assert.deepEqual(rig.ejections(), []);
});
