import { test } from "node:test";
import assert from "node:assert/strict";
import type { JsonObject } from "../base/json.ts";
import { cold1, FakeLadder, hot1, hot2, ladderConfig, steadyLadder, warm1 } from "./fake-ladder.ts";

interface Case {
  readonly name: string;
  readonly change?: JsonObject;
  /** What happens to a steady service before the look. */
  readonly when: (ladder: FakeLadder) => void;
  /** `level/epoch/phase` after that look. */
  readonly place: string;
  readonly actions: readonly string[];
  readonly inWindow: number;
}

const RESIDENT = { warmStandby: { gpuCount: 1, memoryReserved: "40GB", rest: "resident", lend: "never" } };
const NO_WARM = { warmStandby: { gpuCount: 0 } };
const NO_RESERVE = { coldStandby: { imageCache: true } };
const HELD = { failoverPolicy: { maxFailoverCount: 0 } };
const ADVISE = { failoverPolicy: { autoFailover: false } };
const restarts = [`start ${hot1}`, `start ${hot2}`];
const urgentRestarts = [`start ${hot1}!`, `start ${hot2}!`];

const cases: readonly Case[] = [
  { name: "a ladder where nothing happens does nothing", when: () => undefined, place: "hot/1/Normal", actions: [], inWindow: 0 },
  {
    name: "one hot instance lost is a restart and no move",
    when: (ladder) => ladder.kill(hot1),
    place: "hot/1/Restoring",
    actions: [`start ${hot1}`],
    inWindow: 0,
  },
  {
    name: "all hot lost with a resident warm is a move to it, and no activation",
    change: RESIDENT,
    when: (ladder) => ladder.kill(hot1, hot2),
    place: "warm/2/Shifting",
    actions: restarts,
    inWindow: 1,
  },
  {
    name: "all hot lost with a sleeping warm wakes it, urgently, before anything else",
    when: (ladder) => ladder.kill(hot1, hot2),
    place: "warm/2/Waking",
    actions: [...restarts, `wake ${warm1}!`],
    inWindow: 1,
  },
  {
    name: "hot and warm lost start the cold reserve, urgently",
    when: (ladder) => ladder.kill(hot1, hot2, warm1),
    place: "cold/2/ColdStarting",
    actions: [...restarts, `start ${warm1}`, `start ${cold1}!`],
    inWindow: 1,
  },
  {
    name: "hot lost without warm starts the cold reserve",
    change: NO_WARM,
    when: (ladder) => ladder.kill(hot1, hot2),
    place: "cold/2/ColdStarting",
    actions: [...restarts, `start ${cold1}!`],
    inWindow: 1,
  },
  {
    name: "hot lost without warm and reserve is a cold start in place",
    change: { ...NO_WARM, ...NO_RESERVE },
    when: (ladder) => ladder.kill(hot1, hot2),
    place: "cold/2/ColdStarting",
    actions: urgentRestarts,
    inWindow: 1,
  },
  {
    name: "every GPU lost is degraded",
    when: (ladder) => ladder.loseGpus(0, 1, 2, 3),
    place: "degraded/2/Degraded",
    actions: [],
    inWindow: 1,
  },
  {
    name: "a hot instance that cannot be placed is replaced from the reserve while traffic stays on hot",
    when: (ladder) => ladder.loseGpus(0),
    place: "hot/1/Restoring",
    actions: [`start ${cold1}`],
    inWindow: 0,
  },
  {
    name: "under Hold nothing is woken: what restarts in place is waited for",
    change: HELD,
    when: (ladder) => ladder.kill(hot1, hot2),
    place: "cold/2/Hold",
    actions: urgentRestarts,
    inWindow: 1,
  },
  {
    name: "under Hold a Ready warm instance serves all the same",
    change: { ...HELD, ...RESIDENT },
    when: (ladder) => ladder.kill(hot1, hot2),
    place: "warm/2/Shifting",
    actions: restarts,
    inWindow: 1,
  },
  {
    name: "under Hold the reserve is not started, neither to serve nor to restore redundancy",
    change: { ...HELD, ...NO_WARM },
    when: (ladder) => ladder.loseGpus(0, 1),
    place: "degraded/2/Hold",
    actions: [],
    inWindow: 1,
  },
  {
    name: "where only advice is wanted nothing is woken",
    change: ADVISE,
    when: (ladder) => ladder.kill(hot1, hot2),
    place: "cold/2/Hold",
    actions: urgentRestarts,
    inWindow: 1,
  },
  {
    name: "a warm instance that a gateway woke for the lost is ratified without a second wake",
    when: (ladder) => ladder.kill(hot1, hot2).activated(warm1, "awake"),
    place: "warm/2/Shifting",
    actions: restarts,
    inWindow: 1,
  },
  {
    name: "a warm instance that a gateway could not wake is fenced, and the reserve started",
    when: (ladder) => ladder.kill(hot1, hot2).activated(warm1, "failed"),
    place: "cold/2/ColdStarting",
    actions: [...restarts, `fence ${warm1}`, `start ${cold1}!`],
    inWindow: 1,
  },
  {
    name: "a warm instance that a gateway woke for overflow is no failover",
    when: (ladder) => ladder.activated(warm1, "awake", "saturated"),
    place: "hot/1/Normal",
    actions: [],
    inWindow: 0,
  },
  {
    name: "a sleeping warm that is lost while hot serves restarts and moves nothing",
    when: (ladder) => ladder.kill(warm1),
    place: "hot/1/Normal",
    actions: [`start ${warm1}`],
    inWindow: 0,
  },
];
for (const c of cases) {
  test(c.name, () => {
    const ladder = steadyLadder(c.change);
    c.when(ladder);
    ladder.look();
    assert.deepEqual([ladder.place, ladder.actions, ladder.status?.failovers.inWindow], [c.place, c.actions, c.inWindow]);
  });
}

