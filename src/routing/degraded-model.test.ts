import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { DegradedStep, Level } from "../api/hot-standby-config.ts";
import type { RungEndpoint } from "../api/route-table.ts";
import { monotonicMs, serviceName, uid } from "../base/ids.ts";
import { chooseDegraded, queueMsFrom, type DegradedModel } from "./degraded-model.ts";
import { endpoint as anEndpoint, table } from "./fake-attempt.ts";
import { endpointKey, HealthIndex, type EndpointKey } from "./health.ts";
import { SmoothWeighted } from "./smooth-weighted.ts";

const endpoint = (name: string, change: Partial<RungEndpoint> = {}): RungEndpoint => anEndpoint(name, { maxBatch: 4, ...change });

function modelOf(model: string, rungs: Readonly<Partial<Record<Level, readonly RungEndpoint[]>>>, hasQueue = false): DegradedModel {
  const own = {
    uid: uid(model),
    service: serviceName(model),
    models: [model],
    grants: { descent: "automatic", movesLeft: 3 } as const,
    degraded: [{ kind: "model", name: "big" }] as const,
  };
  return { model, table: { ...table(rungs.hot ?? [], rungs.warm ?? []), ...own }, hasQueue, beforeEndMs: 0 };
}

const A = endpoint("a");
const B = endpoint("b");
const W = endpoint("w");
const Z = endpoint("z", { isReady: false, isAsleep: true });

interface Case {
  readonly name: string;
  readonly models: readonly DegradedModel[];
  readonly busy?: readonly (readonly [RungEndpoint, number])[];
  readonly ejected?: readonly RungEndpoint[];
  readonly tried?: readonly RungEndpoint[];
  readonly queued?: RungEndpoint;
  readonly expected: string | null;
}

const cases: readonly Case[] = [
  { name: "the least loaded engine with room takes it", models: [modelOf("small", { hot: [A, B] })], busy: [[A, 1]], expected: "small b" },
  { name: "half of a batch is lent", models: [modelOf("small", { hot: [A] })], busy: [[A, 1]], expected: "small a" },
  { name: "more than half is not", models: [modelOf("small", { hot: [A] })], busy: [[A, 2]], expected: null },
  {
    name: "an engine that does one at a time lends nothing",
    models: [modelOf("small", { hot: [endpoint("a", { maxBatch: 1 })] })],
    expected: null,
  },
  { name: "an engine that queues lends nothing", models: [modelOf("small", { hot: [A] })], queued: A, expected: null },
  { name: "a service whose own requests wait lends nothing", models: [modelOf("small", { hot: [A] }, true)], expected: null },
  {
    name: "a ready warm lends when its hot has no room",
    models: [modelOf("small", { hot: [A], warm: [W] })],
    busy: [[A, 2]],
    expected: "small w",
  },
  { name: "who sleeps is not woken", models: [modelOf("small", { warm: [Z] })], expected: null },
  { name: "an ejected engine is passed over", models: [modelOf("small", { hot: [A, B] })], ejected: [A], expected: "small b" },
  { name: "where it failed it is not sent again", models: [modelOf("small", { hot: [A] })], tried: [A], expected: null },
  {
    name: "the next step's model takes what the first has no room for",
    models: [modelOf("small", { hot: [A] }), modelOf("tiny", { hot: [B] })],
    busy: [[A, 2]],
    expected: "tiny b",
  },
  { name: "nobody to ask is nobody", models: [], expected: null },
];
for (const c of cases) {
  test(`degraded model: ${c.name}`, () => {
    const health = new HealthIndex();
    const now = monotonicMs(1_000);
    for (const one of c.ejected ?? []) health.eject(one, [], { cause: "refused", now });
    for (const [one, count] of c.busy ?? []) for (let index = 0; index < count; index += 1) health.enter(one, now);
    if (c.queued !== undefined) health.sawQueue(c.queued, 3, monotonicMs(500));
    const view = { health, weights: new SmoothWeighted(), woken: new Set<EndpointKey>(), now };
    const found = chooseDegraded(c.models, view, (c.tried ?? []).map(endpointKey));
    assert.equal(found === null ? null : `${found.by.model} ${found.choice.endpoint.instance}`, c.expected);
  });
}

test("degraded model: the queue steps after an index add up, until it sheds", () => {
  const queue = (upToMs: number): DegradedStep => ({ kind: "queue", upToMs });
  const steps: readonly DegradedStep[] = [queue(100), { kind: "model", name: "m" }, queue(20), { kind: "shed" }, queue(3)];
  assert.deepEqual(
    [0, 1, 2, 3, 9].map((index) => queueMsFrom(steps, index)),
    [120, 20, 20, 0, 0],
  );
  assert.equal(queueMsFrom([], 0), 0);
});

const anyGuest = fc.record({
  maxBatch: fc.integer({ min: 1, max: 16 }),
  inFlight: fc.integer({ min: 0, max: 12 }),
  state: fc.constantFrom("well", "well", "well", "out", "asleep", "tried", "queues"),
});

test("degraded model: whatever the others do, no guest takes more than half a batch, goes where it may not, or is sent away from free room", () => {
  let lent = 0;
  fc.assert(
    fc.property(fc.array(anyGuest, { maxLength: 5 }), fc.boolean(), (drawn, hasQueue) => {
      const health = new HealthIndex();
      const now = monotonicMs(1_000);
      const guests = drawn.map((one, index) => {
        const isAsleep = one.state === "asleep";
        return { ...one, endpoint: endpoint(`e${index}`, { maxBatch: one.maxBatch, isAsleep, isReady: !isAsleep }) };
      });
      for (const { endpoint: one, inFlight, state } of guests) {
        for (let count = 0; count < inFlight; count += 1) health.enter(one, monotonicMs(0));
        if (state === "out") health.eject(one, [], { cause: "silent", now });
        if (state === "queues") health.sawQueue(one, 1, monotonicMs(500));
      }
      const view = { health, weights: new SmoothWeighted(), woken: new Set<EndpointKey>(), now };
      const avoid = guests.filter(({ state }) => state === "tried").map((one) => endpointKey(one.endpoint));
      const found = chooseDegraded([modelOf("small", { hot: guests.map((one) => one.endpoint) }, hasQueue)], view, avoid);
      const free = guests.filter(({ state, inFlight, maxBatch }) => state === "well" && inFlight + 1 <= maxBatch / 2);
      if (hasQueue || free.length === 0) return assert.equal(found, null);
      lent += 1;
      assert.ok(found !== null && free.some((one) => one.endpoint === found.choice.endpoint));
    }),
    { numRuns: 1_000, seed: 20_261_126 },
  );
  assert.ok(lent > 100, `${lent} cases lent`);
});
