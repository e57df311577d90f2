import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instanceName, type InstanceName } from "../base/ids.ts";
import { MIG_PROFILES, type MigProfile } from "../api/mig-geometry.ts";
import {
  EMPTY_LAYOUT,
  enumerateLayouts,
  formatPlacement,
  holds,
  layoutOf,
  placementsOf,
  without,
  withPlacement,
} from "../api/mig-layout.ts";
import type { MigPlacement } from "../api/mig-layout.ts";
import { nextRepartitionStep, type ObservedGpu, type RepartitionMove } from "./next-repartition-step.ts";
import { planRepartition } from "./plan-repartition.ts";
import type { RepartitionStep } from "../api/gpu-relocation.ts";
import type { MigUse, MigWish, RepartitionPlan } from "./repartition.ts";

const seed = 6_024;

/** A GPU that does as it is told, and dies of what is illegal. */
function perform(step: RepartitionStep, gpu: ObservedGpu): ObservedGpu {
  const isHere = (at: MigPlacement): boolean => formatPlacement(at) === formatPlacement(step.at);
  switch (step.do) {
    case "create": {
      const layout = withPlacement(gpu.layout, step.at);
      assert.ok(layout !== null, `${formatPlacement(step.at)} cannot be created`);
      return { ...gpu, layout };
    }
    case "destroy": {
      assert.ok(!gpu.running.some(({ at }) => isHere(at)), "an instance in use was destroyed");
      const alone = layoutOf([step.at]);
      assert.ok(alone.ok && holds(gpu.layout, step.at));
      return { ...gpu, layout: without(gpu.layout, alone.value) };
    }
    case "drain":
      return { ...gpu, running: gpu.running.filter(({ instance }) => instance !== step.instance) };
    case "restart": {
      assert.ok(holds(gpu.layout, step.at) && !gpu.running.some(({ at, instance }) => isHere(at) || instance === step.instance));
      return { ...gpu, running: [...gpu.running, { instance: step.instance, at: step.at }] };
    }
  }
}

const byInstance = (gpu: ObservedGpu): ReadonlyMap<InstanceName, string> =>
  new Map(gpu.running.map(({ instance, at }) => [instance, formatPlacement(at)] as const));
const gpuOf = (current: readonly MigUse[]): ObservedGpu => {
  const layout = layoutOf(current.map(({ placement }) => placement));
  assert.ok(layout.ok);
  const running = current.flatMap(({ placement, tenancy }) => (tenancy === null ? [] : [{ instance: tenancy.instance, at: placement }]));
  return { layout: layout.value, running };
};

const anyTenancy = fc.option(
  fc.record({
    level: fc.constantFrom("hot" as const, "warm" as const, "cold" as const),
    isPinned: fc.constantFrom(false, false, false, false, true),
    mayLeave: fc.boolean(),
    drainMs: fc.integer({ min: 0, max: 3 }),
    restartMs: fc.integer({ min: 0, max: 3 }),
  }),
  { freq: 4 },
);
const layouts = enumerateLayouts().filter((layout) => layout !== EMPTY_LAYOUT);
const anyGpu = fc.tuple(fc.constantFrom(...layouts), fc.array(anyTenancy, { minLength: 7, maxLength: 7 })).map(([layout, holders]) =>
  placementsOf(layout).map((placement, index): MigUse => {
    const holder = holders[index] ?? null;
    return { placement, tenancy: holder === null ? null : { ...holder, instance: instanceName(`i${index}`) } };
  }),
);
const anyWishes: fc.Arbitrary<readonly MigWish[]> = fc
  .array(fc.constantFrom(...MIG_PROFILES), { minLength: 1, maxLength: 3 })
  .map((profiles) => profiles.map((profile, index) => ({ instance: instanceName(`w${index}`), profile })));
/** What happens at each look: the step works, fails, or who looks dies before or after it. */
const anyLuck = fc.array(fc.constantFrom("works", "works", "works", "fails", "dies", "done-dies"), { maxLength: 30 });

/** Looks until the plan is over. Nothing is remembered between two looks. */
function play(plan: RepartitionPlan, from: ObservedGpu, luck: readonly string[], check: (gpu: ObservedGpu) => void): ObservedGpu {
  let gpu = from;
  for (let look = 0; look < 200; look += 1) {
    const move = nextRepartitionStep(plan, gpu);
    if (move.kind === "completed") return gpu;
    assert.ok(move.kind === "step", JSON.stringify(move));
    const happens = luck[look] ?? "works";
    if (happens !== "fails" && happens !== "dies") gpu = perform(move.step, gpu);
    check(gpu);
  }
  assert.fail("the plan never ends");
}

