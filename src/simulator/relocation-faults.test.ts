import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import { isLegal } from "../api/mig-layout.ts";
import { instanceName, nodeName } from "../base/ids.ts";
import type { Random } from "../ports/random.ts";
import { gpuNodeDraft, sharedLevel, strongDraft } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

// Whatever befalls the platform while a GPU is cut anew: it ends, and everybody whom there is room for runs where it was promised.

const RESOURCES = [
  gpuNodeDraft("gpu-a", "az-1", 1),
  gpuNodeDraft("gpu-b", "az-2", 1),
  strongDraft("a", sharedLevel("az-1", "20GB")),
  strongDraft("b", sharedLevel("az-1", "20GB")),
  strongDraft("v", sharedLevel("az-2", "20GB"), { warmStandby: sharedLevel("az-1", "20GB", { rest: "asleep" }) }),
];
const WISH = strongDraft("wish", sharedLevel("az-1", "40GB"));

const FATE_MAX_MS = 20_000;
type Fate = (world: World, forMs: number) => Promise<unknown>;
const lose =
  (node: string): Fate =>
  async (world, forMs) =>
    world.account.loseGpus({ kind: "gpu-lost", mode: "fallen_off_bus", node: nodeName(node), gpu: 0 }, forMs);
const kill =
  (instance: string): Fate =>
  async (world) =>
    world.launcher.kill(instanceName(instance), "SIGKILL");
const crash =
  (site: Parameters<World["crashControlPlane"]>[2]): Fate =>
  (world) =>
    world.crashControlPlane("before", 2_000, site);
const remove =
  (service: string): Fate =>
  (world) =>
    world.store.remove("HotStandbyConfig", service);
const FATES: readonly (readonly [string, Fate])[] = [
  ["its GPU is lost", lose("gpu-a")],
  ["the hot instance's GPU is lost", lose("gpu-b")],
  ["the victim is killed", kill("v-warm-1")],
  ["the victim's hot instance is killed", kill("v-hot-1")],
  ["a neighbour is killed", kill("b-hot-1")],
  ["the wish is killed", kill("wish-hot-1")],
  ["the wish is withdrawn", remove("wish")],
  ["the victim's service is withdrawn", remove("v")],
  ["the control plane dies at the driver", crash("driver.ensurePartition")],
  ["the control plane dies at the store", crash("store.writeStatus")],
  ["the control plane stands still", async (world, forMs) => pauseFor(world, forMs)],
  ["the store is away", async (world, forMs) => world.faultStore({ isOut: true }, forMs)],
];

async function pauseFor(world: World, forMs: number): Promise<void> {
  world.pause("control-plane");
  await world.clock.advance(forMs);
  world.resume("control-plane");
}

interface Seen {
  readonly states: ReadonlyMap<string, string>;
  readonly unplaced: readonly string[];
  readonly isMoving: boolean;
}

async function look(world: World): Promise<Seen> {
  const [configs, partitions, relocations] = await Promise.all([
    world.store.list("HotStandbyConfig"),
    world.store.list("GPUPartition"),
    world.store.list("GPURelocation"),
  ]);
  assert.ok(configs.ok && partitions.ok && relocations.ok);
  const statuses = configs.value.items.flatMap(({ status }) => (status === null ? [] : [parseServiceStatus(status)]));
  const states = statuses.flatMap((read) =>
    read.ok ? read.value.instances.map(({ name, state }) => [`${name}`, `${state}`] as const) : [],
  );
  const read = partitions.value.items.flatMap((resource) => {
    const parsed = parseGpuPartition(resource);
    return parsed.ok ? [parsed.value] : [];
  });
  for (const on of Map.groupBy(read, ({ node }) => node).values())
    assert.ok(on[0]?.node === null || isLegal(on.flatMap(({ mig }) => mig ?? [])));
  return {
    states: new Map(states),
    unplaced: read.flatMap(({ node, instance }) => (node === null ? [`${instance}`] : [])),
    isMoving: relocations.value.items.some(({ status }) => status === null || status["endedAt"] === null),
  };
}

/** All that have room run, nobody else waits, nothing moves. @returns who has no room. */
async function untilCalm(world: World, withinMs: number): Promise<readonly string[]> {
  const untilMs = world.clock.monotonicMs() + withinMs;
  for (;;) {
    const { states, unplaced, isMoving } = await look(world);
    const waiting = [...states].filter(([name, state]) => !unplaced.includes(name) && state !== "Ready" && state !== "Asleep");
    if (!isMoving && waiting.length === 0 && states.size > 0) return unplaced;
    assert.ok(world.clock.monotonicMs() < untilMs, `not calm: ${JSON.stringify({ waiting, unplaced, isMoving })}`);
    await world.clock.advance(500);
  }
}

async function play(seed: number, fates: readonly (readonly [string, Fate])[]): Promise<void> {
  const world = await startWorld(seed, RESOURCES);
  const chance: Random = world.chance("fates");
  assert.deepEqual(await untilCalm(world, 60_000), []);
  assert.ok((await world.store.remove("HotStandbyConfig", "a")).ok);
  await world.clock.advance(5_000);
  assert.ok((await world.store.create(WISH)).ok);
  for (const [, fate] of fates) {
    await world.clock.advance(Math.floor(chance.next() * 3_000));
    await fate(world, 1_000 + Math.floor(chance.next() * (FATE_MAX_MS - 1_000)));
  }
  await world.clock.advance(FATE_MAX_MS);
  // Lost GPUs come back, a relocation that cannot go on is given up, and one that was is tried anew after ten minutes.
  const unplaced = await untilCalm(world, 1_500_000);
  const isRemoved = fates.some(([name]) => name.includes("withdrawn"));
  if (!isRemoved)
    assert.ok(
      unplaced.every((name) => name === "wish-hot-1"),
      unplaced.join(", "),
    );
  await world.stop();
}

for (const [index, fate] of FATES.entries()) {
  test(`simulated: a GPU is cut anew while ${fate[0]}`, () => play(100 + index, [fate]));
}
for (let seed = 1; seed <= 12; seed += 1) {
  const pick = (step: number) => FATES[(seed * 7 + step * 5) % FATES.length] ?? assert.fail("there are fates");
  test(`simulated: a GPU is cut anew through three faults, seed ${seed}`, () => play(seed, [pick(0), pick(1), pick(2)]));
}
