import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { ResourceDraft } from "../api/resource.ts";
import type { JsonObject } from "../base/json.ts";
import { standingPlaces, untilStanding } from "./standing-places.ts";
import { WorldClient } from "./world-client.ts";
import { gpuNodeDraft, sharedLevel, strongDraft } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

// A MIG GPU is cut anew in the whole platform: the allocator, the ladder of the service that is moved, engines, and the simulated hardware.

const RESOURCES = [
  gpuNodeDraft("gpu-a", "az-1", 1),
  gpuNodeDraft("gpu-b", "az-2", 1),
  strongDraft("a", sharedLevel("az-1", "20GB")),
  strongDraft("b", sharedLevel("az-1", "20GB")),
  strongDraft("v", sharedLevel("az-1", "20GB"), {
    hotStandby: sharedLevel("az-2", "20GB"),
    warmStandby: sharedLevel("az-1", "20GB", { rest: "resident" }),
  }),
];

async function relocationOf(world: World): Promise<JsonObject> {
  const listed = await world.store.list("GPURelocation");
  assert.ok(listed.ok);
  return listed.value.items[0]?.status ?? {};
}

/** All run; then the one between the two others goes. */
async function ready(seed: number, resources: readonly ResourceDraft[] = RESOURCES, warm = "Ready"): Promise<World> {
  const world = await startWorld(seed, resources);
  const places = { "a-hot-1": "gpu-a/0 1g-double@6 Ready", "b-hot-1": "gpu-a/0 1g-double@4 Ready" };
  await untilStanding(world, { ...places, "v-hot-1": "gpu-b/0 1g-double@6 Ready", "v-warm-1": `gpu-a/0 1g-double@2 ${warm}` }, 60_000);
  assert.ok((await world.store.remove("HotStandbyConfig", "a")).ok);
  await world.clock.advance(20_000);
  assert.equal((await standingPlaces(world))["a-hot-1"], undefined);
  return world;
}

test("simulated: room for half a card is made by moving a warm instance, and its service loses no request", async () => {
  const world = await ready(1);
  const key = await world.createKey("v");
  await world.clock.advance(250);
  const ports = { clock: world.clock, random: world.chance("client"), upstream: world.upstreamOf("client"), log: world.log };
  const client = new WorldClient(ports, { gateway: world.gatewayAddress, key, model: "tide-8b", requestsPerSecond: 10 });
  await world.clock.advance(2_000);
  assert.ok((await world.store.create(strongDraft("wish", sharedLevel("az-1", "40GB")))).ok);
  const moved = { "v-warm-1": "gpu-a/0 1g-double@6 Ready", "b-hot-1": "gpu-a/0 1g-double@4 Ready", "wish-hot-1": "gpu-a/0 3g@0 Ready" };
  await untilStanding(world, moved, 120_000);
  assert.equal((await relocationOf(world))["phase"], "Completed");
  client.stop();
  await world.clock.advance(20_000);
  assert.deepEqual([...new Set(client.requests.map(({ outcome }) => outcome))], ["complete"]);
  await world.stop();
  assert.equal(world.network.openCount(), 0);
});

test("simulated: a warm instance that sleeps is moved too, and sleeps again at its new place", async () => {
  const asleep = RESOURCES.map((resource) =>
    resource.name === "v"
      ? { ...resource, spec: { ...resource.spec, warmStandby: sharedLevel("az-1", "20GB", { rest: "asleep" }) } }
      : resource,
  );
  const world = await ready(3, asleep, "Asleep");
  assert.ok((await world.store.create(strongDraft("wish", sharedLevel("az-1", "40GB")))).ok);
  await untilStanding(world, { "v-warm-1": "gpu-a/0 1g-double@6 Asleep", "wish-hot-1": "gpu-a/0 3g@0 Ready" }, 120_000);
  const stored = await world.store.get("HotStandbyConfig", "v");
  const status = stored.ok ? parseServiceStatus(stored.value.status) : null;
  assert.ok(status?.ok);
  assert.equal(status.value.history.filter(({ what }) => what === "Moves v-warm-1.").length, 1);
  await world.stop();
});

test("simulated: a control plane that dies while a GPU is cut anew is followed by one that finishes it", async () => {
  for (const site of ["store.writeStatus", "store.applyAll", "driver.ensurePartition", "driver.removePartition"] as const) {
    const world = await ready(2);
    assert.ok((await world.store.create(strongDraft("wish", sharedLevel("az-1", "40GB")))).ok);
    let deaths = 0;
    for (let times = 0; times < 4; times += 1) deaths += (await world.crashControlPlane("after", 5_000, site)) ? 1 : 0;
    assert.ok(deaths > 0, site);
    await untilStanding(world, { "v-warm-1": "gpu-a/0 1g-double@6 Ready", "wish-hot-1": "gpu-a/0 3g@0 Ready" }, 180_000);
    assert.equal((await relocationOf(world))["phase"], "Completed", site);
    await world.stop();
  }
});
