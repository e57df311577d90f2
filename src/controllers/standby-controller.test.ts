import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { instanceName } from "../base/ids.ts";
import { FakeControlWorld } from "./fake-control-world.ts";

function createWorld() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  return { world, clock, store, platform: world.platform, gateway: world.gateway };
}

/** Two hot and one warm instance, placed, everything Ready, one gateway joined. */
async function createSteadyWorld() {
  const created = createWorld();
  await created.world.putGold();
  await created.world.placeAll();
  const control = await created.world.startControlPlane();
  await created.clock.advance(1_000);
  return { ...created, control };
}

const ALL_READY = ["gold-hot-1/1 Ready", "gold-hot-2/1 Ready", "gold-warm-1/1 Ready"];

test("a new config starts its hot and warm instances together and serves when they gave the known answer", async () => {
  const { world, platform, gateway } = await createSteadyWorld();
  assert.deepEqual(await world.states(), ALL_READY);
  assert.deepEqual(platform.starts, ["gold-hot-1/1 on gpu-a/0", "gold-hot-2/1 on gpu-a/1", "gold-warm-1/1 on gpu-a/2"]);
  const { level, phase, epoch, knownAnswer } = await world.status();
  assert.deepEqual({ level, phase, epoch, knownAnswer }, { level: "hot", phase: "Normal", epoch: 1, knownAnswer: " comes in" });
  assert.deepEqual(
    gateway
      .table()
      .rungs.map((rung) => [rung.level, rung.activation.kind, ...rung.endpoints.map((e) => `${e.instance} ${e.isReady} ${e.weight}`)]),
    [
      ["hot", "none", "gold-hot-1 true 80", "gold-hot-2 true 20"],
      ["warm", "none", "gold-warm-1 true 0"],
      ["cold", "controller"],
    ],
  );
});

test("every call to an engine carries the claim of its state", async () => {
  const { clock, platform } = await createSteadyWorld();
  await clock.advance(20_000);
  const heartbeats = platform.requests.filter((request) => request.target === "/health");
  assert.ok(heartbeats.length > 9);
  for (const { headers } of platform.requests) assert.deepEqual(headers.slice(-2), ["x-tidegate-claim", "state-1"]);
});

test("a service at rest writes nothing and publishes nothing", async () => {
  const { clock, store, gateway } = await createSteadyWorld();
  const before = await store.get("HotStandbyConfig", "gold");
  const told = gateway.told.length;
  await clock.advance(60_000);
  const after = await store.get("HotStandbyConfig", "gold");
  assert.deepEqual(after, before);
  assert.equal(gateway.told.length, told);
});

test("a service at rest is looked at every other second and for its heartbeats, in which all its instances come to be asked at one look", async () => {
  const { clock, store, platform } = await createSteadyWorld();
  await clock.advance(20_000);
  const [get, seen] = [store.get.bind(store), { looks: 0, asked: platform.requests.length }];
  store.get = (kind, name) => {
    if (kind === "HotStandbyConfig") seen.looks += 1;
    return get(kind, name);
  };
  await clock.advance(60_000);
  assert.ok(seen.looks >= 30 && seen.looks <= 40, `${seen.looks} looks`);
  const heartbeats = platform.requests.length - seen.asked;
  assert.ok(heartbeats >= 33 && heartbeats <= 42, `${heartbeats} heartbeats of three instances`);
});

test("a killed engine is out of the table at once and restarted at once with the next generation", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  const killedAtMs = clock.monotonicMs();
  platform.kill("gold-hot-1");
  await clock.advance(8);
  assert.deepEqual(await world.states(), ["gold-hot-1/2 Starting", "gold-hot-2/1 Ready", "gold-warm-1/1 Ready"]);
  assert.deepEqual(gateway.ready(), ["gold-hot-2", "gold-warm-1"]);
  assert.ok(platform.engine("gold-hot-1").readyAtMs - killedAtMs < 320);
  await clock.advance(500);
  assert.deepEqual(await world.states(), ["gold-hot-1/2 Ready", "gold-hot-2/1 Ready", "gold-warm-1/1 Ready"]);
  assert.deepEqual(gateway.ready(), ["gold-hot-1", "gold-hot-2", "gold-warm-1"]);
});

test("a second death soon after waits half a second, and the wait is forgotten after ten calm seconds", async () => {
  const { world, clock, platform } = await createSteadyWorld();
  await clock.advance(10_000);
  platform.kill("gold-hot-1");
  await clock.advance(500);
  platform.kill("gold-hot-1");
  await clock.advance(400);
  assert.equal((await world.states())[0], "gold-hot-1/2 Failed");
  await clock.advance(600);
  assert.equal((await world.states())[0], "gold-hot-1/3 Ready");
  await clock.advance(11_000);
  platform.kill("gold-hot-1");
  await clock.advance(50);
  assert.equal((await world.states())[0], "gold-hot-1/4 Starting");
});

test("a report about an engine that generates leaves it as it is, and the history says so", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  gateway.report("gold-hot-1", 1, "5xx");
  await clock.advance(2_000);
  assert.deepEqual(await world.states(), ALL_READY);
  assert.equal(platform.starts.length, 3);
  assert.match((await world.status()).history.at(-1)?.what ?? "", /Leaves gold-hot-1 as it is/);
});

