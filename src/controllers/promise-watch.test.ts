import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createMemoryEventLog } from "../adapters/event-log/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { later, serviceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { FakeControlWorld } from "./fake-control-world.ts";
import { createPromiseWatch } from "./promise-watch.ts";

const GPUS: JsonObject = { gpus: [{ model: "H100-80GB", count: 8 }] };
const SLOW: JsonObject = { ...GPUS, links: { network: "1GB" } };
const LONE: JsonObject = { tenant: "lone", tier: "silver", model: { name: "m", weights: "16GB" }, failoverPolicy: { rtoTarget: "10s" } };

/** @param lookMs what each look at the clock takes: the work between two looks, as it were. */
function createWatched(lookMs = 0) {
  const clock = createSimulatedClock();
  let workMs = 0;
  const slow = { ...clock, monotonicMs: () => later(clock.monotonicMs(), (workMs += lookMs)) };
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  const told: string[] = [];
  const watch = createPromiseWatch({ store, clock: lookMs === 0 ? clock : slow, log: createMemoryEventLog() }, (service) =>
    told.push(service),
  );
  const put = (name: string, spec: JsonObject) => world.put({ kind: name.startsWith("gpu") ? "GPUNode" : "HotStandbyConfig", name, spec });
  const refresh = async (afterMs: number) => {
    await clock.advance(afterMs);
    watch.refresh();
    await clock.advance(0);
    return watch.vettingOf(serviceName("lone"));
  };
  return { clock, store, world, watch, told, put, refresh };
}

test("a promise is worked out in the background, and who is concerned is told once", async () => {
  const { put, refresh, told } = createWatched();
  await put("gpu-a", GPUS);
  await put("gpu-b", GPUS);
  await put("lone", LONE);
  // 1,750 + 16,000 / 11 + 200 + 50 + 32.8.
  assert.equal((await refresh(0))?.worstMs?.toFixed(1), "3787.3");
  await refresh(10_000);
  assert.deepEqual(told, ["lone"]);
});

test("a slower node is seen no sooner than two seconds after the last look, and told", async () => {
  const { put, refresh, told } = createWatched();
  await put("gpu-a", GPUS);
  await put("lone", LONE);
  await refresh(0);
  await put("gpu-a", SLOW);
  assert.equal((await refresh(1_999))?.impossible, null);
  assert.match((await refresh(1))?.impossible?.what ?? "", /^lone: cold loads 16 GB over 1 GB\/s network = 16 s/);
  assert.deepEqual(told, ["lone", "lone"]);
});

test("after arithmetic of half a second it rests nineteen times as long", async () => {
  const { put, refresh } = createWatched(500);
  await put("gpu-a", GPUS);
  await put("lone", LONE);
  await refresh(0);
  await put("gpu-a", SLOW);
  assert.equal((await refresh(8_500))?.impossible, null);
  assert.notEqual((await refresh(1_000))?.impossible, null);
});

/** Each of its GPUs is a loss to work out: more than one slice of arithmetic. */
async function putLargeFleet(put: ReturnType<typeof createWatched>["put"]): Promise<void> {
  for (let index = 0; index < 40; index += 1) await put(`gpu-${index}`, GPUS);
  await put("lone", LONE);
}

test("looks come in between while the promises of a large fleet are worked out", async () => {
  const { put, refresh, clock, watch, told } = createWatched();
  await putLargeFleet(put);
  const seen: unknown[] = [];
  watch.refresh();
  clock.after(0, () => clock.after(0, () => seen.push(watch.vettingOf(serviceName("lone")))));
  assert.notEqual(await refresh(0), null);
  assert.deepEqual([seen, told], [[null], ["lone"]]);
});

test("a watch that is stopped in the middle of its arithmetic tells nobody", async () => {
  const { put, clock, watch, told } = createWatched();
  await putLargeFleet(put);
  watch.refresh();
  clock.after(0, () => watch.stop());
  await clock.advance(1_000);
  assert.deepEqual([told, watch.vettingOf(serviceName("lone"))], [[], null]);
});

test("while the store cannot be read, what was worked out before stands", async () => {
  const { put, refresh, store } = createWatched();
  await put("gpu-a", GPUS);
  await put("lone", LONE);
  const before = await refresh(0);
  await store.close();
  assert.ok(before !== null);
  assert.equal(await refresh(5_000), before);
});

test("a watch that was stopped tells nobody", async () => {
  const { put, refresh, told, watch } = createWatched();
  await put("gpu-a", GPUS);
  await put("lone", LONE);
  watch.stop();
  assert.equal(await refresh(0), null);
  assert.deepEqual(told, []);
});

test("the condition PromiseAtRisk follows what is worked out, and outlives the control plane", async () => {
  const { world, clock, put } = createWatched();
  await put("gpu-x", SLOW);
  await put("gpu-y", SLOW);
  await world.putGold({ hotStandby: { gpuCount: 1 }, warmStandby: { gpuCount: 0 }, coldStandby: { gpuCount: 0 } });
  await world.placeAll(["gold-hot-1"]);
  const atRisk = async () => (await world.status()).conditions.find(({ type }) => type === "PromiseAtRisk");
  const control = await world.startControlPlane();
  await clock.advance(3_000);
  const slow = await atRisk();
  assert.deepEqual([slow?.status, slow?.reason], ["True", "Impossible"]);
  assert.match(slow?.message ?? "", /^gold: cold loads 16 GB over 1 GB\/s network = 16 s \+ 0\.2 s, alone over rtoTarget 5 s/);
  await put("gpu-x", GPUS);
  await put("gpu-y", GPUS);
  await clock.advance(5_000);
  const kept = await atRisk();
  assert.deepEqual(
    [kept?.status, kept?.reason, kept?.message],
    ["False", "CanBeKept", "Back within 3.8 s after any one loss, by arithmetic; rtoTarget is 5 s."],
  );
  await control.stop();
  await world.startControlPlane();
  await clock.advance(5_000);
  assert.deepEqual(await atRisk(), kept);
});
