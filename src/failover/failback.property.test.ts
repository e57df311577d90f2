import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import type { JsonObject } from "../base/json.ts";
import { FakeLadder, hot1, hot2, ladderConfig, warm1 } from "./fake-ladder.ts";

// Any faults and any traffic on the way back, against what a failback promises.

const anySecond = fc.record({
  what: fc.oneof(
    { weight: 12, arbitrary: fc.constant("nothing" as const) },
    { weight: 1, arbitrary: fc.constantFrom(...(["kill-hot", "kill-both", "kill-warm", "lose", "heal", "crash", "silence"] as const)) },
  ),
  requests: fc.constantFrom(0, 1, 20, 200),
  /** Of those on hot. */
  failedShare: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(0.01, 0.5) }),
});
type Second = typeof anySecond extends fc.Arbitrary<infer Value> ? Value : never;
const policies: readonly JsonObject[] = [
  { failback: { soak: "5s" }, maxFailoverCount: 1_000 },
  { failback: { soak: "20s", steps: [30, 60, 100] }, maxFailoverCount: 1_000 },
  { failback: { soak: "0s", steps: [100] }, maxFailoverCount: 1_000 },
];

function pass(ladder: FakeLadder, { what, requests, failedShare }: Second): void {
  if (what === "kill-hot") ladder.kill(hot1);
  if (what === "kill-both") ladder.kill(hot1, hot2);
  if (what === "kill-warm") ladder.kill(warm1);
  if (what === "lose") ladder.loseGpus(0);
  if (what === "heal") ladder.lostGpus.clear();
  if (what === "crash") ladder.crash();
  const returned = Math.floor((requests * (ladder.step ?? 0)) / 100);
  if (what !== "silence") ladder.serve({ requests, returned, returnedFailed: Math.ceil(returned * failedShare) });
  const before = ladder.status;
  ladder.look(1_000);
  checkShare(ladder, before?.failback ?? null);
}

/** The share only grows, or traffic is on hot, or something is said against hot. */
function checkShare(ladder: FakeLadder, before: NonNullable<FakeLadder["status"]>["failback"] | null): void {
  const percent = before?.step?.percent ?? null;
  const { status, step } = ladder;
  if (step !== null) {
    assert.ok(["warm", "cold"].includes(status?.level ?? "none"), "a step leads from a lower rung");
    assert.ok(ladder.config.failoverPolicy.failback.stepsPercent.includes(step));
  }
  if (percent === null || (step !== null && step >= percent)) return;
  assert.equal(step, null, "no step back but all the way");
  const isUndone = (status?.failback.undone?.count ?? 0) > (before?.undone?.count ?? 0);
  assert.ok(status?.level === "hot" || isUndone, `from ${percent} % without hot and without a reason`);
  if (isUndone)
    assert.ok(
      ladder.said.some((text) => text.startsWith("Takes traffic back to ")),
      ladder.said.join("; "),
    );
}

const anyLife = fc.record({ policy: fc.nat(policies.length - 1), life: fc.array(anySecond, { minLength: 20, maxLength: 120 }) });

test("the share of a failback never shrinks but for a bad step or a loss, and a service that is well comes back to hot", () => {
  fc.assert(
    fc.property(anyLife, ({ policy, life }) => {
      const ladder = new FakeLadder(ladderConfig({ failoverPolicy: policies[policy] ?? {} })).settle().kill(hot1, hot2);
      for (const second of life) pass(ladder, second);
      ladder.lostGpus.clear();
      // The longest wait is eight soaks of twenty seconds; restarts and steps come on top.
      for (let second = 0; second < 160 + 100; second += 1) pass(ladder, { what: "nothing", requests: 20, failedShare: 0 });
      assert.deepEqual([ladder.status?.level, ladder.step], ["hot", null]);
    }),
    { seed: 4_010, numRuns: 120 },
  );
});
