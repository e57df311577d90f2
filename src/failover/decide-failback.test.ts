import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../base/json.ts";
import { cold1, episodeAt, hot1, hot2, ladderConfig, steadyLadder, warm1, type FakeLadder } from "./fake-ladder.ts";

/** A step lasts six seconds at least, twelve at most. */
const policy = (failback: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  failoverPolicy: { maxFailoverCount: 100, failback: { soak: "1m", steps: [5, 25, 100], ...failback }, ...more },
});

/** Looks once a second under load, of which hot has its share. */
function run(ladder: FakeLadder, seconds: number, load: { readonly rate?: number; readonly failedOnHot?: number } = {}): FakeLadder {
  const { rate = 100, failedOnHot = 0 } = load;
  for (let second = 0; second < seconds; second += 1) {
    const returned = Math.floor((rate * (ladder.step ?? 0)) / 100);
    ladder.serve({ requests: rate, returned, returnedFailed: Math.floor(returned * failedOnHot) }).look(1_000);
  }
  return ladder;
}

/** Until a step of this percentage has begun, or hot has it all. */
function runUntil(ladder: FakeLadder, percent: number | "hot"): FakeLadder {
  for (let second = 0; second < 700; second += 1) {
    if (percent === "hot" ? ladder.status?.level === "hot" : ladder.step === percent) return ladder;
    run(ladder, 1);
  }
  return assert.fail(`no step of ${percent}: ${ladder.place}, ${ladder.step}`);
}

/** Hot was lost, warm serves, and all of hot is Ready again. */
const onWarm = (change: JsonObject = policy()): FakeLadder => run(steadyLadder(change).kill(hot1, hot2), 4);

const saidOf = (ladder: FakeLadder, what: string): readonly string[] =>
  (ladder.status?.history ?? []).filter((entry) => entry.what === what).map(({ why }) => why);
const conditionOf = (ladder: FakeLadder, type: string): string => {
  const found = ladder.status?.conditions.find((condition) => condition.type === type);
  return `${found?.status} ${found?.reason}: ${found?.message}`;
};
const undoneCount = (ladder: FakeLadder): number => ladder.status?.failback.undone?.count ?? 0;

test("traffic returns in the configured steps, each for a tenth of the soak", () => {
  const ladder = runUntil(onWarm(), 5);
  const steps: unknown[] = [];
  for (let second = 0; second < 18; second += 1) {
    steps.push([ladder.step, ladder.place, ladder.state(warm1)]);
    run(ladder, 1);
  }
  const six = (percent: number): unknown[] => Array.from({ length: 6 }, () => [percent, "warm/2/Failback", "Ready"]);
  assert.deepEqual(steps, [...six(5), ...six(25), ...six(100)]);
  assert.deepEqual([ladder.step, ladder.place, ladder.state(warm1)], [null, "hot/3/Failback", "Draining"]);
  run(ladder, 3);
  assert.deepEqual([ladder.place, ladder.state(warm1), undoneCount(ladder)], ["hot/3/Normal", "Asleep", 0]);
  assert.match(saidOf(ladder, "Sends 5 % of new requests to hot.")[0] ?? "", /^Every hot instance has been Ready since 2027-/);
  assert.deepEqual(saidOf(ladder, "Sends 25 % of new requests to hot."), [
    "30 requests on hot, 0 failed, first tokens 50 ms (p99; before 50 ms).",
  ]);
  assert.match(ladder.records.get("gold-3")?.status?.reason ?? "", /^At 100 %: 600 requests on hot, 0 failed/);
});

test("each step is a new table of the same epoch", () => {
  const ladder = runUntil(onWarm(), 5);
  const at = { epoch: ladder.status?.epoch, revision: ladder.status?.revision ?? 0 };
  run(ladder, 5);
  assert.equal(ladder.status?.revision, at.revision);
  runUntil(ladder, 25);
  assert.deepEqual([ladder.status?.epoch, ladder.status?.revision], [at.epoch, at.revision + 1]);
});

