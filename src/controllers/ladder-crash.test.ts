import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { instanceName } from "../base/ids.ts";
import { CrashSwitch, through } from "./crash-switch.ts";
import { FakeControlWorld, LADDER } from "./fake-control-world.ts";

type Event = (world: FakeControlWorld) => Promise<void> | void;
const kill =
  (...names: readonly string[]): Event =>
  ({ platform }) => {
    for (const name of names) if (platform.engines.has(instanceName(name))) platform.kill(name);
  };
const BOTH_HOT = ["gold-hot-1", "gold-hot-2"];

interface Scenario {
  readonly name: string;
  /** One after another, 6 s apart. */
  readonly events: readonly Event[];
  readonly records: readonly string[];
  /** Those that a crash may spare: hot is back first, so that no failback is needed; or everything ended with the control plane. */
  readonly sparedRecords: readonly string[];
}
const scenarios: readonly Scenario[] = [
  {
    name: "a wake after both hot are lost",
    events: [kill(...BOTH_HOT)],
    records: ["gold-2 Completed"],
    sparedRecords: ["gold-3 Completed"],
  },
  {
    name: "a cold start after hot and warm are lost",
    events: [kill(...BOTH_HOT, "gold-warm-1")],
    records: [],
    sparedRecords: ["gold-2 Completed"],
  },
  {
    name: "an operator's failover and failback",
    events: [(world) => world.request("request-a", "failover", "warm"), (world) => world.request("request-b", "failback")],
    records: ["request-a Completed", "request-b Completed"],
    sparedRecords: [],
  },
];

/** The control plane ends at its `crashAt`-th act after the service stood; another one begins 100 ms later. */
async function runScenario({ events }: Scenario, crashAt: number, moment: "before" | "after") {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  await world.putGold(LADDER);
  await world.placeAll([...BOTH_HOT, "gold-warm-1", "gold-cold-1"]);
  const first = await world.startControlPlane();
  await clock.advance(3_000);
  const stopping = first.stop();
  await clock.advance(50);
  await stopping;
  const crash = new CrashSwitch(crashAt, moment);
  const { launcher, upstream } = world.platform;
  const control = through(crash, { store, launcher, upstream, clock, hub: world.gateway.hub });
  void crash.died.then(() => clock.after(100, () => void world.startControlPlane()));
  void world.startControlPlane(control);
  await clock.advance(200);
  for (const event of events) {
    await event(world);
    await clock.advance(6_000);
  }
  // A sleeper that was put to sleep late, a reserve that drains.
  await clock.advance(40_000);
  return { world, crash };
}

for (const scenario of scenarios)
  test(`${scenario.name} is finished by a successor whatever act the control plane ended at`, async () => {
    const undisturbed = await runScenario(scenario, Number.POSITIVE_INFINITY, "before");
    const acts = undisturbed.crash.acts;
    assert.ok(acts > 8, `${acts} acts`);
    for (let at = 0; at <= acts; at += 1) {
      for (const moment of ["before", "after"] as const) {
        const { world } = at === acts ? undisturbed : await runScenario(scenario, at, moment);
        const where = `crash ${moment} act ${at}`;
        const { instances, level, phase, pinned } = await world.status();
        assert.deepEqual([level, phase, pinned], ["hot", "Normal", null], where);
        assert.deepEqual(
          instances.map((instance) => `${instance.name} ${instance.state}`),
          ["gold-hot-1 Ready", "gold-hot-2 Ready", "gold-warm-1 Asleep"],
          where,
        );
        assert.deepEqual([...world.platform.engines.keys()].toSorted(), [...BOTH_HOT, "gold-warm-1"], `no orphan, ${where}`);
        assert.equal(new Set(world.platform.starts).size, world.platform.starts.length, `no start twice, ${where}`);
        assert.deepEqual(world.platform.crashes, [], `nothing asked of a sleeper, ${where}`);
        assert.equal(world.platform.engine("gold-warm-1").isAsleep, true, where);
        const records = [...(await world.records()).values()].map(({ name, status }) => `${name} ${status?.phase}`);
        const expected = at === acts ? [...scenario.records, ...scenario.sparedRecords] : scenario.records;
        for (const record of expected) assert.ok(records.includes(record), `${record}, ${where}: ${records.join(", ")}`);
        assert.ok(
          records.every((record) => record.endsWith("Completed")),
          `${where}: ${records.join(", ")}`,
        );
      }
    }
  });
