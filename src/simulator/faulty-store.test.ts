import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createSimulatedClock, type SimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createMemoryEventLog } from "../adapters/event-log/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import type { Result } from "../base/result.ts";
import { clusterStoreContract } from "../ports/cluster-store-contract.ts";
import type { ClusterStore, StoreError } from "../ports/cluster-store.ts";
import { createFaultyStore, type StoreFaults } from "./faulty-store.ts";
import { gpuNodeDraft } from "./world-resources.ts";

clusterStoreContract("a faulty store without faults", async () => rig(1).store);

function rig(seed: number) {
  const clock = createSimulatedClock();
  const inner = createMemoryStore(clock);
  const log = createMemoryEventLog();
  const faulty = createFaultyStore(inner, { clock, random: createSeededRandom(seed), log });
  return { clock, inner, log, faulty, store: faulty.store };
}

const NODE = gpuNodeDraft("gpu-a", "az-1", 1);
const AT = { kind: "GPUNode", name: "gpu-a" } as const;

/** What each kind of call says, as its error's code and `applied`. */
async function saidOf(store: ClusterStore): Promise<Readonly<Record<string, string>>> {
  const said: Record<string, string> = {};
  const note = (call: string, answer: Result<unknown, StoreError>): void => {
    if (answer.ok) said[call] = "ok";
    else said[call] = answer.error.code === "UNAVAILABLE" ? `UNAVAILABLE ${answer.error.applied}` : answer.error.code;
  };
  note("create", await store.create(NODE));
  const read = await store.get(AT.kind, AT.name);
  note("get", read);
  note("list", await store.list(AT.kind));
  const version = read.ok ? read.value.version : "1";
  note("writeStatus", await store.writeStatus(AT, { phase: "seen" }, version));
  note("remove", await store.remove(AT.kind, AT.name));
  return said;
}

const NO = "UNAVAILABLE no";
const cases: readonly { readonly name: string; readonly faults: Partial<StoreFaults>; readonly said: Readonly<Record<string, string>> }[] =
  [
    {
      name: "a store that is out refuses every call and applies none",
      faults: { isOut: true },
      said: { create: NO, get: NO, list: NO, writeStatus: NO, remove: NO },
    },
    {
      name: "a store that is never available refuses every call and applies none",
      faults: { unavailableRatio: 1 },
      said: { create: NO, get: NO, list: NO, writeStatus: NO, remove: NO },
    },
    {
      name: "a full store refuses writes and answers reads",
      faults: { isFull: true },
      said: { create: NO, get: "NOT_FOUND", list: "ok", writeStatus: NO, remove: NO },
    },
    {
      name: "a store that loses answers applies each write, and its writer hears that nobody knows",
      faults: { lostAnswerRatio: 1 },
      said: { create: "UNAVAILABLE unknown", get: "ok", list: "ok", writeStatus: "UNAVAILABLE unknown", remove: "UNAVAILABLE unknown" },
    },
    {
      name: "a store with conflicts refuses only writes that name a version",
      faults: { conflictRatio: 1 },
      said: { create: "ok", get: "ok", list: "ok", writeStatus: "CONFLICT", remove: "ok" },
    },
  ];
for (const { name, faults, said } of cases) {
  test(name, async () => {
    const { store, faulty, log } = rig(1);
    faulty.set(faults);
    assert.deepEqual(await saidOf(store), said);
    assert.ok(log.events.every(({ event }) => event === "store.fault"));
    assert.ok(log.events.length > 0);
    faulty.set({});
    assert.deepEqual(Object.values(await saidOf(store)), ["ok", "ok", "ok", "ok", "ok"]);
  });
}

