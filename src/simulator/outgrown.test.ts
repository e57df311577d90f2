import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceDraft } from "../api/resource.ts";
import type { JsonObject } from "../base/json.ts";
import { standingPlaces, untilStanding } from "./standing-places.ts";
import { WorldClient } from "./world-client.ts";
import { gpuNodeDraft, sharedLevel, strongDraft } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

// A config asks for more than its instances stand on, in the whole platform.

const warmAt = (memory: string): JsonObject => sharedLevel("az-2", memory, { rest: "asleep" });
/** Beside a neighbour that takes the half of the card that it would need. */
const RESOURCES = [
  gpuNodeDraft("gpu-a", "az-1", 2),
  gpuNodeDraft("gpu-b", "az-2", 1),
  strongDraft("f", sharedLevel("az-1", "40GB")),
  strongDraft("g", sharedLevel("az-1", "20GB")),
  strongDraft("v", sharedLevel("az-1", "20GB"), { warmStandby: warmAt("20GB") }),
];

async function change(world: World, draftNow: ResourceDraft): Promise<void> {
  const stored = await world.store.get("HotStandbyConfig", draftNow.name);
  assert.ok(stored.ok);
  assert.ok((await world.store.writeSpec(draftNow, stored.value.version)).ok);
}
const STANDS = { "f-hot-1": "gpu-a/0 3g@4 Ready", "g-hot-1": "gpu-a/0 1g-double@2 Ready", "v-hot-1": "gpu-a/0 1g-double@0 Ready" };
const GROWN = strongDraft("v", sharedLevel("az-1", "40GB"), { warmStandby: warmAt("20GB") });

test("simulated: a hot instance that asks for more moves while its sleeper stands in, and no request is lost", async () => {
  const world = await startWorld(1, RESOURCES);
  await untilStanding(world, { ...STANDS, "v-warm-1": "gpu-b/0 1g-double@6 Asleep" }, 60_000);
  const key = await world.createKey("v");
  await world.clock.advance(250);
  const ports = { clock: world.clock, random: world.chance("client"), upstream: world.upstreamOf("client"), log: world.log };
  const client = new WorldClient(ports, { gateway: world.gatewayAddress, key, model: "tide-8b", requestsPerSecond: 5 });
  await world.clock.advance(2_000);
  await change(world, GROWN);
  await untilStanding(world, { "v-hot-1": "gpu-a/1 3g@4 Ready", "v-warm-1": "gpu-b/0 1g-double@6 Asleep" }, 180_000);
  client.stop();
  await world.clock.advance(20_000);
  assert.deepEqual([...new Set(client.requests.map(({ outcome }) => outcome))], ["complete"]);
  const places = await standingPlaces(world);
  for (const name of ["f-hot-1", "g-hot-1"] as const) assert.equal(places[name], STANDS[name]);
  await world.stop();
});

test("simulated: without anybody beside it, it stays, and its partition says why", async () => {
  const alone = strongDraft("v", sharedLevel("az-1", "20GB"));
  const world = await startWorld(2, [...RESOURCES.slice(0, -1), alone]);
  await untilStanding(world, STANDS, 60_000);
  await change(world, strongDraft("v", sharedLevel("az-1", "40GB")));
  await world.clock.advance(60_000);
  assert.equal((await standingPlaces(world))["v-hot-1"], STANDS["v-hot-1"]);
  const listed = await world.store.list("GPUPartition");
  const status = listed.ok ? listed.value.items.find(({ name }) => name.includes("-v-hot-1"))?.status : null;
  assert.match(JSON.stringify(status?.["notices"]), /OUTGROWN.*not taken down for that/);
  await world.stop();
});

test("simulated: a control plane that dies while an instance moves to where it has enough is followed by one that finishes it", async () => {
  for (const site of ["store.writeStatus", "store.applyAll", "driver.ensurePartition", "driver.removePartition"] as const) {
    const world = await startWorld(3, RESOURCES);
    await untilStanding(world, STANDS, 60_000);
    await change(world, GROWN);
    let deaths = 0;
    for (let times = 0; times < 3; times += 1) deaths += (await world.crashControlPlane("after", 5_000, site)) ? 1 : 0;
    assert.ok(deaths > 0, site);
    await untilStanding(world, { "v-hot-1": "gpu-a/1 3g@4 Ready", "v-warm-1": "gpu-b/0 1g-double@6 Asleep" }, 180_000);
    await world.stop();
  }
});
