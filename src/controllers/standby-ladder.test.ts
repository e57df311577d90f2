import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import type { JsonObject } from "../base/json.ts";
import { instanceName, serviceName } from "../base/ids.ts";
import { err } from "../base/result.ts";
import { FakeControlWorld, LADDER } from "./fake-control-world.ts";

const PLACES = ["gold-hot-1", "gold-hot-2", "gold-warm-1", "gold-cold-1"];

/** Two hot Ready, one warm asleep, a cold reserve of bytes, one gateway joined. */
async function createLadderWorld(change: JsonObject = {}) {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  await world.putGold({ ...LADDER, ...change });
  await world.placeAll(PLACES);
  const control = await world.startControlPlane();
  await clock.advance(3_000);
  const killHot = (): void => {
    for (const name of ["gold-hot-1", "gold-hot-2"]) if (world.platform.engines.has(instanceName(name))) world.platform.kill(name);
  };
  const moves = async (): Promise<readonly string[]> =>
    [...(await world.records()).values()].map(({ name, action, from, to, status }) => `${name} ${action} ${from}>${to} ${status?.phase}`);
  const place = async (): Promise<readonly unknown[]> => {
    const { level, phase, epoch } = await world.status();
    return [level, phase, epoch];
  };
  return { world, clock, store, control, platform: world.platform, gateway: world.gateway, killHot, moves, place };
}

const AT_REST = ["gold-hot-1/1 Ready", "gold-hot-2/1 Ready", "gold-warm-1/1 Asleep"];

test("a warm instance that rests asleep goes from its start straight to sleep", async () => {
  const { world, platform, gateway, moves, place } = await createLadderWorld();
  assert.deepEqual(await world.states(), AT_REST);
  assert.deepEqual([platform.naps, gateway.ready()], [["sleep gold-warm-1/1"], ["gold-hot-1", "gold-hot-2"]]);
  assert.deepEqual([await place(), await moves()], [["hot", "Normal", 1], []]);
});

test("a sleeper is asked whether it sleeps, never to work, and nothing is written while nothing happens", async () => {
  const { world, clock, store, platform } = await createLadderWorld();
  const before = await store.get("HotStandbyConfig", "gold");
  const asked = platform.requests.length;
  await clock.advance(60_000);
  assert.deepEqual(await store.get("HotStandbyConfig", "gold"), before);
  const toWarm = platform.requests.slice(asked).filter(({ instance }) => instance === "gold-warm-1");
  assert.ok(toWarm.length >= 11, `${toWarm.length} questions`);
  assert.deepEqual([new Set(toWarm.map(({ target }) => target)), platform.crashes], [new Set(["/is_sleeping"]), []]);
  assert.deepEqual(await world.states(), AT_REST);
});

test("both hot lost wakes the warm instance, and everything is as before when hot has soaked", async () => {
  const { world, clock, platform, gateway, killHot, moves, place } = await createLadderWorld();
  killHot();
  await clock.advance(20);
  assert.deepEqual(await place(), ["warm", "Waking", 2]);
  await clock.advance(260);
  assert.deepEqual([gateway.ready(), gateway.table().serveFrom], [["gold-warm-1"], "warm"]);
  await clock.advance(10_000);
  assert.deepEqual(await place(), ["hot", "Normal", 3]);
  assert.deepEqual(await moves(), ["gold-2 failover hot>warm Completed", "gold-3 failback warm>hot Completed"]);
  assert.deepEqual(platform.naps, ["sleep gold-warm-1/1", "wake gold-warm-1/1", "sleep gold-warm-1/1"]);
  assert.deepEqual(await world.states(), ["gold-hot-1/2 Ready", "gold-hot-2/2 Ready", "gold-warm-1/1 Asleep"]);
  const clockOf = (await world.records()).get("gold-2")?.status?.clock;
  assert.ok(clockOf?.decided !== null && clockOf?.routed !== null && clockOf?.redundant !== null, JSON.stringify(clockOf));
  assert.equal((await world.status()).failovers.inWindow, 1);
});

