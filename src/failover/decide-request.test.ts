import { test } from "node:test";
import assert from "node:assert/strict";
import { cold1, hot1, hot2, steadyLadder, warm1, type FakeLadder } from "./fake-ladder.ts";

const answer = (ladder: FakeLadder, name: string): string => {
  const status = ladder.records.get(name)?.status ?? null;
  return `${status?.phase ?? "new"}: ${status?.reason ?? ""}`;
};

test("an operator's failover wakes the next rung first, and moves when it is verified", () => {
  const ladder = steadyLadder().ask("failover");
  ladder.look();
  assert.deepEqual([ladder.place, ladder.actions], ["hot/1/Normal", [`wake ${warm1}`]]);
  assert.equal(answer(ladder, "failover-x"), "Running: Wakes gold-warm-1 and verifies it first.");
  ladder.look();
  assert.deepEqual([ladder.status?.level, ladder.status?.epoch, ladder.status?.pinned], ["warm", 2, "warm"]);
  ladder.settle(3);
  assert.equal(answer(ladder, "failover-x"), "Completed: An operator asked for it (failover-x), and warm is Ready.");
  assert.deepEqual([ladder.status?.failovers.inWindow, ladder.place], [0, "warm/2/Normal"]);
  assert.deepEqual([...ladder.records.keys()], ["failover-x"]);
});

test("where an operator moved a service it stays, however long hot is whole", () => {
  const ladder = steadyLadder().ask("failover", "warm").settle(4);
  for (let minute = 0; minute < 30; minute += 1) ladder.look(60_000);
  assert.deepEqual([ladder.place, ladder.state(warm1)], ["warm/2/Normal", "Ready"]);
  assert.equal(ladder.status?.conditions.find(({ type }) => type === "Pinned")?.status, "True");
});

test("a loss takes a service from where an operator put it", () => {
  const ladder = steadyLadder().ask("failover", "warm").settle(4).kill(warm1);
  ladder.look();
  assert.deepEqual([ladder.status?.level, ladder.status?.pinned], ["hot", null]);
});

test("an operator's failback is immediate when all of hot is Ready", () => {
  const ladder = steadyLadder().ask("failover", "warm").settle(4).ask("failback");
  ladder.look();
  assert.deepEqual([ladder.place, ladder.status?.pinned, ladder.state(warm1)], ["hot/3/Failback", null, "Draining"]);
  ladder.settle(4);
  assert.deepEqual([ladder.place, ladder.state(warm1)], ["hot/3/Normal", "Asleep"]);
  assert.match(answer(ladder, "failback-x"), /^Completed: /);
});

test("an operator's failback to a hot rung that is not whole is refused with the count", () => {
  const ladder = steadyLadder().ask("failover", "warm").settle(4);
  ladder.badStarts.add(hot2);
  ladder.kill(hot2).ask("failback").look();
  assert.equal(answer(ladder, "failback-x"), "Refused: Only 1 of 2 hot instances are Ready.");
  assert.deepEqual([ladder.status?.level, ladder.status?.pinned], ["warm", "warm"]);
});

test("an operator's failover to cold starts the reserve, verifies it, then moves", () => {
  const ladder = steadyLadder().ask("failover", "cold");
  ladder.look();
  assert.deepEqual([ladder.place, ladder.actions], ["hot/1/Normal", [`start ${cold1}`]]);
  ladder.settle(3);
  assert.deepEqual([ladder.place, ladder.state(cold1), ladder.state(warm1)], ["cold/2/Normal", "Ready", "Asleep"]);
});

test("an operator's failover ignores Hold and counts nothing", () => {
  const ladder = steadyLadder({ failoverPolicy: { maxFailoverCount: 0 } })
    .ask("failover", "warm")
    .settle(4);
  assert.deepEqual([ladder.status?.level, ladder.status?.failovers.inWindow], ["warm", 0]);
});

