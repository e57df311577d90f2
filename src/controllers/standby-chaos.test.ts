import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { instanceName } from "../base/ids.ts";
import { FakeControlWorld } from "./fake-control-world.ts";

const INSTANCES = ["gold-hot-1", "gold-hot-2", "gold-warm-1"];
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
    "revision",
    "shrink",
    "grow",
    "restart",
    "silence",
    "speak",
  ),
  instance: fc.constantFrom(...INSTANCES),
  choice: fc.integer({ min: 1, max: 3 }),
});
type Step = typeof anyStep extends fc.Arbitrary<infer Value> ? Value : never;

async function createWorld() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  await world.putGold();
  await world.placeAll();
  let control = await world.startControlPlane();
  let config: Parameters<FakeControlWorld["putGold"]>[0] = {};
  const put = (change: typeof config): Promise<void> => {
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

test("whatever happened, when it stops the service is what its config asks for, with one engine an instance", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 12 }), async (steps) => {
      const { clock, world, perform, put } = await createWorld();
      let revisionBefore = 0;
      for (const step of steps) {
        await clock.advance(step.afterMs);
        await perform(step);
        const status = await world.status().catch(() => null);
        assert.ok((status?.revision ?? 0) >= revisionBefore, "revisions never go back");
        revisionBefore = status?.revision ?? 0;
      }
      world.gateway.isSilent = false;
      for (const engine of world.platform.engines.values()) if (engine.mode !== "stopped") engine.mode = "well";
      await put({ ...revision("last"), hotStandby: { gpuCount: 2, memoryReserved: "80GB" } });
      // The longest of all: a drain of thirty seconds for each, pauses of ten, a quarantine of sixty.
      await clock.advance(240_000);
      const { instances, level, phase } = await world.status();
      assert.deepEqual([level, phase], ["hot", "Normal"]);
      assert.deepEqual(
        instances.map((instance) => `${instance.name} ${instance.state}`),
        INSTANCES.map((name) => `${name} Ready`),
      );
      assert.deepEqual([...world.platform.engines.keys()].toSorted(), INSTANCES);
      for (const { name, uid, generation } of instances) {
        const { plan } = world.platform.engine(name);
        assert.deepEqual([plan.uid, plan.generation, plan.model.revision], [uid, generation, "last"]);
      }
      assert.deepEqual(world.gateway.ready(), INSTANCES);
    }),
    { numRuns: 12 },
  );
});