test("traffic returns to hot by the share that the gateways' tables tell, step by step", async () => {
  const { world, clock, gateway, killHot, place } = await createLadderWorld();
  killHot();
  await clock.advance(10_000);
  assert.deepEqual(await place(), ["hot", "Normal", 3]);
  const told = gateway.told.flatMap((message) => (message.type === "table" ? [message.table] : []));
  const shares = told.map(({ serveFrom, returnPercent }) => `${serveFrom} ${returnPercent}`);
  const changes = shares.filter((share, index) => share !== shares[index - 1]);
  assert.deepEqual(changes, ["hot 0", "warm 0", "warm 1", "warm 10", "warm 50", "warm 100", "hot 0"]);
  assert.equal((await world.status()).failback.step, null);
});

test("failures on hot that a gateway counts take the returned traffic back, and the next failback waits", async () => {
  const { world, clock, gateway, killHot } = await createLadderWorld({ failoverPolicy: { failback: { soak: "10s" } } });
  let [requests, onHot] = [0, 0];
  const count = (failed: number): void => {
    requests += 100;
    onHot += failed * 10;
    const returned = { requests: onHot, failed: onHot / 10, firstTokenP99Ms: null };
    const totals = {
      requests,
      failed: 0,
      inFlight: 1,
      promptTokens: 0,
      outputTokens: 0,
      firstTokenP99Ms: 20,
      returned,
      alertCounters: null,
    };
    gateway.say({ type: "counts", services: [{ service: serviceName("gold"), ...totals }] });
  };
  killHot();
  for (let second = 0; second < 30; second += 1) {
    await clock.advance(1_000);
    count((await world.status()).failback.step === null ? 0 : 3);
    if ((await world.status()).failback.undone !== null) break;
  }
  const { level, failback, conditions } = await world.status();
  assert.deepEqual([level, failback.step, failback.undone?.count], ["warm", null, 1]);
  assert.match(failback.undone?.why ?? "", /^\d+ of \d+ requests failed on hot, before 0 of \d+\.$/);
  assert.equal(conditions.find(({ type }) => type === "FailbackBlocked")?.status, "True");
  assert.equal(gateway.table().returnPercent, 0);
});

test("what only restores redundancy boots after what serves again is up", async () => {
  const { world, clock, platform, killHot } = await createLadderWorld();
  const before = platform.starts.length;
  platform.kill("gold-warm-1");
  killHot();
  await clock.advance(1_000);
  const begun = platform.starts.slice(before);
  assert.deepEqual([begun[0], begun.length], ["gold-cold-1/1 on gpu-a/3", 4]);
  assert.equal((await world.status()).level, "cold");
});

for (const bad of ["failed", "garbage"] as const)
  test(`a ${bad} wake is never served from: the sleeper is fenced and comes back as a new generation`, async () => {
    const { world, clock, platform, gateway, killHot } = await createLadderWorld();
    platform.badWakes.set(instanceName("gold-warm-1"), bad);
    killHot();
    await clock.advance(290);
    const told = gateway.told.flatMap((message) => (message.type === "table" ? [message.table] : []));
    const wasRouted = told.some((table) =>
      table.rungs.some((rung) => rung.endpoints.some((one) => one.instance === "gold-warm-1" && one.generation === 1 && one.isReady)),
    );
    assert.equal(wasRouted, false);
    await clock.advance(15_000);
    assert.deepEqual(await world.states(), ["gold-hot-1/2 Ready", "gold-hot-2/2 Ready", "gold-warm-1/2 Asleep"]);
    assert.equal((await world.status()).level, "hot");
  });

test("a gateway's wake is ratified without a second one", async () => {
  const { world, clock, platform, gateway, killHot } = await createLadderWorld();
  platform.engine("gold-warm-1").isAsleep = false;
  gateway.activated("gold-warm-1", 1, "awake");
  killHot();
  await clock.advance(30);
  assert.deepEqual(gateway.ready(), ["gold-warm-1"]);
  assert.deepEqual([(await world.status()).level, platform.naps.includes("wake gold-warm-1/1")], ["warm", false]);
});