test("an operator's failover whose wake fails is Failed, and nothing moves", () => {
  const ladder = steadyLadder().ask("failover", "warm");
  ladder.badWakes.set(warm1, "garbage");
  ladder.settle(2);
  assert.match(answer(ladder, "failover-x"), /^Failed: gold-warm-1: its wake failed: its known answer is wrong\./);
  ladder.settle(6);
  assert.deepEqual([ladder.place, ladder.state(warm1)], ["hot/1/Normal", "Asleep"]);
});

const refusals = [
  {
    name: "a failover to warm without a warm instance is refused",
    change: { warmStandby: { gpuCount: 0 } },
    to: "warm",
    why: "It has no warm instance.",
  },
  {
    name: "a failover to cold without a reserve is refused",
    change: { coldStandby: { imageCache: true } },
    to: "cold",
    why: "It has no cold reserve that could be started.",
  },
  { name: "nobody degrades a service on purpose", change: {}, to: "degraded", why: "No service is degraded on purpose." },
] as const;
for (const c of refusals) {
  test(c.name, () => {
    const ladder = steadyLadder(c.change).ask("failover", c.to);
    ladder.look();
    assert.equal(answer(ladder, "failover-x"), `Refused: ${c.why}`);
    assert.deepEqual([ladder.place, ladder.actions], ["hot/1/Normal", []]);
  });
}

test("a failback of a service on hot is done already", () => {
  const ladder = steadyLadder().ask("failback");
  ladder.look();
  assert.deepEqual([answer(ladder, "failback-x"), ladder.status?.epoch], ["Completed: Traffic is on hot already.", 1]);
});

test("a resume clears the count, and what was held back goes on", () => {
  const ladder = steadyLadder({ failoverPolicy: { maxFailoverCount: 1, failback: { soak: "1s" } } }).kill(hot1, hot2);
  for (let second = 0; second < 6; second += 1) ladder.look(1_000);
  assert.deepEqual([ladder.place, ladder.status?.failovers.inWindow], ["warm/2/Hold", 1]);
  ladder.ask("resume").look();
  assert.match(answer(ladder, "resume-x"), /^Completed: /);
  assert.deepEqual([ladder.step, ladder.status?.failovers.inWindow], [1, 0]);
  for (let second = 0; second < 4; second += 1) ladder.look(1_000);
  assert.deepEqual([ladder.status?.level, ladder.status?.failovers.inWindow, ladder.status?.failovers.windowStart], ["hot", 0, null]);
});

test("a resume whose record could not be written is obeyed once, however often it is read", () => {
  const ladder = steadyLadder({ failoverPolicy: { maxFailoverCount: 1, failback: { soak: "10m" } } }).kill(hot1, hot2);
  for (let second = 0; second < 6; second += 1) ladder.look(1_000);
  ladder.ask("resume").lookOnly();
  assert.equal(ladder.status?.failovers.inWindow, 0);
  const lines = ladder.status?.history.length;
  for (let again = 0; again < 3; again += 1) ladder.lookOnly();
  assert.deepEqual([ladder.status?.history.length, answer(ladder, "resume-x")], [lines, "new: "]);
  ladder.kill(hot1, hot2, warm1).lookOnly();
  assert.equal(ladder.status?.failovers.inWindow, 1, "the move after it counts");
  ladder.look();
  assert.deepEqual([ladder.status?.failovers.inWindow, answer(ladder, "resume-x").slice(0, 9)], [1, "Completed"]);
});

test("one move at a time: a second request waits for the end of the first", () => {
  const ladder = steadyLadder().ask("failover", "warm", "first").ask("failback", null, "second");
  ladder.look();
  assert.deepEqual([answer(ladder, "first").slice(0, 7), answer(ladder, "second")], ["Running", "new: "]);
  ladder.settle(8);
  assert.deepEqual([ladder.status?.level, answer(ladder, "second").slice(0, 9)], ["hot", "Completed"]);
});

test("a control plane that ends after the status is stored finishes an operator's move once", () => {
  const ladder = steadyLadder().ask("failover", "warm");
  ladder.look();
  ladder.lookOnly();
  assert.equal(ladder.status?.level, "warm");
  ladder.crash();
  ladder.settle(6);
  assert.deepEqual([ladder.place, answer(ladder, "failover-x").slice(0, 9)], ["warm/2/Normal", "Completed"]);
});
