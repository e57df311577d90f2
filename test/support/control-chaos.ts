import assert from "node:assert/strict";
import fc from "fast-check";
import { createSimulatedClock } from "../../src/adapters/clock/simulated.ts";
import { createMemoryStore } from "../../src/adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../../src/adapters/random/simulated.ts";
import { instanceName } from "../../src/base/ids.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { FakeControlWorld, LADDER } from "../../src/controllers/fake-control-world.ts";

const INSTANCES = ["gold-hot-1", "gold-hot-2", "gold-warm-1"];
const RESERVE = "gold-cold-1";
/** What is back serves again after a second, and a Hold is over within the time that each case ends with. */
const PATIENCE: JsonObject = { failoverPolicy: { maxFailoverCount: 2, window: "1m", failback: { soak: "1s" } } };
export const CHAOS_CASES = [
  { name: "warm resident", config: PATIENCE, warm: "Ready" },
  { name: "warm asleep, with a cold reserve", config: { ...LADDER, ...PATIENCE }, warm: "Asleep" },
] as const;
const revision = (name: string) => ({
  model: { name: "tide-8b", engine: "simulated", revision: name, weights: "16GB", contextLength: 8192 },
});

const anyStep = fc.record({
  afterMs: fc.integer({ min: 0, max: 1_500 }),
  what: fc.constantFrom(
    "kill",
    "stop",
    "hang",
    "heal",
    "report",
    "fail-starts",
    "fail-wake",
    "garbage-wake",
    "revision",
    "shrink",
    "grow",
    "restart",
    "silence",
    "speak",
  ),
  instance: fc.constantFrom(...INSTANCES, RESERVE),
  choice: fc.integer({ min: 1, max: 3 }),
});
type Step = typeof anyStep extends fc.Arbitrary<infer Value> ? Value : never;

async function createWorld(base: JsonObject) {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  await world.putGold(base);
  await world.placeAll([...INSTANCES, RESERVE]);
  let control = await world.startControlPlane();
  let config = base;
  const put = (change: JsonObject): Promise<void> => {
    config = { ...config, ...change };
    return world.putGold(config);
  };
  const { platform, gateway } = world;
  async function perform({ what, instance, choice }: Step): Promise<void> {
    const engine = platform.engines.get(instanceName(instance));
    if (what === "kill" && engine !== undefined) platform.kill(instance);
    if (what === "stop" && engine !== undefined) engine.mode = "stopped";
    if (what === "hang" && engine !== undefined) engine.mode = "hung";
    if (what === "heal" && engine !== undefined) engine.mode = "well";
    if (what === "report") gateway.report(instance, engine?.plan.generation ?? choice, choice === 1 ? "reset" : "silent");
    if (what === "fail-starts") platform.failStarts(instance, 1);
    if (what === "fail-wake") platform.badWakes.set(instanceName(instance), "failed");
    if (what === "garbage-wake") platform.badWakes.set(instanceName(instance), "garbage");
    if (what === "revision") await put(revision(`r${choice}`));
    if (what === "shrink") await put({ hotStandby: { gpuCount: 1, memoryReserved: "40GB" } });
    if (what === "grow") await put({ hotStandby: { gpuCount: 2, memoryReserved: "80GB" } });
    if (what === "silence" || what === "speak") gateway.isSilent = what === "silence";
    if (what !== "restart") return;
    const stopping = control.stop();
    await clock.advance(50);
    await stopping;
    control = await world.startControlPlane();
  }
  return { clock, world, perform, put };
}

/** Steps of every kind at any time; whatever happened, when it stops the service is what its config asks for. */
export async function checkChaos(
  { config, warm }: (typeof CHAOS_CASES)[number],
  campaign: { readonly runs: number; readonly seed: number },
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 12 }), async (steps) => {
      const { clock, world, perform, put } = await createWorld(config);
      let revisionBefore = 0;
      for (const step of steps) {
        await clock.advance(step.afterMs);
        await perform(step);
        const status = await world.status().catch(() => null);
        assert.ok((status?.revision ?? 0) >= revisionBefore, "revisions never go back");
        revisionBefore = status?.revision ?? 0;
      }
      world.gateway.isSilent = false;
      world.platform.badWakes.clear();
      for (const engine of world.platform.engines.values()) if (engine.mode !== "stopped") engine.mode = "well";
      await put({ ...revision("last"), hotStandby: { gpuCount: 2, memoryReserved: "80GB" } });
      // The longest of all: a drain of thirty seconds for each, pauses of ten, a quarantine of sixty, a Hold of sixty.
      await clock.advance(300_000);
      const { instances, level, phase } = await world.status();
      assert.deepEqual([level, phase], ["hot", "Normal"]);
      assert.deepEqual(
        instances.map((instance) => `${instance.name} ${instance.state}`),
        ["gold-hot-1 Ready", "gold-hot-2 Ready", `gold-warm-1 ${warm}`],
      );
      assert.deepEqual([...world.platform.engines.keys()].toSorted(), INSTANCES);
      for (const instance of instances) {
        const { plan, isAsleep } = world.platform.engine(instance.name);
        assert.deepEqual([plan.uid, plan.generation, plan.model.revision], [instance.uid, instance.generation, "last"]);
        assert.equal(isAsleep, instance.state === "Asleep");
      }
      assert.deepEqual(world.gateway.ready(), warm === "Ready" ? INSTANCES : INSTANCES.slice(0, 2));
      assert.deepEqual(world.platform.crashes, [], "nothing is asked of a sleeper");
    }),
    { numRuns: campaign.runs, seed: campaign.seed },
  );
}