test("whatever fails and whenever, a re-partition is completed, by legal states and with victims only", () => {
  let completedCount = 0;
  const property = fc.property(anyGpu, anyWishes, anyLuck, (current, wishes, luck) => {
    const made = planRepartition(current, wishes);
    if (!made.ok) return;
    const plan = made.value;
    const before = gpuOf(current);
    const victims = new Set(plan.victims.map(({ instance }) => instance));
    const gpu = play(plan, before, luck, (seen) => {
      for (const { instance, at } of before.running) {
        if (!victims.has(instance)) assert.equal(byInstance(seen).get(instance), formatPlacement(at), `${instance} was touched`);
      }
    });
    completedCount += 1;
    assert.equal(gpu.layout, plan.to);
    for (const { instance, to } of plan.victims) assert.equal(byInstance(gpu).get(instance), to === null ? undefined : formatPlacement(to));
    for (const { placement } of plan.granted) {
      assert.ok(holds(gpu.layout, placement) && !gpu.running.some(({ at }) => formatPlacement(at) === formatPlacement(placement)));
    }
  });
  fc.assert(property, { seed, numRuns: 2_000 });
  assert.ok(completedCount > 100, `${completedCount}`);
});

const use = (profile: MigProfile, at: number, name: string): MigUse => ({
  placement: { profile, start: at },
  tenancy: { instance: instanceName(name), level: "warm", isPinned: false, mayLeave: false, drainMs: 1_000, restartMs: 9_000 },
});
/** a moves from 1g@0 to 1g@5, so that a 4g fits; b stays at 1g@4. */
const current = [use("1g", 0, "a"), use("1g", 4, "b")];
const made = planRepartition(current, [{ instance: instanceName("w"), profile: "4g" }]);
assert.ok(made.ok);
const plan = made.value;
const seenAs = (...uses: readonly MigUse[]): ObservedGpu => gpuOf(uses);
const told = (move: RepartitionMove): string => {
  if (move.kind === "blocked") return `blocked: ${move.explanation.why}`;
  return move.kind === "step" ? `${move.step.do} ${formatPlacement(move.step.at)}` : move.kind;
};
const unused = (profile: MigProfile, at: number): MigUse => ({ placement: { profile, start: at }, tenancy: null });
const b = use("1g", 4, "b");

const looks: readonly {
  readonly name: string;
  readonly seen: ObservedGpu;
  readonly says: string;
}[] = [
  { name: "begins with the new place", seen: seenAs(...current), says: "create 1g@5" },
  { name: "drains once the new place exists", seen: seenAs(...current, unused("1g", 5)), says: "drain 1g@0" },
  { name: "restarts a drained victim", seen: seenAs(unused("1g", 0), b, unused("1g", 5)), says: "restart 1g@5" },
  { name: "destroys what its victim has left", seen: seenAs(unused("1g", 0), b, use("1g", 5, "a")), says: "destroy 1g@0" },
  { name: "creates what was wished for at last", seen: seenAs(b, use("1g", 5, "a")), says: "create 4g@0" },
  { name: "is over when all is there", seen: seenAs(unused("4g", 0), b, use("1g", 5, "a")), says: "completed" },
  {
    name: "does nothing beside an instance that it does not know",
    seen: seenAs(...current, unused("1g", 6)),
    says: "blocked: 1g@6 is on the GPU, and the plan neither found nor made it.",
  },
  {
    name: "does nothing when what it must not touch is gone",
    seen: seenAs(use("1g", 0, "a")),
    says: "blocked: 1g@4 is gone, and the plan does not touch it.",
  },
  {
    name: "destroys nothing that somebody uses",
    seen: seenAs(use("1g", 0, "stranger"), b, use("1g", 5, "a")),
    says: "blocked: stranger runs at 1g@0, which is to be destroyed.",
  },
  {
    name: "starts nobody where somebody runs",
    seen: seenAs(unused("1g", 0), b, use("1g", 5, "stranger")),
    says: "blocked: a is to start at 1g@5, where stranger runs.",
  },
];
for (const { name, seen, says } of looks) {
  test(`a re-partition ${name}`, () => assert.equal(told(nextRepartitionStep(plan, seen)), says));
}
