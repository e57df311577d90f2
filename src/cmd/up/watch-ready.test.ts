import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../../adapters/clock/simulated.ts";
import { createMemoryStore } from "../../adapters/cluster-store/memory.ts";
import type { InstanceState } from "../../api/service-status.ts";
import { watchReady, type Readiness } from "./watch-ready.ts";

function watching() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const told: string[] = [];
  let settled: Readiness | null = null;
  const of = { kind: "HotStandbyConfig", name: "gold" } as const;
  return {
    clock,
    told,
    settled: () => settled,
    async begin() {
      await store.create({ ...of, labels: {}, annotations: {}, spec: {} });
      const tell = ({ instance }: Readiness["rows"][number], { inPlaceCount, rows }: Readiness): void =>
        void told.push(`${instance.name} ${instance.state} ${inPlaceCount}/${rows.length}`);
      const watch = watchReady({ store, clock, isRouted: () => true }, tell, new AbortController().signal);
      void watch.then((readiness) => (settled = readiness));
      await clock.advance(100);
    },
    async set(...states: readonly InstanceState[]) {
      const found = await store.get(of.kind, of.name);
      assert.ok(found.ok);
      const instances = states.map((state, index) => ({ name: `gold-${index + 1}`, state }));
      await store.writeStatus(of, { instances }, found.value.version);
      await clock.advance(200);
    },
  };
}

test("an instance that sleeps as asked is in place: up tells of it, and waits no longer", async () => {
  const up = watching();
  await up.begin();
  await up.set("Ready", "Verifying");
  await up.set("Ready", "Draining");
  assert.equal(up.settled(), null);
  await up.set("Ready", "Asleep");
  assert.deepEqual(up.told, ["gold-1 Ready 1/2", "gold-2 Asleep 2/2"]);
  assert.equal(up.settled()?.inPlaceCount, 2);
});

test("an instance that does not come holds up nothing for ever", async () => {
  const up = watching();
  await up.begin();
  await up.set("Ready", "Waking");
  assert.equal(up.settled(), null);
  await up.clock.advance(21_000);
  assert.equal(up.settled()?.inPlaceCount, 1);
});
