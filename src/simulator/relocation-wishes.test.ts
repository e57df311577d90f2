import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceDraft } from "../api/resource.ts";
import { instanceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { standingPlaces, untilStanding, type StandingPlaces } from "./standing-places.ts";
import { gpuNodeDraft, sharedLevel, silverDraft, strongDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

// Room for whole GPUs, for several, and for who has outgrown his place, in the whole platform and through faults.

const warm = (memory: string): JsonObject => ({ warmStandby: sharedLevel("az-1", memory, { rest: "resident" }) });

interface Play {
  readonly name: string;
  readonly nodes: readonly ResourceDraft[];
  /** Come one after the other. */
  readonly services: readonly ResourceDraft[];
  /** Go again before the wish. */
  readonly fillers: readonly string[];
  readonly before: StandingPlaces;
  readonly wish: ResourceDraft;
  readonly after: StandingPlaces;
  readonly victim: string;
}
const PLAYS: readonly Play[] = [
  {
    name: "an instance of two GPUs",
    nodes: [gpuNodeDraft("gpu-a", "az-1", 2), gpuNodeDraft("gpu-b", "az-1", 1), gpuNodeDraft("gpu-z", "az-2", 1)],
    services: [
      silverDraft("f", sharedLevel("az-1", "60GB")),
      silverDraft("g", sharedLevel("az-1", "60GB")),
      silverDraft("h", sharedLevel("az-1", "60GB")),
      silverDraft("v", sharedLevel("az-2", "20GB"), warm("20GB")),
      silverDraft("u", sharedLevel("az-2", "20GB"), warm("20GB")),
      silverDraft("y", sharedLevel("az-1", "20GB")),
    ],
    fillers: ["f", "g", "h"],
    before: { "v-warm-1": "gpu-a/0 whole Ready", "u-warm-1": "gpu-a/1 whole Ready", "y-hot-1": "gpu-b/0 whole Ready" },
    wish: silverDraft("wish", sharedLevel("az-1", "120GB", { gpuCount: 2 }), {
      model: { ...worldModel("tide-70b"), tensorParallelSize: 2 },
    }),
    after: { "v-warm-1": "gpu-b/0 whole Ready", "u-warm-1": "gpu-b/0 whole Ready", "wish-hot-1": "gpu-a/0+1 whole Ready" },
    victim: "v-warm-1",
  },
  {
    name: "a whole card that MIG cuts",
    nodes: [gpuNodeDraft("gpu-a", "az-1", 2), gpuNodeDraft("gpu-z", "az-2", 1)],
    services: [
      strongDraft("v", sharedLevel("az-2", "20GB"), warm("20GB")),
      strongDraft("u", sharedLevel("az-2", "20GB"), warm("20GB")),
      strongDraft("f", sharedLevel("az-1", "40GB")),
      strongDraft("b", sharedLevel("az-1", "20GB")),
    ],
    fillers: ["f"],
    before: { "v-warm-1": "gpu-a/0 1g-double@6 Ready", "u-warm-1": "gpu-a/0 1g-double@4 Ready", "b-hot-1": "gpu-a/1 1g-double@6 Ready" },
    wish: silverDraft("wish", sharedLevel("az-1", "40GB", { gpuMemoryShare: false })),
    after: { "v-warm-1": "gpu-a/1 1g-double@2 Ready", "u-warm-1": "gpu-a/1 1g-double@4 Ready", "wish-hot-1": "gpu-a/0 whole Ready" },
    victim: "v-warm-1",
  },
  {
    name: "an instance that has outgrown its place",
    nodes: [gpuNodeDraft("gpu-a", "az-1", 1), gpuNodeDraft("gpu-b", "az-1", 1), gpuNodeDraft("gpu-z", "az-2", 1)],
    services: [
      strongDraft("f", sharedLevel("az-1", "20GB")),
      strongDraft("b", sharedLevel("az-1", "20GB")),
      strongDraft("v", sharedLevel("az-2", "20GB"), warm("20GB")),
      strongDraft("g", sharedLevel("az-1", "20GB")),
      strongDraft("c", sharedLevel("az-1", "40GB")),
      strongDraft("d", sharedLevel("az-1", "20GB")),
      strongDraft("wish", sharedLevel("az-2", "20GB"), warm("20GB")),
    ],
    fillers: ["f", "g"],
    before: { "v-warm-1": "gpu-a/0 1g-double@2 Ready", "b-hot-1": "gpu-a/0 1g-double@4 Ready", "wish-warm-1": "gpu-b/0 1g-double@0 Ready" },
    wish: strongDraft("wish", sharedLevel("az-2", "20GB"), warm("40GB")),
    after: { "v-warm-1": "gpu-a/0 1g-double@6 Ready", "b-hot-1": "gpu-a/0 1g-double@4 Ready", "wish-warm-1": "gpu-a/0 3g@0 Ready" },
    victim: "v-warm-1",
  },
];

/** All run, then the fillers go. */
async function ready(seed: number, { nodes, services, fillers, before }: Play): Promise<World> {
  const world = await startWorld(seed, nodes);
  for (const one of services) {
    assert.ok((await world.store.create(one)).ok);
    await world.clock.advance(8_000);
  }
  await untilStanding(world, before, 60_000);
  for (const filler of fillers) assert.ok((await world.store.remove("HotStandbyConfig", filler)).ok);
  await world.clock.advance(20_000);
  return world;
}
async function ask(world: World, { wish }: Play): Promise<void> {
  const stored = await world.store.get("HotStandbyConfig", wish.name);
  const written = stored.ok ? await world.store.writeSpec(wish, stored.value.version) : await world.store.create(wish);
  assert.ok(written.ok);
}

for (const play of PLAYS) {
  test(`simulated: moves make room for ${play.name}`, async () => {
    const world = await ready(1, play);
    await ask(world, play);
    await untilStanding(world, play.after, 240_000);
    const listed = await world.store.list("GPURelocation");
    assert.deepEqual(listed.ok && listed.value.items.map(({ status }) => status?.["phase"]), ["Completed"]);
    await world.stop();
  });

  test(`simulated: moves make room for ${play.name} through deaths of the control plane`, async () => {
    for (const site of ["store.writeStatus", "store.applyAll", "driver.removePartition"] as const) {
      const world = await ready(2, play);
      await ask(world, play);
      let deaths = 0;
      for (let times = 0; times < 4; times += 1) deaths += (await world.crashControlPlane("after", 5_000, site)) ? 1 : 0;
      assert.ok(deaths > 0, site);
      await untilStanding(world, play.after, 300_000);
      await world.stop();
    }
  });

  test(`simulated: moves make room for ${play.name} while engines die`, async () => {
    const world = await ready(3, play);
    const unmoved = await standingPlaces(world);
    await ask(world, play);
    await world.clock.advance(4_500);
    world.launcher.kill(instanceName(play.victim), "SIGKILL");
    await world.clock.advance(3_000);
    world.launcher.kill(instanceName(play.victim.replace("warm", "hot")), "SIGKILL");
    await untilStanding(world, play.after, 1_200_000);
    const now = await standingPlaces(world);
    const others = Object.keys(unmoved).filter((name) => !(name in play.after));
    for (const name of others) assert.equal(now[name]?.split(" ")[0], unmoved[name]?.split(" ")[0]);
    await world.stop();
  });
}
