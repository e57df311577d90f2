import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createGpuLeases, type Lease } from "./gpu-leases.ts";
import { grantable, type LeaseAsk } from "./lease-order.ts";

const ask = (change: Partial<LeaseAsk> = {}): LeaseAsk => ({
  gpus: ["gpu-a/0"],
  link: "gpu-a/disk",
  bootsOn: null,
  isUrgent: false,
  tierRank: 1,
  priority: 0,
  ...change,
});
const on = (gpu: number, change: Partial<LeaseAsk> = {}): LeaseAsk => ask({ gpus: [`gpu-a/${gpu}`], ...change });
const urgent = { isUrgent: true, tierRank: 0 };
const boot = { bootsOn: "m" };

/** Long enough for what was granted to be heard. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
}

const cases: readonly {
  readonly name: string;
  readonly holding: readonly LeaseAsk[];
  readonly waiting: readonly LeaseAsk[];
  readonly granted: readonly number[];
}[] = [
  { name: "all starts of a platform begin together, each on its own GPU", holding: [], waiting: [on(0), on(1), on(2)], granted: [0, 1, 2] },
  { name: "a GPU has one holder", holding: [on(0)], waiting: [on(0), on(1)], granted: [1] },
  {
    name: "one that waits for two GPUs keeps both against what came later",
    holding: [on(0)],
    waiting: [ask({ gpus: ["gpu-a/0", "gpu-a/1"] }), on(1)],
    granted: [],
  },
  { name: "an urgent one goes before another that waited longer", holding: [], waiting: [on(0), on(0, urgent)], granted: [1] },
  { name: "nothing begins over a link beside what is urgent there", holding: [on(1, urgent)], waiting: [on(0)], granted: [] },
  {
    name: "another link or another node waits for nobody",
    holding: [on(1, urgent)],
    waiting: [on(0, { link: "gpu-a/hostToGpu" }), on(2, { link: "gpu-b/disk" })],
    granted: [0, 1],
  },
  {
    name: "urgent ones over one link begin in tier order",
    holding: [],
    waiting: [on(0, { ...urgent, tierRank: 2 }), on(1, { ...urgent, tierRank: 0 })],
    granted: [1],
  },
  {
    name: "urgent ones of one tier begin in order of priority",
    holding: [],
    waiting: [on(0, urgent), on(1, { ...urgent, priority: 100 })],
    granted: [1],
  },
  { name: "equally dear urgent ones share the link", holding: [], waiting: [on(0, urgent), on(1, urgent)], granted: [0, 1] },
  {
    name: "a dearer urgent one does not wait for a cheaper one that runs",
    holding: [on(0, { ...urgent, tierRank: 2 })],
    waiting: [on(1, { ...urgent, tierRank: 0 })],
    granted: [0],
  },
  { name: "what is urgent begins beside what is not", holding: [on(0)], waiting: [on(1, urgent)], granted: [0] },
  {
    name: "nobody boots beside an urgent boot on the machine, over whatever link; a wake may begin there",
    holding: [on(1, { ...urgent, ...boot })],
    waiting: [on(0, { ...boot, link: "gpu-b/disk" }), on(2, { link: "gpu-b/hostToGpu" })],
    granted: [1],
  },
  {
    name: "nobody boots before an urgent boot that waits for its GPU on the machine, but on another machine",
    holding: [on(1)],
    waiting: [on(1, { ...urgent, ...boot }), on(0, { ...boot, link: "b/disk" }), on(2, { bootsOn: "n", link: "b/disk" })],
    granted: [2],
  },
  {
    name: "urgent boots on one machine begin in tier order, equal ones together",
    holding: [],
    waiting: [
      on(0, { ...urgent, ...boot, link: "b/disk", tierRank: 2 }),
      on(1, { ...urgent, ...boot, tierRank: 0 }),
      on(2, { ...urgent, ...boot, tierRank: 0, link: "c/disk" }),
    ],
    granted: [1, 2],
  },
  {
    name: "one that moves no bytes waits for its GPU alone",
    holding: [on(1, urgent)],
    waiting: [on(0, { link: null }), on(1, { link: null })],
    granted: [0],
  },
];
for (const c of cases)
  test(c.name, () =>
    assert.deepEqual(
      grantable(c.holding, c.waiting).toSorted((left, right) => left - right),
      c.granted,
    ),
  );

const anyAsk = fc.record({
  gpus: fc.uniqueArray(fc.constantFrom("n/0", "n/1", "n/2"), { minLength: 1, maxLength: 2 }),
  link: fc.constantFrom("n/disk", "n/hostToGpu", null),
  bootsOn: fc.constantFrom("m", null),
  isUrgent: fc.boolean(),
  tierRank: fc.integer({ min: 0, max: 2 }),
  priority: fc.integer({ min: -1, max: 1 }),
});
const anyLife = fc.array(fc.record({ ask: anyAsk, what: fc.constantFrom("acquire", "release", "cancel") }), { maxLength: 40 });

test("no GPU ever has two holders, no urgent one waits for a waiting one that is not, and in the end everybody had a turn", async () => {
  await fc.assert(
    fc.asyncProperty(anyLife, async (life) => {
      const clock = createSimulatedClock();
      const leases = createGpuLeases(clock);
      const held: { readonly ask: LeaseAsk; readonly lease: Lease }[] = [];
      const waiting = new Map<LeaseAsk, AbortController>();
      for (const { ask: asked, what } of life) {
        if (what === "release") held.shift()?.lease.release();
        if (what === "cancel") [...waiting.values()].at(-1)?.abort();
        if (what === "acquire") {
          const cancel = new AbortController();
          waiting.set(asked, cancel);
          void leases.acquire(asked, cancel.signal).then((lease) => {
            waiting.delete(asked);
            if (lease !== null) held.push({ ask: asked, lease });
          });
        }
        await clock.advance(100);
        const gpus = held.flatMap((holder) => holder.ask.gpus);
        assert.equal(new Set(gpus).size, gpus.length, "one holder a GPU");
        for (const late of waiting.keys()) {
          const others = [...waiting.keys()].filter((other) => other !== late && other.isUrgent);
          const isBlocked =
            late.gpus.some((gpu) => gpus.includes(gpu)) ||
            (late.bootsOn !== null &&
              [...others, ...held.map((holder) => holder.ask)].some((other) => other.isUrgent && other.bootsOn === late.bootsOn)) ||
            others.some((other) => other.link === late.link || other.gpus.some((gpu) => late.gpus.includes(gpu))) ||
            held.some((holder) => holder.ask.isUrgent && holder.ask.link === late.link);
          if (late.isUrgent) assert.ok(isBlocked, "an urgent one waits only for holders and for urgent ones");
        }
      }
      while (held.length > 0) {
        held.shift()?.lease.release();
        await clock.advance(100);
      }
      assert.equal(waiting.size, 0);
    }),
    { numRuns: 200 },
  );
});

test("one that is killed waits for nobody, and nothing begins on its GPU before its bytes are free", async () => {
  const leases = createGpuLeases(createSimulatedClock());
  const running = await leases.acquire(on(0), new AbortController().signal);
  const killing = leases.block(["gpu-a/0"]);
  let begun = 0;
  void leases.acquire(on(0), new AbortController().signal).then(() => (begun += 1));
  running?.release();
  await turns();
  assert.equal(begun, 0);
  killing.release();
  await turns();
  assert.equal(begun, 1);
});

test("a boot lets an urgent one of its machine go first for three seconds, and no longer", async () => {
  const clock = createSimulatedClock();
  const leases = createGpuLeases(clock);
  await leases.acquire(on(0, { ...urgent, ...boot }), new AbortController().signal);
  let begun = 0;
  void leases.acquire(on(1, { ...boot, link: "gpu-b/disk" }), new AbortController().signal).then(() => (begun += 1));
  await clock.advance(2_900);
  assert.equal(begun, 0);
  await clock.advance(200);
  assert.equal(begun, 1);
});

test("others boot when the urgent one is up and loads, each on its own link and GPU", async () => {
  const leases = createGpuLeases(createSimulatedClock());
  const first = await leases.acquire(on(0, { ...urgent, ...boot }), new AbortController().signal);
  let begun = 0;
  const other = (change: Partial<LeaseAsk>): void =>
    void leases.acquire(on(1, { ...boot, ...change }), new AbortController().signal).then(() => (begun += 1));
  other({ link: "gpu-b/disk" });
  other({ gpus: ["gpu-a/2"] });
  await turns();
  assert.equal(begun, 0);
  first?.booted();
  await turns();
  assert.equal(begun, 1, "over its link nobody begins yet");
  first?.release();
  await turns();
  assert.equal(begun, 2);
});

test("an urgent one lets those of dearer tiers come first, whoever saw the loss first", async () => {
  const clock = createSimulatedClock();
  const leases = createGpuLeases(clock);
  const begun: string[] = [];
  const wake = (name: string, tierRank: number): void =>
    void leases.acquire(on(tierRank, { ...urgent, tierRank }), new AbortController().signal).then((lease) => {
      begun.push(name);
      clock.after(300, () => lease?.release());
    });
  wake("silver", 2);
  wake("gold", 1);
  await clock.advance(30);
  assert.deepEqual(begun, []);
  wake("platinum", 0);
  await clock.advance(250);
  assert.deepEqual(begun, ["platinum"]);
  await clock.advance(1_000);
  assert.deepEqual(begun, ["platinum", "gold", "silver"]);
});
