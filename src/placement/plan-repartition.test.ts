import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instanceName } from "../base/ids.ts";
import { MIG_PROFILES, MIG_SHAPES, type MigProfile } from "../api/mig-geometry.ts";
import { enumerateLayouts, formatPlacement, isLegal, placementsOf, type MigPlacement } from "../api/mig-layout.ts";
import { explainRepartitionRefusal, planRepartition } from "./plan-repartition.ts";
import type { MigTenancy, MigUse, MigWish, RepartitionCost, RepartitionPlan } from "./repartition.ts";

const seed = 6_023;

const tenancy = (name: string, more: Partial<MigTenancy> = {}): MigTenancy => ({
  instance: instanceName(name),
  level: "warm",
  isPinned: false,
  mayLeave: false,
  drainMs: 1_000,
  restartMs: 10_000,
  ...more,
});
const at = (profile: MigProfile, start: number, holder: MigTenancy | null = null): MigUse => ({
  placement: { profile, start },
  tenancy: holder,
});
const wish = (profile: MigProfile, name = "new"): MigWish => ({ instance: instanceName(name), profile });
const planned = (current: readonly MigUse[], wishes: readonly MigWish[]): RepartitionPlan => {
  const made = planRepartition(current, wishes);
  assert.ok(made.ok, JSON.stringify(made));
  return made.value;
};
const stepsOf = (plan: RepartitionPlan): readonly string[] =>
  plan.steps.map((step) => `${step.do} ${"instance" in step ? `${step.instance} ` : ""}${formatPlacement(step.at)}`);

const cases: readonly {
  readonly name: string;
  readonly current: readonly MigUse[];
  readonly wishes: readonly MigWish[];
  readonly steps: readonly string[];
}[] = [
  {
    name: "what fits is created and nobody is touched",
    current: [at("3g", 4, tenancy("a"))],
    wishes: [wish("4g")],
    steps: ["create 4g@0"],
  },
  {
    name: "an unused instance of the profile is given as it stands",
    current: [at("2g", 2), at("3g", 4, tenancy("a"))],
    wishes: [wish("2g")],
    steps: [],
  },
  {
    name: "an unused instance in the way is destroyed without a victim",
    current: [at("1g", 0), at("1g", 6, tenancy("a"))],
    wishes: [wish("4g")],
    steps: ["destroy 1g@0", "create 4g@0"],
  },
  {
    name: "a tenant in the way gets its new place before it is drained",
    current: [at("1g", 0, tenancy("a"))],
    wishes: [wish("4g")],
    steps: ["create 1g@6", "drain a 1g@0", "restart a 1g@6", "destroy 1g@0", "create 4g@0"],
  },
  {
    name: "a warm tenant is moved rather than a hot one",
    current: [at("1g", 0, tenancy("hot", { level: "hot", drainMs: 0, restartMs: 0 })), at("1g", 4, tenancy("warm"))],
    wishes: [wish("3g")],
    steps: ["create 1g@1", "drain warm 1g@4", "restart warm 1g@1", "destroy 1g@4", "create 3g@4"],
  },
  {
    name: "who leaves goes first, and its instance is given on as it stands",
    current: [at("3g", 0, tenancy("a")), at("3g", 4, tenancy("b", { mayLeave: true }))],
    wishes: [wish("4g")],
    steps: ["drain b 3g@4", "drain a 3g@0", "restart a 3g@4", "destroy 3g@0", "create 4g@0"],
  },
  {
    name: "hot is drained last and each victim runs again before the next is drained",
    current: [at("1g", 0, tenancy("hot", { level: "hot" })), at("1g", 1, tenancy("warm")), at("1g", 2, tenancy("cold", { level: "cold" }))],
    wishes: [wish("4g")],
    steps: [
      "create 1g@4",
      "create 1g@5",
      "create 1g@6",
      "drain cold 1g@2",
      "restart cold 1g@6",
      "destroy 1g@2",
      "drain warm 1g@1",
      "restart warm 1g@5",
      "destroy 1g@1",
      "drain hot 1g@0",
      "restart hot 1g@4",
      "destroy 1g@0",
      "create 4g@0",
    ],
  },
];
for (const { name, current, wishes, steps } of cases) {
  test(`re-partition: ${name}`, () => assert.deepEqual(stepsOf(planned(current, wishes)), steps));
}

interface Brute {
  readonly order: readonly number[];
}
/** Every way there is, placement by placement, without tables: the smallest cost of all. */
function bruteForce(current: readonly MigUse[], wishes: readonly MigWish[]): readonly number[] | null {
  let best: readonly number[] | null = null;
  const consider = (found: Brute): void => {
    if (best === null || compare(found.order, best) < 0) best = found.order;
  };
  const tenants = current.flatMap(({ placement, tenancy: holder }) => (holder === null ? [] : [{ placement, holder }]));
  const placeWishes = (left: readonly MigWish[], taken: readonly MigPlacement[], cost: readonly number[]): void => {
    const [first, ...rest] = left;
    if (first === undefined) {
      consider({ order: [...cost, changes(current, taken)] });
      return;
    }
    for (const start of MIG_SHAPES[first.profile].starts) {
      const next = [...taken, { profile: first.profile, start }];
      if (isLegal(next)) placeWishes(rest, next, cost);
    }
  };
  const placeTenants = (index: number, taken: readonly MigPlacement[], cost: readonly number[]): void => {
    const tenant = tenants[index];
    if (tenant === undefined) {
      placeWishes(wishes, taken, cost);
      return;
    }
    const { placement, holder } = tenant;
    if (isLegal([...taken, placement])) placeTenants(index + 1, [...taken, placement], cost);
    if (holder.isPinned) return;
    const victim = ["hot", "warm", "cold"].map((level, rank) => (cost[rank] ?? 0) + (holder.level === level ? 1 : 0));
    const disturbed = (cost[4] ?? 0) + holder.drainMs + holder.restartMs;
    if (holder.mayLeave) placeTenants(index + 1, taken, [...victim, (cost[3] ?? 0) + 1, disturbed]);
    for (const start of MIG_SHAPES[placement.profile].starts) {
      const next = [...taken, { profile: placement.profile, start }];
      if (start !== placement.start && isLegal(next)) placeTenants(index + 1, next, [...victim, cost[3] ?? 0, disturbed]);
    }
  };
  placeTenants(0, [], [0, 0, 0, 0, 0]);
  return best;
}
const isIn = (all: readonly MigPlacement[], one: MigPlacement): boolean =>
  all.some(({ profile, start }) => profile === one.profile && start === one.start);
