import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { instanceName } from "../base/ids.ts";
import { FakeControlWorld } from "./fake-control-world.ts";

const ONE_HOT = { hotStandby: { gpuCount: 1, memoryReserved: "40GB" } };
const CHANGED_MODEL = { model: { name: "tide-8b", engine: "simulated", revision: "r2", weights: "16GB", contextLength: 8192 } };

async function createSteadyWorld() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  await world.putGold();
  await world.placeAll();
  const control = await world.startControlPlane();
  await clock.advance(1_000);
  return { world, clock, store, platform: world.platform, gateway: world.gateway, control };
}

test("an instance that is asked for no longer runs until every gateway has acknowledged the table without it", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  gateway.isSilent = true;
  await world.putGold(ONE_HOT);
  await clock.advance(5_000);
  assert.deepEqual(gateway.ready(), ["gold-hot-1", "gold-warm-1"]);
  assert.equal(platform.engine("gold-hot-2").plan.generation, 1);
  const { uid, epoch, revision } = gateway.table();
  gateway.say({ type: "ack", uid, epoch, revision });
  await clock.advance(1_000);
  assert.equal(platform.engines.has(instanceName("gold-hot-2")), false);
  assert.deepEqual(await world.states(), ["gold-hot-1/1 Ready", "gold-warm-1/1 Ready"]);
});

test("a gateway that never acknowledges holds up a drain for ten seconds only", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  gateway.isSilent = true;
  await world.putGold(ONE_HOT);
  await clock.advance(9_900);
  assert.equal(platform.engines.size, 3);
  await clock.advance(1_200);
  assert.equal(platform.engines.size, 2);
});

test("a gateway that has left holds up no drain", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  gateway.isSilent = true;
  await world.putGold(ONE_HOT);
  await clock.advance(500);
  gateway.leave();
  await clock.advance(1_000);
  assert.equal(platform.engines.size, 2);
});

test("a draining engine is ended only when what it runs is finished", async () => {
  const { world, clock, platform } = await createSteadyWorld();
  // A hung engine shows running requests for as long as anybody asks.
  platform.engine("gold-hot-2").mode = "hung";
  await world.putGold(ONE_HOT);
  await clock.advance(5_000);
  assert.equal(platform.engines.size, 3);
  platform.engine("gold-hot-2").mode = "well";
  await clock.advance(1_000);
  assert.equal(platform.engines.size, 2);
});

test("a changed model rolls one instance at a time, the warm one first, and two always serve", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  await world.putGold(CHANGED_MODEL);
  let readyMin = 3;
  for (let look = 0; look < 1_000; look += 1) {
    await clock.advance(10);
    readyMin = Math.min(readyMin, gateway.ready().length);
  }
  assert.equal(readyMin, 2);
  assert.deepEqual(platform.starts.slice(3), ["gold-warm-1/2 on gpu-a/2", "gold-hot-2/2 on gpu-a/1", "gold-hot-1/2 on gpu-a/0"]);
  assert.deepEqual(await world.states(), ["gold-hot-1/2 Ready", "gold-hot-2/2 Ready", "gold-warm-1/2 Ready"]);
  assert.match((await world.status()).knownAnswerOf ?? "", /@r2 /);
});

test("a changed model that does not start stops the roll at its first instance", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  platform.failStarts("gold-warm-1", 1_000);
  await world.putGold(CHANGED_MODEL);
  await clock.advance(120_000);
  assert.deepEqual(gateway.ready(), ["gold-hot-1", "gold-hot-2"]);
  assert.deepEqual((await world.states()).slice(0, 2), ["gold-hot-1/1 Ready", "gold-hot-2/1 Ready"]);
  assert.ok(platform.starts.length < 30, `${platform.starts.length} starts`);
});

test("limits change without any restart", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  const { revision } = gateway.table();
  await world.putGold({ limits: { concurrency: 7 } });
  await clock.advance(1_000);
  assert.equal(gateway.table().limits.concurrency, 7);
  assert.equal(gateway.table().revision, revision + 1);
  assert.equal(platform.starts.length, 3);
});

test("a deleted config is out of every table first, then its engines end", async () => {
  const { clock, store, platform, gateway } = await createSteadyWorld();
  gateway.isSilent = true;
  const { uid } = gateway.table();
  await store.remove("HotStandbyConfig", "gold");
  await clock.advance(3_000);
  assert.deepEqual(gateway.ready(), []);
  assert.equal(platform.engines.size, 3);
  const emptied = gateway.table();
  gateway.say({ type: "ack", uid, epoch: emptied.epoch, revision: emptied.revision });
  await clock.advance(2_000);
  assert.deepEqual(gateway.told.at(-1), { type: "table-removed", uid });
  assert.equal(platform.engines.size, 0);
});

test("a config that is deleted and made anew starts new engines in place of the old ones", async () => {
  const { world, clock, store, platform, gateway } = await createSteadyWorld();
  await store.remove("HotStandbyConfig", "gold");
  await world.putGold();
  await clock.advance(5_000);
  assert.deepEqual(gateway.ready(), ["gold-hot-1", "gold-hot-2", "gold-warm-1"]);
  assert.equal(platform.engines.size, 3);
  const status = await world.status();
  for (const { name, uid } of status.instances) assert.equal(platform.engine(name).plan.uid, uid);
});

test("a restarted control plane keeps every Ready engine with its pid and loads nothing", async () => {
  const { world, clock, platform, gateway, control } = await createSteadyWorld();
  const pids = [...platform.engines.values()].map((engine) => engine.pid);
  await control.stop();
  await clock.advance(5_000);
  const told = gateway.told.length;
  await world.startControlPlane();
  await clock.advance(2_000);
  assert.deepEqual(
    gateway.told.slice(told).map((message) => message.type),
    ["welcome", "table", "keys", "synced"],
  );
  assert.deepEqual(gateway.ready(), ["gold-hot-1", "gold-hot-2", "gold-warm-1"]);
  assert.deepEqual(
    [...platform.engines.values()].map((engine) => engine.pid),
    pids,
  );
  assert.equal(platform.starts.length, 3);
});

test("an engine that died while the control plane was away is restarted when it is back", async () => {
  const { world, clock, platform, control } = await createSteadyWorld();
  await control.stop();
  platform.kill("gold-hot-1");
  await clock.advance(5_000);
  await world.startControlPlane();
  await clock.advance(1_000);
  assert.deepEqual(await world.states(), ["gold-hot-1/2 Ready", "gold-hot-2/1 Ready", "gold-warm-1/1 Ready"]);
  assert.equal(platform.starts.length, 4);
});

test("an engine whose config was deleted while the control plane was away is ended when it is back", async () => {
  const { world, clock, store, platform, control } = await createSteadyWorld();
  await control.stop();
  await store.remove("HotStandbyConfig", "gold");
  await world.startControlPlane();
  await clock.advance(2_000);
  assert.equal(platform.engines.size, 0);
});