test("a bad step goes back to the lower rung at once, says why, and the next failback waits twice as long", () => {
  const ladder = runUntil(onWarm(), 25);
  run(ladder, 1, { failedOnHot: 0.4 });
  assert.deepEqual([ladder.step, ladder.place, ladder.state(warm1), undoneCount(ladder)], [null, "warm/2/Restoring", "Ready", 1]);
  const [why] = saidOf(ladder, "Takes traffic back to warm.");
  assert.match(why ?? "", /^10 of \d+ requests failed on hot, before 0 of \d+\. Hot must be well for 2m before the next failback\.$/);
  assert.match(
    conditionOf(ladder, "FailbackBlocked"),
    /^True LastUndone: The last failback did not last \(2027-.* Hot must be well for 2m/,
  );
  run(ladder, 119);
  assert.equal(ladder.step, null);
  run(ladder, 1);
  assert.equal(ladder.step, 5);
});

test("a hot instance that is lost during a step takes its share with it, and counts as a failback that did not last", () => {
  const ladder = runUntil(onWarm(), 25).kill(hot2);
  run(ladder, 1);
  assert.deepEqual([ladder.step, ladder.status?.level, undoneCount(ladder)], [null, "warm", 1]);
  assert.match(saidOf(ladder, "Takes traffic back to warm.")[0] ?? "", /^gold-hot-2 was lost at 25 %\. Hot must be well for 2m/);
});

test("the lower rung that is lost during a step gives everything to hot", () => {
  const ladder = runUntil(onWarm(), 5).kill(warm1);
  run(ladder, 1);
  assert.deepEqual([ladder.step, ladder.status?.level, undoneCount(ladder)], [null, "hot", 0]);
});

test("both rungs lost during a step is a move further down and a failback that did not last", () => {
  const ladder = runUntil(onWarm(), 5).kill(hot1, hot2, warm1);
  run(ladder, 1);
  assert.deepEqual([ladder.step, ladder.status?.level, undoneCount(ladder)], [null, "cold", 1]);
  runUntil(ladder, "hot");
  run(ladder, 30);
  assert.deepEqual([ladder.status?.level, ladder.state(cold1)], ["hot", "none"]);
});

test("too few requests pause a step, which is said once, and goes on when its longest time is over", () => {
  const ladder = runUntil(onWarm(), 5);
  run(ladder, 6, { rate: 2 });
  assert.match(conditionOf(ladder, "FailingBack"), /^True Paused: 5 % of new requests go to hot since 2027-.*Z\. Fewer than 10 requests/);
  run(ladder, 5, { rate: 2 });
  assert.deepEqual([ladder.step, saidOf(ladder, "Pauses the failback at 5 %.").length], [5, 1]);
  run(ladder, 1, { rate: 2 });
  assert.equal(ladder.step, 25);
  assert.match(conditionOf(ladder, "FailingBack"), /^True InSteps: 25 % of new requests go to hot since /);
  assert.deepEqual(saidOf(ladder, "Sends 25 % of new requests to hot."), [
    "Only 0 requests on hot, 0 failed in 12s: too few to judge by, and none of them is bad.",
  ]);
});

test("without traffic a failback takes the least time of each step", () => {
  const ladder = steadyLadder(policy()).kill(hot1, hot2);
  for (let second = 0; second < 4 + 60 + 18; second += 1) ladder.look(1_000);
  assert.equal(ladder.status?.level, "hot");
});

test("a service without written steps returns by 1, 10, 50 and 100 %", () => {
  const ladder = onWarm({ failoverPolicy: { failback: { soak: "10s" } } });
  const steps = new Set<number | null>();
  for (let second = 0; second < 40; second += 1) steps.add(run(ladder, 1).step);
  assert.deepEqual([[...steps], ladder.status?.level], [[null, 1, 10, 50, 100], "hot"]);
});

test("failbacks that do not last wait twice as long each time, eight times at most, until hot has held for long", () => {
  const ladder = onWarm(policy({ soak: "10s", steps: [100] }));
  const waitsS: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const soakingMs = ladder.nowMs;
    runUntil(ladder, "hot");
    waitsS.push(Math.round((ladder.nowMs - soakingMs) / 10_000) * 10);
    ladder.kill(hot1, hot2);
    run(ladder, 4);
    assert.deepEqual([ladder.status?.level, undoneCount(ladder)], ["warm", round + 1]);
  }
  assert.deepEqual(waitsS, [10, 20, 40, 80, 80]);
  assert.match(
    saidOf(ladder, "The last failback did not last.").at(-1) ?? "",
    /^Hot was lost 1s after it\. Hot must be well for 1m20s before/,
  );
  runUntil(ladder, "hot");
  run(ladder, 98);
  assert.equal(undoneCount(ladder), 5);
  run(ladder, 4);
  assert.deepEqual([undoneCount(ladder), saidOf(ladder, "Forgets the failbacks that did not last.").length], [0, 1]);
  assert.match(conditionOf(ladder, "FailbackBlocked"), /^False NoneUndone/);
});

