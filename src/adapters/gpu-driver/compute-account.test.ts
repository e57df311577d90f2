import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PartitionMode } from "../../api/gpu-partition.ts";
import { nodeName } from "../../base/ids.ts";
import { slowdownsByWeight } from "../../ports/gpu-compute-contract.ts";
import { createSimulatedClock, type SimulatedClock } from "../clock/simulated.ts";
import { createComputeAccount, type ComputeCut } from "./compute-account.ts";

const AT = { node: nodeName("gpu-a"), gpu: 0 };

/** Processes on one GPU, each stepping as fast as it is told, or as fast as it wants. */
function createCard(cuts: Readonly<Record<string, ComputeCut>>) {
  const clock = createSimulatedClock();
  const account = createComputeAccount({
    clock,
    slowdowns: slowdownsByWeight,
    cutOf: (instance) => cuts[instance] ?? null,
    changed: () => undefined,
  });
  return { clock, start: (instance: string) => startProcess(clock, account, instance) };
}

function startProcess(clock: SimulatedClock, account: ReturnType<typeof createComputeAccount>, instance: string) {
  const state = { slowdown: 1, usedMs: 0, isBusy: false, ignoresShare: false, pushes: 0 };
  const member = account.join(instance, [AT], (terms) => {
    state.pushes += 1;
    state.slowdown = terms?.slowdown ?? 1;
  });
  return {
    state,
    member,
    /** What it did in the time that passed, before anybody hears of anything new. */
    work(spanMs: number) {
      if (state.isBusy) state.usedMs += spanMs / (state.ignoresShare ? 1 : state.slowdown);
    },
    report(isBusy: boolean) {
      state.isBusy = isBusy;
      member.tell({ isBusy, usedMs: state.usedMs, demandRatio: 1 });
    },
    use: () => member.useOn(AT) ?? { grantedMs: 0, usedMs: 0 },
    clock,
  };
}

async function play(card: ReturnType<typeof createCard>, processes: readonly ReturnType<typeof startProcess>[], forMs: number) {
  for (let passed = 0; passed < forMs; passed += 100) {
    await card.clock.advance(100);
    for (const one of processes) one.work(100);
    for (const one of processes) one.report(true);
  }
}

const mps = (computePercent: number): ComputeCut => ({ mode: "mps", computePercent });

test("compute account: three that work get what their weights say, and take what they get", async () => {
  const card = createCard({ gold: mps(80), silver: mps(50), bronze: mps(20) });
  const all = ["gold", "silver", "bronze"].map((name) => card.start(name));
  await play(card, all, 10_100);
  const shares = all.map((one) => (one.use().usedMs / 10_000).toFixed(2));
  assert.deepEqual(shares, ["0.53", "0.33", "0.13"]);
  for (const one of all) assert.ok(Math.abs(one.use().usedMs / one.use().grantedMs - 1) < 0.05, JSON.stringify(one.use()));
});

test("compute account: who is alone is granted the whole card", async () => {
  const card = createCard({ bronze: mps(20) });
  const bronze = card.start("bronze");
  await play(card, [bronze], 2_100);
  assert.deepEqual(bronze.use(), { grantedMs: 2_000, usedMs: 2_000 });
});

test("compute account: who takes more than its share takes it from the others, until it stops", async () => {
  const card = createCard({ gold: mps(80), bronze: mps(20) });
  const gold = card.start("gold");
  const bronze = card.start("bronze");
  await play(card, [gold, bronze], 1_000);
  assert.equal(gold.state.slowdown, 1.25);
  bronze.state.ignoresShare = true;
  await play(card, [gold, bronze], 1_500);
  assert.equal(gold.state.slowdown, 1.25 * 5, "the driver's turns leave a fifth of its share");
  assert.equal(bronze.state.slowdown, 5, "what it should do does not change");
  const before = gold.use();
  await play(card, [gold, bronze], 1_000);
  assert.equal(gold.use().grantedMs - before.grantedMs, 800, "its share stays what it was promised");
  assert.ok(gold.use().usedMs - before.usedMs < 250);
  bronze.state.ignoresShare = false;
  await play(card, [gold, bronze], 1_500);
  assert.equal(gold.state.slowdown, 1.25);
});

test("compute account: a slice of hardware can be taken by nobody", async () => {
  const card = createCard({ gold: { mode: "mig", computePercent: 50 }, bronze: { mode: "mig", computePercent: 50 } });
  const gold = card.start("gold");
  const bronze = card.start("bronze");
  bronze.state.ignoresShare = true;
  await play(card, [gold, bronze], 2_000);
  assert.equal(gold.state.slowdown, 2);
});

test("compute account: a report of what was used before the account knew the process counts nothing", () => {
  const card = createCard({ gold: mps(80) });
  const gold = card.start("gold");
  gold.state.usedMs = 9_000;
  gold.report(true);
  assert.deepEqual(gold.use(), { grantedMs: 0, usedMs: 0 });
});

test("compute account: a process that hears its new terms late is granted the old ones meanwhile", async () => {
  const card = createCard({ gold: mps(80), bronze: mps(20) });
  const gold = card.start("gold");
  const bronze = card.start("bronze");
  bronze.report(true);
  gold.report(true);
  await card.clock.advance(150);
  bronze.state.usedMs += 150;
  bronze.report(true);
  assert.deepEqual(bronze.use(), { grantedMs: 150, usedMs: 150 });
});

test("compute account: however processes work and rest, together they take no more than passes, and no more than they were granted", async () => {
  const step = fc.record({ who: fc.nat(2), isBusy: fc.boolean(), passesMs: fc.integer({ min: 1, max: 400 }) });
  const mode = fc.constantFrom<PartitionMode>("mps", "vgpu", "time-slicing");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), mode, async (steps, of) => {
      const percents = [80, 50, 20];
      const card = createCard(Object.fromEntries(percents.map((computePercent, index) => [`${index}`, { mode: of, computePercent }])));
      const all = percents.map((_, index) => card.start(`${index}`));
      let passedMs = 0;
      for (const { who, isBusy, passesMs } of steps) {
        await card.clock.advance(passesMs);
        passedMs += passesMs;
        for (const one of all) one.work(passesMs);
        for (const [index, one] of all.entries()) one.report(index === who ? isBusy : one.state.isBusy);
      }
      const usedMs = all.reduce((sum, one) => sum + one.use().usedMs, 0);
      assert.ok(usedMs <= passedMs + 1e-6, `${usedMs} of ${passedMs}`);
      for (const one of all) assert.ok(one.use().usedMs <= one.use().grantedMs + 1e-6);
    }),
    { numRuns: 100 },
  );
});
