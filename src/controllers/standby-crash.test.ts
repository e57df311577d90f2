import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { CrashSwitch, through } from "./crash-switch.ts";
import { FakeControlWorld } from "./fake-control-world.ts";

const CHANGED = { model: { name: "tide-8b", engine: "simulated", revision: "r2", weights: "16GB", contextLength: 8192 } };
const CHANGED_AND_SMALLER = { ...CHANGED, hotStandby: { gpuCount: 1, memoryReserved: "40GB" } };

/** Start, a death, a changed model, a scale-down: with a crash at one act, and a new control plane 100 ms later. */
async function runScenario(crashAt: number, moment: "before" | "after") {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  const { launcher, upstream } = world.platform;
  const crash = new CrashSwitch(crashAt, moment);
  await world.putGold();
  await world.placeAll();
  const control = through(crash, { store, launcher, upstream, clock, hub: world.gateway.hub });
  void crash.died.then(() => clock.after(100, () => void world.startControlPlane()));
  void world.startControlPlane(control);
  await clock.advance(1_000);
  if (world.platform.engines.size === 3) world.platform.kill("gold-hot-1");
  await clock.advance(1_000);
  await world.putGold(CHANGED);
  await clock.advance(4_000);
  await world.putGold(CHANGED_AND_SMALLER);
  await clock.advance(3_000);
  return { world, crash };
}

test("whatever act the control plane ends at, its successor converges with one engine an instance and no orphan", async () => {
  const undisturbed = await runScenario(Number.POSITIVE_INFINITY, "before");
  const acts = undisturbed.crash.acts;
  assert.ok(acts > 25, `${acts} acts`);
  for (let at = 0; at < acts; at += 1) {
    for (const moment of ["before", "after"] as const) {
      const { world } = await runScenario(at, moment);
      const where = `crash ${moment} act ${at}`;
      const { instances, level } = await world.status();
      assert.deepEqual(
        instances.map((instance) => `${instance.name} ${instance.state}`),
        ["gold-hot-1 Ready", "gold-warm-1 Ready"],
        where,
      );
      assert.equal(level, "hot", where);
      assert.deepEqual([...world.platform.engines.keys()].toSorted(), ["gold-hot-1", "gold-warm-1"], where);
      for (const { name, uid, generation, pid } of instances) {
        const engine = world.platform.engine(name);
        assert.deepEqual([engine.plan.uid, engine.plan.generation, engine.pid], [uid, generation, pid], where);
        assert.equal(engine.plan.model.revision, "r2", where);
      }
      assert.deepEqual(world.gateway.ready(), ["gold-hot-1", "gold-warm-1"], where);
    }
  }
});