test("a first start is no failover: epoch 1 on hot, nothing counted, nothing recorded", () => {
  const ladder = new FakeLadder(ladderConfig());
  ladder.look();
  assert.deepEqual([ladder.place, ladder.actions.some((action) => action.endsWith("!"))], ["degraded/0/ColdStarting", false]);
  ladder.settle();
  assert.deepEqual([ladder.place, ladder.recorded, ladder.status?.failovers.inWindow], ["hot/1/Normal", [], 0]);
  assert.equal(ladder.state(warm1), "Asleep");
});

test("a first start that hot cannot make serves from the next rung, uncounted", () => {
  const ladder = new FakeLadder(ladderConfig()).loseGpus(0, 1).settle();
  assert.deepEqual([ladder.status?.level, ladder.status?.epoch, ladder.status?.failovers.inWindow], ["warm", 1, 0]);
});

test("a platform that starts again moves in place without a failover", () => {
  const ladder = steadyLadder().kill(hot1, hot2, warm1);
  ladder.crash();
  ladder.settle();
  assert.deepEqual([ladder.status?.level, ladder.recorded, ladder.status?.failovers.inWindow], ["hot", [], 0]);
});

test("a service goes down rung by rung and comes back to hot, each step with its record", () => {
  const ladder = steadyLadder().kill(hot1, hot2);
  ladder.badStarts.add(hot1).add(hot2);
  ladder.look();
  ladder.badWakes.set(warm1, "garbage");
  ladder.tasks.set(warm1, { kind: "woken", generation: ladder.engines.get(warm1)?.generation ?? fail(), answer: "garbage" });
  ladder.look();
  assert.deepEqual([ladder.place, ladder.state(warm1)], ["cold/3/ColdStarting", "Fenced"]);
  ladder.look();
  assert.deepEqual([ladder.place, ladder.state(cold1)], ["cold/3/Shifting", "Ready"]);
  ladder.badStarts.clear();
  for (let second = 0; second < 30; second += 1) ladder.look(1_000);
  assert.equal(ladder.place, "hot/4/Normal");
  assert.deepEqual([ladder.state(warm1), ladder.state(cold1)], ["Asleep", "none"]);
  assert.deepEqual(ladder.recorded, ["gold-2 hot>warm Failed", "gold-3 warm>cold Completed", "gold-4 cold>hot Completed"]);
  assert.equal(ladder.status?.openMove, null);
});