/** MIG instances made, and those that have to go. */
function changes(current: readonly MigUse[], taken: readonly MigPlacement[]): number {
  const now = current.map(({ placement }) => placement);
  const made = taken.filter((placement) => !isIn(now, placement)).length;
  return made + now.filter((placement) => !isIn(taken, placement) && !isLegal([...taken, placement])).length;
}
function compare(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at < 0 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
}
const orderOf = (cost: RepartitionCost): readonly number[] => [
  cost.hotVictims,
  cost.warmVictims,
  cost.coldVictims,
  cost.leavingCount,
  cost.disturbedMs,
  cost.changeCount,
];

const smallLayout = fc.constantFrom(...enumerateLayouts().filter((layout) => placementsOf(layout).length <= 4));
const anyTenancy = fc.option(
  fc.record({
    level: fc.constantFrom("hot" as const, "warm" as const, "cold" as const),
    isPinned: fc.constantFrom(false, false, false, true),
    mayLeave: fc.boolean(),
    drainMs: fc.integer({ min: 0, max: 3 }),
    restartMs: fc.integer({ min: 0, max: 3 }),
  }),
  { freq: 3 },
);
const anyGpu: fc.Arbitrary<readonly MigUse[]> = fc
  .tuple(smallLayout, fc.array(anyTenancy, { minLength: 4, maxLength: 4 }))
  .map(([layout, holders]) =>
    placementsOf(layout).map((placement, index): MigUse => {
      const holder = holders[index] ?? null;
      return { placement, tenancy: holder === null ? null : { ...holder, instance: instanceName(`i${index}`) } };
    }),
  );
const anyWishes: fc.Arbitrary<readonly MigWish[]> = fc
  .array(fc.constantFrom(...MIG_PROFILES), { minLength: 1, maxLength: 2 })
  .map((profiles) => profiles.map((profile, index) => wish(profile, `w${index}`)));

test("no way of all has a smaller cost than the plan, and a refusal means that there is none", () => {
  const property = fc.property(anyGpu, anyWishes, (current, wishes) => {
    const made = planRepartition(current, wishes);
    assert.deepEqual(made.ok ? orderOf(made.value.cost) : null, bruteForce(current, wishes));
  });
  fc.assert(property, { seed, numRuns: 800 });
});

test("every wish is granted, every victim that may not leave has a new place, and no place is given twice", () => {
  const property = fc.property(anyGpu, anyWishes, (current, wishes) => {
    const made = planRepartition(current, wishes);
    if (!made.ok) return;
    const { granted, victims, to } = made.value;
    const names = victims.map(({ instance }) => instance);
    const staying = current
      .filter(({ tenancy: holder }) => holder !== null && !names.includes(holder.instance))
      .map(({ placement }) => placement);
    const given = [...staying, ...granted.map(({ placement }) => placement), ...victims.flatMap((victim) => victim.to ?? [])];
    assert.ok(isLegal(given));
    assert.ok(given.every((placement) => isIn(placementsOf(to), placement)));
    assert.deepEqual(
      granted.map(({ instance, profile }) => ({ instance, profile })),
      wishes,
    );
    assert.ok(granted.every(({ profile, placement }) => placement.profile === profile));
    for (const victim of victims) {
      const holder = current.find(({ tenancy: each }) => each?.instance === victim.instance)?.tenancy;
      assert.ok(holder !== undefined && holder !== null && !holder.isPinned);
      if (victim.to === null) assert.ok(holder.mayLeave);
      else assert.equal(victim.to.profile, victim.from.profile);
    }
  });
  fc.assert(property, { seed, numRuns: 2_000 });
});

test("the same question has the same plan, in whatever order the GPU is listed", () => {
  const property = fc.property(anyGpu, anyWishes, (current, wishes) => {
    assert.deepEqual(planRepartition(current.toReversed(), wishes), planRepartition(current, wishes));
  });
  fc.assert(property, { seed, numRuns: 500 });
});

test("a refusal names whom it may not touch, and has the arithmetic", () => {
  const made = planRepartition([at("3g", 0, tenancy("a", { isPinned: true })), at("3g", 4, tenancy("b"))], [wish("1g")]);
  assert.ok(!made.ok);
  assert.deepEqual(explainRepartitionRefusal(made.error), {
    what: "No layout has 1 x 1g, 1 x 3g beside 3g@0.",
    why: "Together they need 9 of 8 memory slices and 7 of 7 compute slices. Everybody else was moved in thought. Not to be touched: a.",
    next: "Use another GPU, or make room for one of its tenants elsewhere.",
  });
});

test("a GPU that is said to be what it cannot be is not planned on", () => {
  const made = planRepartition([at("4g", 0), at("2g", 2)], [wish("1g")]);
  assert.ok(!made.ok);
  assert.match(explainRepartitionRefusal(made.error).what, /2g@2, which fits no legal layout/);
});
