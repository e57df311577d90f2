import assert from "node:assert/strict";
import test from "node:test";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { GB } from "../base/bytes.ts";
import type { Random } from "../ports/random.ts";
import { createEngine } from "./engine-handler.ts";
import { ENGINE_DEFAULTS } from "./engine-options.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";
import { createSimulatedNetwork, type SimulatedNetwork } from "./network.ts";

// The real gateway and the real simulated engines over the simulated network: small engines, so that full load is few requests.
const MAX_BATCH = 8;
const PROFILE = { ...ENGINE_DEFAULTS.profile, maxBatch: MAX_BATCH };
/** Answers of 72 tokens on average, a step of 8.4 ms. */
const CAPACITY_PER_SECOND = (2 * MAX_BATCH * 1_000) / 8.4 / 72;

interface LoadWorld {
  readonly rig: GatewayRig;
  readonly network: SimulatedNetwork;
  readonly random: Random;
}

async function startLoadWorld(seed: number): Promise<LoadWorld> {
  const random = createSeededRandom(seed);
  let network: SimulatedNetwork | null = null;
  const rig = new GatewayRig(null, (clock) => {
    network = createSimulatedNetwork(clock, createSeededRandom(`${seed}/network`));
    return network.upstreamOf("gateway");
  });
  assert.ok(network !== null);
  const made: SimulatedNetwork = network;
  for (const port of [1, 2]) {
    const engine = createEngine(
      {
        ...ENGINE_DEFAULTS,
        instance: `hot-${port}`,
        model: "tide-8b",
        weightsBytes: 1 * GB,
        memoryBytesPerGpu: 40 * GB,
        contextLength: 40_960,
        profile: PROFILE,
        areFaultsEnabled: true,
      },
      { clock: rig.clock, random: createSeededRandom(port), account: null },
      { crashed: () => made.crash(`engine-${port}`), gpuEnded: () => undefined, unclaimed: () => made.crash(`engine-${port}`) },
    );
    assert.ok(engine.ok);
    made.attach({ host: "127.0.0.1", port }, engine.value.handler, `engine-${port}`);
    void engine.value.start();
  }
  await rig.clock.advance(1_000);
  await rig.start(
    rigTable(
      [1, 2].map((port) => rigEndpoint(port, { maxBatch: MAX_BATCH })),
      { contextLength: 40_960 },
    ),
  );
  return { rig, network: made, random };
}

/** Open loop for `forMs`; `at` is called when its time comes. */
async function load(
  world: LoadWorld,
  of: { forMs: number; perSecond: number; longRatio: number },
  at: ReadonlyMap<number, () => void>,
): Promise<RigClient[]> {
  const clients: RigClient[] = [];
  const { rig, random } = world;
  const gapMs = 1_000 / of.perSecond;
  const due = [...at];
  for (let nowMs = 0; nowMs < of.forMs; nowMs += gapMs) {
    while ((due[0]?.[0] ?? Infinity) <= nowMs) due.shift()?.[1]();
    const isLong = random.next() < of.longRatio;
    clients.push(
      rig.chat({
        stream: random.next() < 0.6,
        max_tokens: 16 + Math.floor(random.next() * 113),
        messages: [{ role: "user", content: "tide ".repeat(isLong ? 30_000 : 100) }],
      }),
    );
    await rig.clock.advance(gapMs);
  }
  for (let waitedMs = 0; waitedMs < 60_000 && clients.some((client) => client.endedAt === null); waitedMs += 500)
    await rig.clock.advance(500);
  return clients;
}

async function inject(world: LoadWorld, port: number, fault: object, forMs: number): Promise<void> {
  const done = Promise.withResolvers<void>();
  world.network
    .upstreamOf("operator")
    .call(
      { host: "127.0.0.1", port },
      { method: "POST", target: "/tidegate/faults", headers: [], body: Buffer.from(JSON.stringify({ fault, forMs })) },
      { head: (status) => assert.equal(status, 200), data: () => undefined, end: () => done.resolve(), failed: () => done.resolve() },
    );
  await done.promise;
}

const isWhole = (client: RigClient): boolean => client.status === 200 && (client.wholeStream !== null || client.text.includes('"usage"'));

for (const seed of [1, 2]) {
  test(`busy is never dead: at 95 % of capacity with long prompts and a slow engine nobody is ejected or lost, seed ${seed}`, async (t) => {
    const world = await startLoadWorld(seed);
    const slow = new Map([[4_000, () => void inject(world, 1, { kind: "slow", factor: 5 }, 3_000)]]);
    const clients = await load(world, { forMs: 12_000, perSecond: 0.95 * CAPACITY_PER_SECOND, longRatio: 0.01 }, slow);
    t.diagnostic(`${clients.length} requests`);
    assert.deepEqual(world.rig.ejections(), []);
    assert.equal(clients.filter((client) => !isWhole(client)).length, 0);
  });
}

const faults: readonly { readonly name: string; readonly boundMs: number; readonly strike: (world: LoadWorld) => void }[] = [
  { name: "a killed engine", boundMs: 250, strike: (world) => world.network.crash("engine-1") },
  { name: "a stopped engine", boundMs: 1_500, strike: (world) => world.network.freeze("engine-1") },
  { name: "a hung engine", boundMs: 2_500, strike: (world) => void inject(world, 1, { kind: "hang" }, 60_000) },
  { name: "a partitioned engine", boundMs: 1_500, strike: (world) => world.network.partition("gateway", "engine-1") },
];
for (const [seed, { name, boundMs, strike }] of faults.flatMap((fault) => [3, 4, 5].map((one) => [one, fault] as const))) {
  test(`under load ${name} costs no request: what has no byte is sent anew in time, and streams go on, seed ${seed}`, async (t) => {
    const world = await startLoadWorld(seed);
    let struckAt = 0;
    const at = new Map([
      [
        2_000,
        () => {
          struckAt = world.rig.clock.monotonicMs();
          strike(world);
        },
      ],
    ]);
    const clients = await load(world, { forMs: 6_000, perSecond: 0.35 * CAPACITY_PER_SECOND, longRatio: 0 }, at);
    const cut = clients.filter((client) => !isWhole(client));
    for (const client of cut) assert.match(client.text, /"content":"[^\n]*\n\ndata: \{"error":[^\n]*\}\n\n$/);
    for (const client of cut) assert.ok((client.endedAt ?? Infinity) - struckAt <= boundMs);
    const moved = clients.filter((client) => isWhole(client) && client.header("x-tidegate-attempts") !== "1");
    const waitedMs = moved.map((client) => (client.firstByteAt ?? Infinity) - Math.max(struckAt, client.arrivedAt));
    t.diagnostic(`${clients.length} requests, ${cut.length} cut, ${moved.length} moved`);
    const reroutes = /tidegate_attempts_total\{[^}]*because="re[^}]*\} (\d+)/.exec(world.rig.gateway.metricsText())?.[1];
    assert.ok(Number(reroutes) > 0, "the fault struck somebody");
    assert.equal(cut.length, 0, "streams go on");
    // Of a whole answer its modelled decode time, at most 128 steps, is not recovery.
    for (const [index, client] of moved.entries()) {
      const allowedMs = boundMs + (client.wholeStream === null ? 128 * 8.4 + 100 : 100);
      assert.ok((waitedMs[index] ?? Infinity) <= allowedMs, `waited ${waitedMs[index]} ms`);
    }
    assert.equal(world.rig.ejections().length > 0, true);
    assert.ok(world.rig.ejections().every((one) => one.startsWith("gold-hot-1 ")));
  });
}