test("a woken engine with a wrong answer never serves", () => {
  const ladder = steadyLadder().kill(hot1, hot2);
  ladder.badWakes.set(warm1, "garbage");
  const states: string[] = [];
  for (let look = 0; look < 4; look += 1) {
    ladder.look();
    states.push(`${ladder.state(warm1)}/${ladder.status?.instances.find(({ name }) => name === warm1)?.generation ?? 0}`);
  }
  assert.deepEqual(states.slice(0, 2), ["Waking/1", "Fenced/1"]);
  assert.ok(states.slice(2).every((state) => state.endsWith("/2")));
});

test("failback waits for the soak of all of hot, and a break begins it anew", () => {
  const ladder = steadyLadder().kill(hot1, hot2).settle(4);
  assert.deepEqual([ladder.place, ladder.state(warm1)], ["warm/2/Restoring", "Ready"]);
  ladder.look(8_000);
  ladder.kill(hot2).look();
  assert.equal(ladder.status?.soakSince, null);
  ladder.settle(3);
  ladder.look(8_000);
  assert.equal(ladder.status?.level, "warm");
  ladder.look(2_000);
  assert.deepEqual([ladder.place, ladder.step, ladder.state(warm1)], ["warm/2/Failback", 1, "Ready"]);
  for (let second = 0; second < 4; second += 1) ladder.look(1_000);
  assert.deepEqual([ladder.place, ladder.step, ladder.state(warm1)], ["hot/3/Failback", null, "Draining"]);
});

for (const rest of ["resident", "asleep"]) {
  test(`a rollout of the only hot instance goes by way of a ${rest} warm one and back, counted and soaked by nothing`, () => {
    const warmStandby = { gpuCount: 1, memoryReserved: "40GB", rest, lend: "never" };
    const one = { hotStandby: { gpuCount: 1, memoryReserved: "40GB" }, warmStandby };
    const ladder = steadyLadder(one);
    ladder.config = ladderConfig({ ...one, model: { name: "tidegate-sim-8b", revision: "r2" } });
    const places = new Set<string>();
    for (let look = 0; look < 40; look += 1) {
      ladder.look();
      places.add(ladder.status?.level ?? "none");
      assert.ok(
        ladder.status?.instances.some(({ state }) => state === "Ready"),
        "somebody serves at every moment",
      );
    }
    assert.deepEqual([[...places], ladder.status?.level, ladder.status?.failovers.inWindow], [["hot", "warm"], "hot", 0]);
    assert.deepEqual(ladder.recorded, ["gold-2 hot>warm Completed", "gold-3 warm>hot Completed"]);
    assert.equal(ladder.records.get("gold-2")?.cause, "rollout");
    const fingerprints = new Set(ladder.status?.instances.map(({ fingerprint }) => fingerprint));
    assert.deepEqual([fingerprints.size, ladder.state(warm1)], [1, rest === "asleep" ? "Asleep" : "Ready"]);
  });
}

test("a service that prefers no rung stays where it is", () => {
  const ladder = steadyLadder({ failoverPolicy: { failback: { preferred: "none", soak: "1s" } } })
    .kill(hot1, hot2)
    .settle(40);
  assert.deepEqual([ladder.status?.level, ladder.state(warm1)], ["warm", "Ready"]);
});

test("a move up is immediate where the rung below has nobody", () => {
  const ladder = steadyLadder(RESIDENT).kill(hot1, hot2).settle(4);
  assert.equal(ladder.status?.level, "warm");
  ladder.kill(warm1).look();
  assert.deepEqual([ladder.status?.level, ladder.status?.epoch, ladder.status?.failovers.inWindow], ["hot", 3, 1]);
});

test("what a gateway woke for overflow stays awake while hot is full, and sleeps ten seconds after that", () => {
  const ladder = steadyLadder().activated(warm1, "awake", "saturated");
  ladder.inFlight = 120;
  for (let second = 0; second < 20; second += 1) ladder.look(1_000);
  assert.equal(ladder.state(warm1), "Ready");
  ladder.inFlight = 60;
  for (let second = 0; second < 9; second += 1) ladder.look(1_000);
  assert.equal(ladder.state(warm1), "Ready");
  for (let second = 0; second < 4; second += 1) ladder.look(1_000);
  assert.deepEqual([ladder.state(warm1), ladder.place], ["Asleep", "hot/1/Normal"]);
});

