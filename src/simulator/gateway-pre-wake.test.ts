import assert from "node:assert/strict";
import test from "node:test";
import type { RouteTable, Rung, RungEndpoint } from "../api/route-table.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

const WHOLE = "t0 t1 t2 t3 t4 ";
const WARM = 9;
const ASLEEP = { isReady: false, isAsleep: true, weight: 0 } as const;

/** One hot instance over one warm that sleeps. */
function ladder(warm: Partial<RungEndpoint> = ASLEEP, change: Partial<RouteTable> = {}): RouteTable {
  const rung = (level: Rung["level"], kind: Rung["activation"]["kind"], endpoints: readonly RungEndpoint[]): Rung => ({
    level,
    activation: { kind },
    endpoints,
  });
  const rungs = [rung("hot", "none", [rigEndpoint(1)]), rung("warm", "wake", [rigEndpoint(WARM, { weight: 0, ...warm })])];
  return rigTable([], { rungs, knownAnswer: "tide", ...change });
}

async function startLadder(change: Partial<RouteTable> = {}): Promise<GatewayRig> {
  const rig = new GatewayRig();
  rig.engine(WARM).isAsleep = true;
  rig.engine(WARM).wakeMs = 400;
  await rig.start(ladder(ASLEEP, change));
  return rig;
}

const activations = (rig: GatewayRig): string[] =>
  rig.sentUp.filter((message) => message.type === "rung-activated").map((message) => `${message.because} ${message.outcome}`);

/** What stands still for so long and goes on: nobody is lost. */
async function scare(rig: GatewayRig, forMs: number): Promise<RigClient> {
  const client = rig.chat();
  await rig.clock.advance(60);
  rig.engine(1).mode = "hung";
  await rig.clock.advance(forMs);
  rig.engine(1).goOn();
  await rig.clock.advance(1_500);
  return client;
}

/** As the control plane does it after an overflow: out of the table first, asleep then. */
async function putToSleep(rig: GatewayRig, revision = 2): Promise<void> {
  rig.tell({ type: "table", table: ladder({ ...ASLEEP, isAsleep: false }, { revision }) });
  await rig.clock.advance(100);
  rig.engine(WARM).isAsleep = true;
  rig.tell({ type: "table", table: ladder(ASLEEP, { revision: revision + 1 }) });
  await rig.clock.advance(100);
}

async function recoveryMs(rig: GatewayRig): Promise<number> {
  const client = rig.chat({ stream: false });
  await rig.clock.advance(10);
  rig.engine(1).mode = "hung";
  const sinceMs = rig.clock.monotonicMs();
  for (let step = 0; client.status === null && step < 500; step += 1) await rig.clock.advance(10);
  assert.equal(client.status, 200);
  return rig.clock.monotonicMs() - sinceMs;
}

test("pre-wake: a hang is got over sooner by the whole wake, for the sleeper is woken at the first signal of two", async () => {
  const ahead = await startLadder();
  const aheadMs = await recoveryMs(ahead);
  assert.deepEqual(activations(ahead), ["suspected awake"]);

  const late = await startLadder();
  await scare(late, 1_200);
  await putToSleep(late);
  // A minute is not over: the second suspicion wakes nobody, and the loss pays for the wake.
  const lateMs = await recoveryMs(late);
  assert.deepEqual(activations(late), ["suspected awake", "lost awake"]);
  assert.ok(lateMs - aheadMs >= 400, `with ${aheadMs} ms, without ${lateMs} ms`);
});

test("pre-wake: a suspicion that goes away costs one wake a minute, takes no request from hot, and begins no move", async () => {
  const rig = await startLadder({ grants: { descent: "automatic", movesLeft: 1 } });
  const client = await scare(rig, 1_200);
  assert.equal(client.wholeStream, WHOLE);
  assert.deepEqual([activations(rig), rig.engine(WARM).wakes, rig.engine(WARM).work.length], [["suspected awake"], 1, 0]);
  assert.match(rig.gateway.metricsText(), /tidegate_gateway_wakes_total\{service="gold",because="suspected",outcome="awake"\} 1/);
  const next = rig.chat();
  await rig.clock.advance(500);
  assert.equal(next.header("x-tidegate-level"), "hot");
  await putToSleep(rig);
  await scare(rig, 1_200);
  assert.equal(rig.engine(WARM).wakes, 1);
  await rig.clock.advance(60_000);
  await scare(rig, 1_200);
  assert.equal(rig.engine(WARM).wakes, 2);
  await putToSleep(rig, 4);
  rig.engine(1).kill();
  rig.chat();
  await rig.clock.advance(2_000);
  assert.equal(activations(rig).at(-1), "lost awake", "the one move that was granted is left");
});

const unwoken: readonly { readonly name: string; readonly change: Partial<RouteTable> }[] = [
  { name: "under Hold", change: { grants: { descent: "held", movesLeft: 0 } } },
  { name: "without a move left", change: { grants: { descent: "automatic", movesLeft: 0 } } },
  { name: "without a known answer", change: { knownAnswer: null } },
];
for (const { name, change } of unwoken) {
  test(`pre-wake: ${name} a suspicion wakes nobody`, async () => {
    const rig = await startLadder(change);
    await scare(rig, 1_200);
    assert.deepEqual([rig.engine(WARM).wakes, activations(rig)], [0, []]);
  });
}

test("pre-wake: a gateway that hears nobody at all wakes nobody on suspicion", async () => {
  const rig = await startLadder();
  const client = rig.chat();
  await rig.clock.advance(60);
  rig.engine(1).stop();
  rig.engine(WARM).stop();
  await rig.clock.advance(3_000);
  rig.engine(1).goOn();
  rig.engine(WARM).goOn();
  await rig.clock.advance(2_000);
  assert.deepEqual([rig.engine(WARM).wakes, activations(rig), client.wholeStream], [0, [], WHOLE]);
});
