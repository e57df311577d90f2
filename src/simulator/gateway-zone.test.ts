import assert from "node:assert/strict";
import test from "node:test";
import type { RouteTable, Rung, RungEndpoint } from "../api/route-table.ts";
import { nodeName, serviceName, uid } from "../base/ids.ts";
import { GatewayRig, rigEndpoint, rigTable } from "./gateway-rig.ts";

const WHOLE = "t0 t1 t2 t3 t4 ";
const ASLEEP = { isReady: false, isAsleep: true, weight: 0, node: nodeName("node-c") } as const;
const rung = (level: Rung["level"], kind: Rung["activation"]["kind"], endpoints: readonly RungEndpoint[]): Rung => ({
  level,
  activation: { kind },
  endpoints,
});

interface Ports {
  readonly hot: readonly number[];
  readonly warm: number;
}

function tableOf(tier: RouteTable["tier"], ports: Ports, warm: Partial<RungEndpoint> = ASLEEP, revision = 1): RouteTable {
  const hot = ports.hot.map((port) => rigEndpoint(port, { node: nodeName(`node-${port}`) }));
  const rungs = [rung("hot", "none", hot), rung("warm", "wake", [rigEndpoint(ports.warm, { ...ASLEEP, ...warm })])];
  return rigTable([], { uid: uid(`s-${tier}`), service: serviceName(tier), models: [tier], tier, rungs, knownAnswer: "tide", revision });
}

/** A service with hot instances at `hot`, and one that sleeps at `warm`, all sleepers behind one link. */
function service(rig: GatewayRig, tier: RouteTable["tier"], ports: Ports): RouteTable {
  rig.engine(ports.warm).isAsleep = true;
  return tableOf(tier, ports);
}

const woken = (rig: GatewayRig): readonly string[] =>
  rig.sentUp.filter((message) => message.type === "rung-activated").map((message) => `${message.service} ${message.outcome}`);

test("zone: a platinum service without a request is missed and woken before the gold one whose request met the loss", async () => {
  const rig = new GatewayRig();
  await rig.start(service(rig, "gold", { hot: [1], warm: 21 }), service(rig, "platinum", { hot: [2, 3], warm: 22 }));
  const gold = rig.chat({ model: "gold" });
  await rig.clock.advance(30);
  for (const port of [1, 2, 3]) rig.engine(port).kill();
  await rig.clock.advance(2_000);
  assert.deepEqual(woken(rig), ["platinum awake", "gold awake"]);
  assert.equal(gold.wholeStream, WHOLE);
  const platinum = rig.chat({ model: "platinum" });
  await rig.clock.advance(500);
  assert.deepEqual([platinum.wholeStream, platinum.header("x-tidegate-attempts")], [WHOLE, "1"]);
});

const PLATINUM: Ports = { hot: [2], warm: 22 };
const GOLD: Ports = { hot: [1], warm: 21 };
async function startTwo(): Promise<GatewayRig> {
  const rig = new GatewayRig();
  await rig.start(service(rig, "gold", GOLD), service(rig, "platinum", PLATINUM));
  return rig;
}

test("zone: a wake that the control plane began too goes on here, serves by its own proof, and keeps the cheaper one behind it", async () => {
  const rig = await startTwo();
  for (const port of [1, 2]) rig.engine(port).kill();
  rig.chat({ model: "gold" });
  const client = rig.chat({ model: "platinum" });
  await rig.clock.advance(100);
  assert.deepEqual([rig.engine(22).wakes, rig.engine(21).wakes], [1, 0]);
  rig.tell({ type: "table", table: tableOf("platinum", PLATINUM, { isAsleep: false, isWaking: true }, 2) });
  await rig.clock.advance(150);
  assert.deepEqual([rig.engine(21).wakes, woken(rig)], [0, []]);
  await rig.clock.advance(1_000);
  assert.deepEqual([woken(rig), client.wholeStream], [["platinum awake", "gold awake"], WHOLE]);
  assert.equal(rig.engine(22).workWhileAsleep, 0);
});