test("a spent error budget makes failbacks wait for the longest, says so once, and a resume ends that", () => {
  const ladder = steadyLadder(policy({ soak: "10s", steps: [100] })).kill(hot1, hot2);
  // Of four minutes and 20 seconds.
  ladder.episodes = [episodeAt(ladder.nowMs, { rtoMs: 300_000 })];
  run(ladder, 4);
  assert.match(
    saidOf(ladder, "The error budget is spent: failbacks wait for the longest.")[0] ?? "",
    /of 4m20s for 30 days at platinum burned/,
  );
  assert.match(conditionOf(ladder, "ErrorBudgetSpent"), /^True Spent: .* of 4m20s .*; failbacks wait for the longest until resume\.$/);
  const soakingMs = ladder.nowMs;
  run(ladder, 75);
  assert.equal(ladder.step, null);
  runUntil(ladder, 100);
  assert.equal(Math.round((ladder.nowMs - soakingMs) / 10_000), 8);
  assert.equal(saidOf(ladder, "The error budget is spent: failbacks wait for the longest.").length, 1);
  ladder.ask("resume").look();
  assert.match(conditionOf(ladder, "ErrorBudgetSpent"), /^False Left: none of 4m20s for 30 days at platinum is burned\.$/);
});

test("an operator who resumes a service with a spent error budget makes it fail back after the soak", () => {
  const ladder = steadyLadder(policy({ soak: "10s", steps: [100] })).kill(hot1, hot2);
  ladder.episodes = [episodeAt(ladder.nowMs, { rtoMs: 300_000 })];
  run(ladder, 20);
  assert.deepEqual([ladder.step, ladder.status?.level], [null, "warm"]);
  ladder.ask("resume").look();
  run(ladder, 1);
  assert.equal(ladder.step, 100);
});

test("hot that is lost later than a soak after a failback is a new failover, and makes nobody wait longer", () => {
  const ladder = runUntil(onWarm(policy({ soak: "10s", steps: [100] })), "hot");
  run(ladder, 12).kill(hot1, hot2);
  run(ladder, 4);
  assert.deepEqual([ladder.status?.level, undoneCount(ladder)], ["warm", 0]);
});

test("a service that prefers no rung takes no step, and an operator's failback moves all of it at once", () => {
  const ladder = run(onWarm(policy({ preferred: "none" })), 200);
  assert.deepEqual([ladder.status?.level, ladder.step], ["warm", null]);
  ladder.ask("failback").look();
  assert.deepEqual([ladder.status?.level, ladder.step], ["hot", null]);
  run(ladder, 3);
  assert.deepEqual([ladder.status?.phase, ladder.state(warm1)], ["Normal", "Asleep"]);
});

test("an operator's failback during a step ends the steps", () => {
  const ladder = runUntil(onWarm(), 5).ask("failback");
  ladder.look();
  assert.deepEqual([ladder.status?.level, ladder.step, undoneCount(ladder)], ["hot", null, 0]);
});

const withdrawals: readonly { readonly name: string; readonly by: (ladder: FakeLadder) => void; readonly why: RegExp }[] = [
  {
    name: "an operator who pins the lower rung",
    by: (ladder) => void ladder.ask("failover", "warm"),
    why: /^An operator moved traffic to warm\.$/,
  },
  {
    name: "advise mode",
    by: (ladder) => void (ladder.config = ladderConfig(policy({}, { autoFailover: false }))),
    why: /^autoFailover is false, so it only advises\.$/,
  },
  {
    name: "a preference for no rung",
    by: (ladder) => void (ladder.config = ladderConfig(policy({ preferred: "none" }))),
    why: /^failback\.preferred is none\.$/,
  },
];
for (const { name, by, why } of withdrawals) {
  test(`${name} takes the returned traffic back and makes nobody wait longer`, () => {
    const ladder = runUntil(onWarm(), 25);
    by(ladder);
    run(ladder, 1);
    assert.deepEqual([ladder.step, ladder.status?.level, undoneCount(ladder)], [null, "warm", 0]);
    assert.match(saidOf(ladder, "Takes traffic back to warm.")[0] ?? "", why);
  });
}

test("a control plane that begins anew during a step goes on with it, and judges nothing by its own silence", () => {
  const ladder = runUntil(onWarm(), 5);
  run(ladder, 5);
  ladder.crash();
  ladder.samples = [];
  ladder.look(1_000);
  assert.equal(ladder.step, 5);
  for (let second = 0; second < 6; second += 1) ladder.look(1_000);
  assert.equal(ladder.step, 25);
});

test("a rollout that begins during a step ends on hot and is no failback that did not last", () => {
  const ladder = runUntil(onWarm(), 25);
  ladder.config = ladderConfig({ ...policy(), model: { name: "tidegate-sim-8b", revision: "r2" } });
  for (let second = 0; second < 200; second += 1) {
    run(ladder, 1);
    assert.ok(
      ladder.status?.instances.some(({ state }) => state === "Ready"),
      "somebody serves at every moment",
    );
  }
  assert.deepEqual([ladder.status?.level, undoneCount(ladder)], ["hot", 0]);
});