test("a wake that a gateway finished first is kept no longer than one that the control plane finished", async () => {
  const { world, clock, platform, gateway, killHot, place } = await createLadderWorld();
  killHot();
  await clock.advance(100);
  assert.deepEqual(await place(), ["warm", "Waking", 2]);
  gateway.activated("gold-warm-1", 1, "awake");
  await clock.advance(50);
  assert.deepEqual([gateway.ready(), platform.naps], [["gold-warm-1"], ["sleep gold-warm-1/1"]]);
  await clock.advance(7_000);
  assert.deepEqual((await world.states())[2], "gold-warm-1/1 Asleep");
});

test("hot and warm lost starts the cold reserve, which is gone again after failback", async () => {
  const { world, clock, platform, killHot, moves, place } = await createLadderWorld();
  platform.kill("gold-warm-1");
  killHot();
  await clock.advance(50);
  assert.deepEqual((await place())[0], "cold");
  assert.ok(platform.starts.includes("gold-cold-1/1 on gpu-a/3"), platform.starts.join(", "));
  await clock.advance(40_000);
  assert.deepEqual((await place()).slice(0, 2), ["hot", "Normal"]);
  assert.deepEqual([...platform.engines.keys()].toSorted(), ["gold-hot-1", "gold-hot-2", "gold-warm-1"]);
  assert.ok(
    (await moves()).every((move) => move.endsWith("Completed")),
    (await moves()).join(", "),
  );
  assert.deepEqual((await world.states()).length, 3);
});

test("an operator's failover wakes first and moves then, stays until the operator's failback, and is not counted", async () => {
  const { world, clock, gateway, platform } = await createLadderWorld();
  await world.request("request-a", "failover", "warm");
  await clock.advance(100);
  assert.deepEqual([(await world.status()).level, gateway.ready()], ["hot", ["gold-hot-1", "gold-hot-2"]]);
  await clock.advance(10_000);
  const moved = await world.status();
  assert.deepEqual([moved.level, moved.pinned, moved.failovers.inWindow], ["warm", "warm", 0]);
  assert.equal((await world.records()).get("request-a")?.status?.phase, "Completed");
  await world.request("request-b", "failback");
  await clock.advance(5_000);
  const back = await world.status();
  assert.deepEqual([back.level, back.pinned, (await world.records()).get("request-b")?.status?.phase], ["hot", null, "Completed"]);
  assert.deepEqual([platform.engine("gold-warm-1").isAsleep, await world.states()], [true, AT_REST]);
});

test("a service that may make no move is held: its sleeper sleeps on, and its dead ones are restarted", async () => {
  const { world, clock, platform, killHot } = await createLadderWorld({
    failoverPolicy: { maxFailoverCount: 0, failback: { soak: "1s" } },
  });
  killHot();
  await clock.advance(100);
  assert.equal((await world.status()).phase, "Hold");
  await clock.advance(5_000);
  assert.deepEqual(platform.naps, ["sleep gold-warm-1/1"]);
  assert.deepEqual(await world.states(), ["gold-hot-1/2 Ready", "gold-hot-2/2 Ready", "gold-warm-1/1 Asleep"]);
});

test("at the limit failback is held too, until the operator resumes", async () => {
  const { world, clock, killHot, place } = await createLadderWorld({ failoverPolicy: { maxFailoverCount: 1, failback: { soak: "1s" } } });
  killHot();
  await clock.advance(20_000);
  assert.deepEqual(await place(), ["warm", "Hold", 2]);
  await world.request("request-r", "resume");
  await clock.advance(10_000);
  assert.deepEqual(await place(), ["hot", "Normal", 3]);
  assert.deepEqual((await world.records()).get("request-r")?.status?.phase, "Completed");
  assert.equal((await world.status()).failovers.inWindow, 0);
});

test("a service that only advises records what it would have done", async () => {
  const { clock, platform, killHot, moves } = await createLadderWorld({
    failoverPolicy: { autoFailover: false, failback: { soak: "1s" } },
  });
  killHot();
  await clock.advance(200);
  assert.deepEqual([platform.naps, (await moves()).filter((move) => move.endsWith("Advised")).length], [["sleep gold-warm-1/1"], 1]);
});