test("no engine is put to sleep before every gateway has acknowledged that it is out", () => {
  const ladder = steadyLadder().activated(warm1, "awake", "saturated");
  ladder.look();
  ladder.isAcknowledged = false;
  for (let second = 0; second < 60; second += 1) ladder.look(1_000);
  assert.deepEqual([ladder.state(warm1), ladder.engines.get(warm1)?.isAsleep], ["Draining", false]);
  ladder.isAcknowledged = true;
  ladder.settle(3);
  assert.deepEqual([ladder.state(warm1), ladder.engines.get(warm1)?.isAsleep], ["Asleep", true]);
});

test("a reserve that stood in for a hot instance ends when hot has been whole for the soak", () => {
  const ladder = steadyLadder().loseGpus(0).settle(3);
  assert.deepEqual([ladder.place, ladder.state(cold1)], ["hot/1/Normal", "Ready"]);
  assert.equal(ladder.status?.conditions.find(({ type }) => type === "RedundancyLost")?.reason, "ReserveStandsIn");
  ladder.lostGpus.clear();
  ladder.settle(4);
  assert.equal(ladder.state(cold1), "Ready");
  for (let second = 0; second < 14; second += 1) ladder.look(1_000);
  assert.deepEqual([ladder.state(cold1), ladder.engines.has(cold1), ladder.status?.level], ["none", false, "hot"]);
});

test("the fourth failover of a window is held: said once, shown in phase and condition, ended by its window", () => {
  const ladder = steadyLadder({ failoverPolicy: { window: "10m", failback: { soak: "1s" } } });
  for (let failover = 0; failover < 3; failover += 1) {
    ladder.kill(hot1, hot2);
    for (let second = 0; second < 12; second += 1) ladder.look(1_000);
    assert.equal(ladder.status?.level, failover < 2 ? "hot" : "warm");
  }
  // The third move used up the count, so there is no failback, but what is awake serves on.
  assert.deepEqual([ladder.place, ladder.status?.failovers.inWindow], [`warm/${ladder.status?.epoch}/Hold`, 3]);
  const said = ladder.status?.history.filter(({ what }) => what === "Does not fail back to hot.") ?? [];
  assert.equal(said.length, 1);
  assert.match(said[0]?.why ?? "", /^Hold, 3 of 3 moves since .* \(epoch 6\)\.$/);
  assert.equal(ladder.status?.conditions.find(({ type }) => type === "Held")?.status, "True");
  ladder.look(600_000);
  assert.deepEqual([ladder.status?.failovers.inWindow, ladder.step], [0, 1]);
  for (let second = 0; second < 4; second += 1) ladder.look(1_000);
  assert.equal(ladder.status?.level, "hot");
});

test("hot engines that took more of their GPUs than they were granted are ended, and the move that follows names that", () => {
  const ladder = steadyLadder();
  ladder.takers.add(hot1).add(hot2);
  ladder.look();
  assert.deepEqual([ladder.state(hot1), ladder.state(hot2), ladder.status?.level], ["Fenced", "Fenced", "warm"]);
  assert.equal(ladder.records.get("gold-2")?.cause, "isolation-violation");
  assert.equal(ladder.status?.conditions.find(({ type }) => type === "IsolationViolated")?.status, "True");
});

test("under Hold a sleeping warm instance is left asleep, and why is said once", () => {
  const ladder = steadyLadder(HELD);
  ladder.badStarts.add(hot1).add(hot2);
  ladder.kill(hot1, hot2).settle(3);
  assert.equal(ladder.state(warm1), "Asleep");
  const said = ladder.status?.history.filter(({ what }) => what === `Does not wake ${warm1}.`).map(({ why }) => why);
  assert.deepEqual(said, ["Hold, maxFailoverCount is 0 (epoch 1).", "Hold, 1 of 0 moves since 2027-01-15T08:00:01.300Z (epoch 2)."]);
});

test("where only advice is wanted the move that was not made is recorded once an epoch", () => {
  const ladder = steadyLadder(ADVISE).kill(hot1, hot2);
  ladder.badStarts.add(hot1).add(hot2);
  ladder.settle(6);
  const record = ladder.records.get("gold-2-advised");
  assert.deepEqual([record?.to, record?.status?.phase], ["warm", "Advised"]);
  assert.match(record?.status?.reason ?? "", /^Does not wake gold-warm-1\. autoFailover is false/);
});

function fail(): never {
  throw new Error("the warm instance runs");
}
