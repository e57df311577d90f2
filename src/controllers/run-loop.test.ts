import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import type { LoggedEvent } from "../ports/event-log.ts";
import type { Requeue } from "./requeue.ts";
import { startLoop } from "./run-loop.ts";

const draft = (name: string) => ({ kind: "GPUNode" as const, name, labels: {}, annotations: {}, spec: {} });

/** A loop over GPUNodes whose looks are held until `release()`. */
function world(
  reconcile: (name: string, look: number) => Promise<Requeue | null>,
  firstNames: () => Promise<readonly string[]> = async () => [],
) {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const events: LoggedEvent[] = [];
  const looks: { readonly name: string; readonly atMs: number }[] = [];
  const loop = startLoop(
    {
      name: "test",
      namesOf: ({ kind, name }) => (kind === "GPUNode" ? [name] : []),
      firstNames,
      reconcile: (name) => {
        looks.push({ name, atMs: clock.monotonicMs() });
        return reconcile(name, looks.length);
      },
    },
    { store, clock, log: { record: (event) => void events.push(event) } },
  );
  return { clock, store, events, looks, loop };
}

test("a loop looks at its first names in order, then at what changes", async () => {
  const { clock, store, looks, loop } = world(
    async () => null,
    async () => ["b", "a"],
  );
  await clock.advance(0);
  await store.create(draft("c"));
  await store.create({ ...draft("x"), kind: "ApiKey" });
  await clock.advance(10);
  assert.deepEqual(
    looks.map((look) => look.name),
    ["b", "a", "c"],
  );
  await loop.stop();
});

test("many kicks during a look are one more look, and looks of one name never overlap", async () => {
  const held = Promise.withResolvers<void>();
  let atWork = 0;
  let atWorkMax = 0;
  const { clock, looks, loop } = world(async () => {
    atWork += 1;
    atWorkMax = Math.max(atWorkMax, atWork);
    await held.promise;
    atWork -= 1;
    return null;
  });
  for (let kicks = 0; kicks < 10; kicks += 1) {
    loop.kick("a");
    await clock.advance(1);
  }
  assert.equal(looks.length, 1);
  held.resolve();
  await clock.advance(1);
  assert.equal(looks.length, 2);
  assert.equal(atWorkMax, 1);
  await loop.stop();
});

test("a requeue looks again after its time, once, also when a kick came before", async () => {
  const { clock, looks, loop } = world(async (_name, look) => (look <= 2 ? { afterMs: 1_000 } : null));
  loop.kick("a");
  await clock.advance(500);
  loop.kick("a");
  await clock.advance(999);
  assert.deepEqual(
    looks.map((look) => look.atMs),
    [0, 500],
  );
  await clock.advance(5_000);
  assert.deepEqual(
    looks.map((look) => look.atMs),
    [0, 500, 1_500],
  );
  await loop.stop();
});

test("a failing look is repeated after 100 ms, doubling to 2 s, and logged each time", async () => {
  const { clock, looks, events, loop } = world(() => Promise.reject(new Error("the store is away")));
  loop.kick("a");
  await clock.advance(10_000);
  const gaps = looks.slice(1).map((look, index) => look.atMs - (looks[index]?.atMs ?? 0));
  assert.deepEqual(gaps, [100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
  assert.equal(events.length, looks.length);
  assert.equal(events[0]?.fields["reason"], "the store is away");
  await loop.stop();
});

test("a look that fails and reports its own write is repeated every 100 ms, not at once", async () => {
  const { clock, looks, loop } = world(async (name, look) => {
    if (look > 4) return null;
    loop.kick(name);
    await Promise.resolve();
    throw new Error("the answer was lost");
  });
  loop.kick("a");
  await clock.advance(450);
  await loop.stop();
  assert.deepEqual(
    looks.map(({ atMs }) => atMs),
    [0, 100, 200, 300, 400],
  );
});

test("a report after a failed look is looked at 100 ms after it, whatever its backoff has grown to", async () => {
  const { clock, looks, loop } = world(() => Promise.reject(new Error("the store is away")));
  loop.kick("a");
  await clock.advance(2_000);
  assert.equal(looks.at(-1)?.atMs, 1_500);
  loop.kick("a");
  assert.equal(looks.at(-1)?.atMs, 2_000);
  await clock.advance(50);
  loop.kick("a");
  loop.kick("a");
  await clock.advance(60);
  assert.deepEqual(
    looks.slice(-2).map(({ atMs }) => atMs),
    [2_000, 2_100],
  );
  await loop.stop();
});

test("the first names are asked for again while the store cannot be read", async () => {
  let asked = 0;
  const { clock, looks, loop } = world(
    async () => null,
    async () => {
      asked += 1;
      if (asked < 3) throw new Error("not yet");
      return ["a"];
    },
  );
  await clock.advance(1_000);
  assert.equal(asked, 3);
  assert.deepEqual(looks, [{ name: "a", atMs: 300 }]);
  await loop.stop();
});

test("a stopped loop waits for the look at work and begins no other", async () => {
  const held = Promise.withResolvers<void>();
  const { clock, looks, loop } = world(async () => {
    await held.promise;
    return { afterMs: 1 };
  });
  loop.kick("a");
  await clock.advance(1);
  const stopped = loop.stop();
  loop.kick("b");
  held.resolve();
  await stopped;
  await clock.advance(1_000);
  assert.equal(looks.length, 1);
});

test("the first looks are over when every first name was looked at, also where a look failed", async () => {
  const held = Promise.withResolvers<void>();
  const { clock, loop } = world(
    async (name) => {
      if (name === "bad") throw new Error("no");
      await held.promise;
      return null;
    },
    async () => ["bad", "good"],
  );
  let isOver = false;
  void loop.firstLooks.then(() => (isOver = true));
  await clock.advance(50);
  assert.equal(isOver, false);
  held.resolve();
  await clock.advance(50);
  assert.equal(isOver, true);
  await loop.stop();
});