test("what a gateway measured of a loss stands in the record of the move, and in the service's RTO", async () => {
  const { world, clock, gateway, killHot } = await createLadderWorld();
  const episode = {
    type: "episode",
    service: serviceName("gold"),
    uid: gateway.table().uid,
    epoch: gateway.table().epoch,
    number: 1,
    instance: instanceName("gold-hot-1"),
    cause: "reset",
    from: "hot",
    affected: 7,
    lost: 0,
  } as const;
  killHot();
  await clock.advance(20);
  const open = { to: null, targetReadyAgeMs: null, firstGoodTokenAgeMs: null, endedAgeMs: null, rtoMs: null, isOver: false };
  gateway.say({ ...episode, ...open, faultAgeMs: 20, detectedAgeMs: 18 });
  await clock.advance(280);
  const over = { to: "warm", targetReadyAgeMs: 70, firstGoodTokenAgeMs: 50, endedAgeMs: 40, rtoMs: 250, isOver: true } as const;
  gateway.say({ ...episode, ...over, faultAgeMs: 300, detectedAgeMs: 298 });
  await clock.advance(20);
  const status = (await world.records()).get("gold-2")?.status;
  assert.deepEqual([status?.rtoMs, status?.affected], [250, { requests: 7, lost: 0 }]);
  assert.ok(status?.clock.fault !== null && status?.clock.firstGoodToken !== null);
  assert.equal((await world.status()).rto.lastMs, 250);
});

test("a FailoverRecord that cannot be written holds up no failover, and is written later", async () => {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  await world.putGold(LADDER);
  await world.placeAll(PLACES);
  let isBroken = true;
  await world.startControlPlane({
    store: {
      ...store,
      create: async (draft) => (isBroken ? err({ code: "UNAVAILABLE", applied: "no", reason: "full disk" }) : store.create(draft)),
    },
  });
  await clock.advance(3_000);
  for (const name of ["gold-hot-1", "gold-hot-2"]) world.platform.kill(name);
  await clock.advance(290);
  assert.deepEqual([world.gateway.ready(), (await world.records()).size], [["gold-warm-1"], 0]);
  isBroken = false;
  await clock.advance(300);
  assert.equal((await world.records()).get("gold-2")?.status?.phase, "Completed");
});

test("a status that was stored although its write failed takes nothing before its own table is acknowledged", async () => {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  await world.putGold(LADDER);
  await world.placeAll(PLACES);
  let hasFailed = false;
  await world.startControlPlane({
    store: {
      ...store,
      async writeStatus(of, status, version) {
        const written = await store.writeStatus(of, status, version);
        if (hasFailed || !JSON.stringify(status).includes("drains, then sleeps")) return written;
        hasFailed = true;
        world.gateway.isSilent = true;
        return err({ code: "UNAVAILABLE", applied: "unknown", reason: "no answer" });
      },
    },
  });
  await clock.advance(3_000);
  for (const name of ["gold-hot-1", "gold-hot-2"]) world.platform.kill(name);
  await clock.advance(8_000);
  assert.deepEqual([hasFailed, world.platform.engine("gold-warm-1").isAsleep], [true, false]);
  world.gateway.isSilent = false;
  world.gateway.leave();
  world.gateway.join();
  await clock.advance(3_000);
  assert.equal(world.platform.engine("gold-warm-1").isAsleep, true);
});

test("of a service's finished records the newest fifty stay, and none of a service that is gone", async () => {
  const { world, clock, store } = await createLadderWorld();
  const spec = { service: "gold", action: "failback", from: "hot", to: null, cause: "operator", requestedBy: "operator" };
  for (let count = 0; count < 55; count += 1) {
    await world.put({ kind: "FailoverRecord", name: `request-${String(count).padStart(2, "0")}`, spec });
    await clock.advance(100);
  }
  await clock.advance(10_000);
  const names = [...(await world.records()).keys()].toSorted();
  assert.deepEqual([names.length, names.includes("request-54"), names.includes("request-00")], [50, true, false]);
  await store.remove("HotStandbyConfig", "gold");
  await clock.advance(10_000);
  assert.equal((await world.records()).size, 0);
});