test("zone: what is woken by the control plane alone gets no request before it is Ready, and holds up nobody", async () => {
  const rig = await startTwo();
  for (const port of [1, 2]) rig.engine(port).kill();
  rig.tell({ type: "table", table: tableOf("platinum", PLATINUM, { isAsleep: false, isWaking: true }, 2) });
  rig.chat({ model: "platinum" });
  rig.chat({ model: "gold" });
  await rig.clock.advance(2_000);
  assert.deepEqual([woken(rig), rig.engine(22).wakes, rig.engine(22).workWhileAsleep], [["gold awake"], 0, 0]);
});

test("zone: a dearer wake does not wait for a cheaper one that hangs", async () => {
  const rig = await startTwo();
  rig.engine(21).wakeMs = 60_000;
  rig.engine(1).kill();
  rig.chat({ model: "gold" });
  await rig.clock.advance(500);
  assert.equal(rig.engine(21).wakes, 1);
  rig.engine(2).kill();
  rig.chat({ model: "platinum" });
  await rig.clock.advance(1_000);
  assert.deepEqual(woken(rig), ["platinum awake"]);
});

test("zone: a service that keeps somebody wakes nobody when one of its engines dies", async () => {
  const rig = new GatewayRig();
  await rig.start(service(rig, "platinum", { hot: [2, 3], warm: 22 }));
  rig.chat({ model: "platinum" });
  await rig.clock.advance(30);
  rig.engine(2).kill();
  await rig.clock.advance(3_000);
  assert.deepEqual([woken(rig), rig.engine(22).wakes], [[], 0]);
});

test("zone: after deaths the others are asked a few times, however many die", async () => {
  const rig = new GatewayRig();
  const ports = Array.from({ length: 20 }, (_, index) => index + 1);
  await rig.start(rigTable(ports.map((port) => rigEndpoint(port))));
  // Clear of the rounds in which engines are claimed.
  await rig.clock.advance(1_000);
  const asked = (): number => rig.engine(20).requests.filter(({ target }) => target === "/health").length;
  const before = asked();
  for (let sent = 0; sent < 60; sent += 1) rig.chat({});
  await rig.clock.advance(30);
  for (const port of ports.slice(0, 10)) rig.engine(port).kill();
  await rig.clock.advance(1);
  assert.equal(asked() - before, 1);
  await rig.clock.advance(600);
  assert.ok(asked() - before >= 3 && asked() - before <= 7, `${asked() - before} times`);
});

test("zone: the waits of one request count together, and the time that it ran does not", async () => {
  const rig = new GatewayRig();
  const degraded = [{ kind: "queue", upToMs: 1_000 }, { kind: "shed" }] as const;
  await rig.start(rigTable([], { degraded }));
  const client = rig.chat({ stream: false });
  await rig.clock.advance(600);
  rig.engine(1).prefillMs = 5_000;
  rig.tell({ type: "table", table: rigTable([rigEndpoint(1)], { degraded, revision: 2 }) });
  await rig.clock.advance(1_000);
  assert.equal(rig.engine(1).openCount, 1);
  rig.engine(1).kill();
  await rig.clock.advance(340);
  assert.equal(client.status, null);
  await rig.clock.advance(120);
  assert.equal(client.status, 503);
  assert.match(client.text, /"code":"shed"/);
});

test("zone: an engine that dies a moment after its sibling is missed within tens of milliseconds", async () => {
  const rig = new GatewayRig();
  await rig.start(service(rig, "platinum", { hot: [2, 3], warm: 22 }));
  const client = rig.chat({ model: "platinum" });
  await rig.clock.advance(30);
  const busy = rig.engine(2).work.length === 1 ? 2 : 3;
  rig.engine(busy).kill();
  await rig.clock.advance(5);
  const other = rig.engine(5 - busy);
  // It died without a request in hand: the moved one is refused by the next look, not by a wait.
  other.kill();
  await rig.clock.advance(60);
  assert.equal(rig.engine(22).wakes, 1);
  await rig.clock.advance(2_000);
  assert.equal(client.wholeStream, WHOLE);
});