test("a report about an older generation is about nobody", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  platform.kill("gold-hot-1");
  await clock.advance(500);
  const asked = platform.requests.filter((request) => request.target === "/metrics").length;
  gateway.report("gold-hot-1", 1, "refused");
  await clock.advance(2_000);
  assert.equal((await world.states())[0], "gold-hot-1/2 Ready");
  assert.equal(platform.requests.filter((request) => request.target === "/metrics").length, asked);
});

for (const mode of ["stopped", "hung"] as const) {
  test(`a reported engine that is ${mode} is fenced and restarted after a second of judgement`, async () => {
    const { world, clock, platform, gateway } = await createSteadyWorld();
    platform.engine("gold-hot-1").mode = mode;
    gateway.report("gold-hot-1", 1, mode === "hung" ? "no-progress" : "silent");
    await clock.advance(900);
    assert.equal((await world.states())[0], "gold-hot-1/1 Suspect");
    assert.deepEqual(gateway.ready(), ["gold-hot-1", "gold-hot-2", "gold-warm-1"]);
    await clock.advance(2_000);
    assert.deepEqual(await world.states(), ["gold-hot-1/2 Ready", "gold-hot-2/1 Ready", "gold-warm-1/1 Ready"]);
  });
}

test("a stopped engine that runs again within the judgement stays", async () => {
  const { clock, platform, gateway } = await createSteadyWorld();
  platform.engine("gold-hot-1").mode = "stopped";
  gateway.report("gold-hot-1", 1, "silent");
  await clock.advance(500);
  platform.engine("gold-hot-1").mode = "well";
  await clock.advance(2_000);
  assert.equal(platform.starts.length, 3);
});

test("a stopped engine without any traffic is found by its heartbeat", async () => {
  const { world, clock, platform } = await createSteadyWorld();
  platform.engine("gold-warm-1").mode = "stopped";
  await clock.advance(11_000);
  assert.equal((await world.states())[2], "gold-warm-1/2 Ready");
});

test("an engine with a wrong known answer never takes a request", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  platform.answers.set(instanceName("gold-hot-1"), "!!!!");
  platform.kill("gold-hot-1");
  await clock.advance(5_000);
  assert.deepEqual(gateway.ready(), ["gold-hot-2", "gold-warm-1"]);
  assert.match((await world.status()).history.map((entry) => entry.why).join(), /its known answer is wrong/);
});

test("two failed starts quarantine the GPU, and the instance starts where it is placed anew", async () => {
  const { world, clock, platform } = await createSteadyWorld();
  platform.failStarts("gold-hot-1", 2);
  platform.kill("gold-hot-1");
  await clock.advance(3_000);
  assert.equal((await world.states())[0], "gold-hot-1/3 Pending");
  assert.deepEqual(
    (await world.status()).quarantined.map(({ node, gpu, reason }) => `${node}/${gpu} ${reason}`),
    ["gpu-a/0 FailedStarts"],
  );
  await world.place("gold-hot-1", 3);
  await clock.advance(6_000);
  assert.equal((await world.states())[0], "gold-hot-1/4 Ready");
  assert.equal(platform.starts.at(-1), "gold-hot-1/4 on gpu-a/3");
});

test("an engine on a lost GPU is killed and waits for another GPU, the others run on", async () => {
  const { world, clock, platform, gateway } = await createSteadyWorld();
  platform.lostGpus.add("gpu-a/1");
  await clock.advance(3_000);
  assert.deepEqual(await world.states(), ["gold-hot-1/1 Ready", "gold-hot-2/1 Pending", "gold-warm-1/1 Ready"]);
  assert.deepEqual(gateway.ready(), ["gold-hot-1", "gold-warm-1"]);
  await world.place("gold-hot-2", 3);
  await clock.advance(2_000);
  assert.equal((await world.states())[1], "gold-hot-2/2 Ready");
  assert.equal((await world.status()).conditions.find((condition) => condition.type === "RedundancyLost")?.status, "False");
});

test("an instance without a GPU says why, and the others serve", async () => {
  const { world, clock, gateway } = createWorld();
  await world.putGold();
  await world.place("gold-hot-1", 0);
  await world.place("gold-hot-2", null);
  await world.place("gold-warm-1", 2);
  await world.startControlPlane();
  await clock.advance(1_000);
  assert.deepEqual(await world.states(), ["gold-hot-1/1 Ready", "gold-hot-2/0 Pending", "gold-warm-1/1 Ready"]);
  assert.deepEqual(gateway.ready(), ["gold-hot-1", "gold-warm-1"]);
  const unplaceable = (await world.status()).conditions.find((condition) => condition.type === "Unplaceable");
  assert.deepEqual([unplaceable?.status, unplaceable?.message], ["True", "No GPU is free. All are taken."]);
});

test("a driver that never answers delays no restart, and nothing is taken for lost", async () => {
  const { world, clock, platform } = createWorld();
  await world.putGold();
  await world.placeAll();
  await world.startControlPlane({ driver: { ...platform.driver, observe: () => new Promise(() => undefined) } });
  await clock.advance(2_000);
  assert.deepEqual(await world.states(), ALL_READY);
  platform.kill("gold-hot-1");
  await clock.advance(210);
  assert.equal((await world.states())[0], "gold-hot-1/2 Starting");
});
