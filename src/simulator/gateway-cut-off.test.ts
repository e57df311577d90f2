import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { generation, instanceName } from "../base/ids.ts";
import { untilWhole } from "./until-whole.ts";
import { WorldClient } from "./world-client.ts";
import { ENGINES, partyOf } from "./world-engine.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

const SERVICES = [
  { name: "tenant-gold", tier: "gold", model: "tide-a" },
  { name: "tenant-platinum", tier: "platinum", model: "tide-b" },
  { name: "tenant-silver", tier: "silver", model: "tide-c" },
] as const;

interface Shape {
  readonly seed: number;
  readonly nodes: number;
  readonly services: number;
  readonly hot: number;
  readonly requestsPerSecond: number;
}

/** Two gateways before services with a sleeping warm each; all whole, and load on both gateways. */
async function start(shape: Shape): Promise<{ readonly world: World; readonly clients: readonly WorldClient[] }> {
  const services = SERVICES.slice(0, shape.services);
  const drafts = [
    ...Array.from({ length: shape.nodes }, (_, index) => gpuNodeDraft(`gpu-${index}`, `az-${1 + (index % 2)}`, 6)),
    ...services.map(({ name, tier, model }) =>
      draft("HotStandbyConfig", name, {
        tenant: name,
        tier,
        model: worldModel(model),
        hotStandby: { gpuCount: shape.hot, memoryReserved: `${shape.hot * 40}GB` },
        warmStandby: { gpuCount: 1, memoryReserved: "20GB", rest: "asleep" },
      }),
    ),
  ];
  const world = await startWorld(shape.seed, drafts, { gateways: 2 });
  await untilWhole(world);
  const clients: WorldClient[] = [];
  for (const { name, model } of services) {
    const key = await world.createKey(name);
    await world.clock.advance(250);
    for (const { name: gateway, address } of world.gateways) {
      const party = `client of ${name} at ${gateway}`;
      const ports = { clock: world.clock, random: world.chance(party), upstream: world.upstreamOf(party), log: world.log };
      clients.push(new WorldClient(ports, { gateway: address, key, model, requestsPerSecond: shape.requestsPerSecond }));
    }
  }
  await world.clock.advance(2_000);
  return { world, clients };
}

async function end(world: World, clients: readonly WorldClient[]): Promise<void> {
  for (const client of clients) client.stop();
  await world.stop();
}

/** What gateways did to the ladder: in a world that is well nobody has a reason. */
const acts = (world: World): readonly string[] =>
  world.log.events.map(({ event }) => event).filter((event) => /^gateway\.(ejected|wake-begun|woken|wake-failed)$/.test(event));

const anyShape = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  nodes: fc.integer({ min: 2, max: 4 }),
  services: fc.integer({ min: 1, max: SERVICES.length }),
  hot: fc.integer({ min: 1, max: 2 }),
  requestsPerSecond: fc.constantFrom(0.3, 2, 6),
});

test("cut off: a gateway that hears no engine ejects and wakes nobody, in any platform under any load, and serves when it hears them again", async () => {
  await fc.assert(
    fc.asyncProperty(anyShape, async (shape) => {
      const { world, clients } = await start(shape);
      world.network.partition("gateway-1", ENGINES);
      await world.clock.advance(12_000);
      assert.deepEqual(acts(world), []);
      assert.deepEqual([...new Set((await world.launcher.observe()).map((engine) => Number(engine.generation)))], [1]);
      world.network.heal("gateway-1", ENGINES);
      await world.clock.advance(8_000);
      const againMs = world.clock.monotonicMs();
      await world.clock.advance(4_000);
      for (const client of clients) client.stop();
      await world.clock.advance(20_000);
      const later = clients.flatMap(({ requests }) => requests).filter(({ startedAtMs }) => startedAtMs >= againMs);
      assert.deepEqual(
        later.filter(({ outcome }) => outcome !== "complete"),
        [],
      );
      assert.deepEqual(acts(world), []);
      await world.stop();
    }),
    { numRuns: 4, seed: 20_261_126 },
  );
});

test("cut off: a gateway says that it suspects itself, and when it trusts itself again", async () => {
  const { world, clients } = await start({ seed: 5, nodes: 2, services: 1, hot: 1, requestsPerSecond: 2 });
  world.network.partition("gateway-1", ENGINES);
  await world.clock.advance(5_000);
  world.network.heal("gateway-1", ENGINES);
  await world.clock.advance(6_000);
  const told = world.log.events.filter(({ event }) => event.endsWith("itself")).map(({ event, fields }) => [event, fields["because"]]);
  assert.deepEqual(told, [
    ["gateway.suspects-itself", "cut-off"],
    ["gateway.trusts-itself", "cut-off"],
  ]);
  await end(world, clients);
});

test("cut off: an engine that alone falls silent is still out within a second, and its sleeper is woken", async () => {
  for (const requestsPerSecond of [0.5, 10]) {
    const { world, clients } = await start({ seed: 6, nodes: 2, services: 1, hot: 1, requestsPerSecond });
    world.network.freeze(partyOf(instanceName("tenant-gold-hot-1"), generation(1)));
    const frozenMs = world.clock.monotonicMs();
    // The first request after it, and what it takes to find out.
    const isAsked = (): boolean => clients[0]?.requests.some(({ startedAtMs }) => startedAtMs > frozenMs) === true;
    while (!isAsked()) await world.clock.advance(10);
    await world.clock.advance(1_050);
    const found = acts(world);
    assert.ok(found.includes("gateway.ejected") && found.includes("gateway.wake-begun"), `${requestsPerSecond}: ${found.join(", ")}`);
    assert.ok(!world.log.events.some(({ event }) => event === "gateway.suspects-itself"));
    await end(world, clients);
  }
});