test("a conflict of one versioned change of a batch applies none of them", async () => {
  const { store, inner, faulty } = rig(1);
  const made = await store.create(NODE);
  assert.ok(made.ok);
  faulty.set({ conflictRatio: 1 });
  const batch = await store.applyAll([
    { verb: "put", draft: gpuNodeDraft("gpu-b", "az-1", 1), version: null },
    { verb: "put", draft: NODE, version: made.value.version },
  ]);
  assert.deepEqual(batch, { ok: false, error: { code: "CONFLICT", ...AT } });
  const left = await inner.list("GPUNode");
  assert.deepEqual(left.ok && left.value.items.map(({ name }) => name), ["gpu-a"]);
});

test("a slow call takes effect in the middle of its delay", async () => {
  const { store, inner, faulty, clock } = rig(1);
  faulty.set({ slowRatio: 1, slowMs: { min: 100, max: 100 } });
  let answeredAtMs = -1;
  void store.create(NODE).then(() => (answeredAtMs = clock.monotonicMs()));
  await clock.advance(49);
  assert.equal((await inner.get(AT.kind, AT.name)).ok, false);
  await clock.advance(2);
  assert.deepEqual([(await inner.get(AT.kind, AT.name)).ok, answeredAtMs], [true, -1]);
  await clock.advance(100);
  assert.equal(answeredAtMs, 100);
});

async function toldOf(
  faults: Partial<StoreFaults>,
  act: (clock: SimulatedClock, told: readonly string[]) => Promise<void>,
): Promise<readonly string[]> {
  const { store, faulty, inner, clock } = rig(1);
  const told: string[] = [];
  const watching = store.watch(({ name }) => told.push(name));
  faulty.set(faults);
  for (const name of ["gpu-a", "gpu-b", "gpu-a"]) {
    const made = await inner.create(gpuNodeDraft(name, "az-1", 1));
    if (!made.ok) await inner.remove("GPUNode", name);
  }
  await act(clock, told);
  faulty.set({});
  await clock.advance(0);
  assert.deepEqual(new Set(told), new Set(["gpu-a", "gpu-b"]));
  watching.stop();
  await inner.create(gpuNodeDraft("gpu-c", "az-1", 1));
  await clock.advance(10_000);
  assert.ok(!told.includes("gpu-c"));
  return told;
}

for (const faults of [{ isOut: true }, { isWatchCut: true }]) {
  test(`a watch under ${Object.keys(faults).join()} is silent, and tells afterwards of each object once`, async () => {
    const told = await toldOf(faults, async (clock, sofar) => {
      await clock.advance(5_000);
      assert.deepEqual(sofar, []);
    });
    assert.equal(told.length, 2);
  });
}

test("a delayed watch tells of every change, none at once", async () => {
  await toldOf({ watchDelayMs: 500 }, async (clock, told) => {
    await clock.advance(0);
    assert.deepEqual(told, []);
    await clock.advance(500);
    assert.equal(told.length, 3);
  });
});

test("whatever faults are drawn, a write that is said not to be applied is not there, and one that is said to be is", async () => {
  const ratio = fc.constantFrom(0, 0.3, 0.7);
  await fc.assert(
    fc.asyncProperty(fc.nat(1_000), ratio, ratio, ratio, async (seed, unavailableRatio, lostAnswerRatio, conflictRatio) => {
      const { store, inner, faulty } = rig(seed);
      const made = await inner.create(NODE);
      assert.ok(made.ok);
      faulty.set({ unavailableRatio, lostAnswerRatio, conflictRatio });
      for (let count = 1; count <= 10; count += 1) {
        const before = await inner.get(AT.kind, AT.name);
        assert.ok(before.ok);
        const written = await store.writeStatus(AT, { count }, before.value.version);
        const after = await inner.get(AT.kind, AT.name);
        const isApplied = after.ok && after.value.status?.["count"] === count;
        const isUnknown = !written.ok && written.error.code === "UNAVAILABLE" && written.error.applied === "unknown";
        if (!isUnknown) assert.equal(isApplied, written.ok);
      }
    }),
    { seed: 4, numRuns: 50 },
  );
});
