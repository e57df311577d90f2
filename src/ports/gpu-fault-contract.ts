import assert from "node:assert/strict";
import { instanceName, nodeName, partitionName, serviceName, tenantId } from "../base/ids.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";
import type { GpuAccount, GpuEnd } from "./gpu-account.ts";
import { driverFacts, type DriverFact, type DriverRig } from "./gpu-driver-contract.ts";

const DONE = { ok: true, value: null };
const NODE = nodeName("gpu-a");
const FIRST = { node: NODE, gpu: 0 };
const GB = 1_000_000_000;

/** What a driver whose GPUs can be made to fail does when they do. */
export function gpuFaultContract(adapter: string, open: () => Promise<DriverRig>): void {
  const fact = driverFacts(adapter, open);
  losses(fact);
  applicationFaults(fact);
  teardowns(fact);
}

function losses(fact: DriverFact): void {
  fact("an uncontained memory error is told to all on the GPU, which takes nothing more until it was reset", async (rig) => {
    const ends: string[] = [];
    const engines = await holders(rig, "mig", ends);
    assert.deepEqual(await rig.faults.lose({ kind: "gpu-lost", mode: "ecc_uncorrectable", ...FIRST }, 60_000), DONE);
    await settled(rig, engines, () => ends.length === 2);
    assert.deepEqual(ends.toSorted(), ["one: ecc_uncorrectable", "two: ecc_uncorrectable"]);
    assert.deepEqual(await healths(rig), ["needs-reset", "ok"]);
    const refused = await engines[0].holdGpu(FIRST, 30 * GB);
    assert.deepEqual(refused, { ok: false, error: { code: "GPU_LOST", mode: "ecc_uncorrectable", ...FIRST } });
    assert.deepEqual(await rig.faults.restore(FIRST), DONE);
    assert.deepEqual(await healths(rig), ["ok", "ok"]);
    assert.deepEqual(await engines[0].holdGpu(FIRST, 30 * GB), DONE);
  });
  fact("a GPU that fell off the bus is lost to every MIG instance of it", async (rig) => {
    const ends: string[] = [];
    const engines = await holders(rig, "mig", ends);
    assert.deepEqual(await rig.faults.lose({ kind: "gpu-lost", mode: "fallen_off_bus", ...FIRST }, 60_000), DONE);
    await settled(rig, engines, () => ends.length === 2);
    assert.deepEqual(ends.toSorted(), ["one: fallen_off_bus", "two: fallen_off_bus"]);
    assert.deepEqual(await healths(rig), ["lost", "ok"]);
  });
}

function applicationFaults(fact: DriverFact): void {
  for (const [mode, hit] of [
    ["mig", ["one"]],
    ["mps", ["one", "two"]],
    ["time-slicing", ["one", "two"]],
  ] as const) {
    fact(`a fault of one application under ${mode} ends ${hit.join(" and ")}, and the GPU goes on`, async (rig) => {
      const ends: string[] = [];
      const engines = await holders(rig, mode, ends);
      assert.deepEqual(await rig.faults.fail({ kind: "gpu-fault", mode: "mmu_fault", instance: "one", ...FIRST }), DONE);
      await settled(rig, engines, () => ends.length >= hit.length);
      assert.deepEqual(
        ends.toSorted(),
        hit.map((name) => `${name}: mmu_fault`),
      );
      assert.deepEqual(await healths(rig), ["ok", "ok"]);
    });
  }
  fact("a fault of who holds nothing there ends nobody, and one on no GPU of the inventory is not injected", async (rig) => {
    const ends: string[] = [];
    const engines = await holders(rig, "mps", ends);
    assert.deepEqual(await rig.faults.fail({ kind: "gpu-fault", mode: "mmu_fault", instance: "three", ...FIRST }), DONE);
    await settled(rig, engines, () => true);
    assert.deepEqual(ends, []);
    const refused = await rig.faults.fail({ kind: "gpu-fault", mode: "mmu_fault", instance: "one", node: NODE, gpu: 9 });
    assert.equal(refused.ok ? "injected" : refused.error.code, "NOT_INJECTED");
  });
}

function teardowns(fact: DriverFact): void {
  fact("a GPU whose driver is slow keeps the bytes of a dead process, told as such, and frees them in the end", async (rig) => {
    assert.deepEqual(await rig.faults.slow({ kind: "slow-teardown", ...FIRST, teardownMs: 8_000 }, 60_000), DONE);
    const dying = rig.connect("hot-1", 1);
    assert.deepEqual(await dying.account.holdGpu(FIRST, 70 * GB), DONE);
    await dying.die();
    await rig.pass(7_999);
    assert.deepEqual(await holdersOf(rig), [{ instance: "hot-1", pid: 1, usedBytes: 70 * GB, state: "gone", compute: null }]);
    assert.equal((await rig.connect("hot-1", 2).account.holdGpu(FIRST, 70 * GB)).ok, false);
    await rig.pass(1);
    assert.deepEqual(await holdersOf(rig), []);
  });
  fact("a slow teardown ends by itself, or with a reset", async (rig) => {
    for (const end of ["time", "reset"] as const) {
      assert.deepEqual(await rig.faults.slow({ kind: "slow-teardown", ...FIRST, teardownMs: 8_000 }, 1_000), DONE);
      if (end === "time") await rig.pass(1_000);
      else assert.deepEqual(await rig.faults.restore(FIRST), DONE);
      const dying = rig.connect(`hot-${end}`, 1);
      assert.deepEqual(await dying.account.holdGpu(FIRST, GB), DONE);
      await dying.die();
      await rig.pass(100);
      assert.deepEqual(await holdersOf(rig), []);
    }
  });
}

/** Two engines, `one` and `two`, of 20 GB each on the first GPU, who note how they end. */
async function holders(rig: DriverRig, mode: GpuPartition["mode"], ends: string[]): Promise<readonly [GpuAccount, GpuAccount]> {
  const engine = async (name: string, pid: number): Promise<GpuAccount> => {
    await rig.driver.ensurePartition(partition(name, mode));
    const { account } = rig.connect(name, pid, true);
    assert.deepEqual(await account.holdGpu(FIRST, 20 * GB), DONE);
    account.watchLoss([FIRST], (end: GpuEnd) => ends.push(`${name}: ${end.mode}`));
    await account.holdHost(NODE, 0);
    return account;
  };
  return [await engine("one", 1), await engine("two", 2)];
}

const partition = (name: string, mode: GpuPartition["mode"]): GpuPartition => ({
  name: partitionName(`${name}-gpu-partition`),
  tenant: tenantId(name),
  service: serviceName("service"),
  instance: instanceName(name),
  mode,
  ...FIRST,
  memoryBytes: 40 * GB,
  computePercent: 50,
  mig: mode === "mig" ? { profile: "3g", start: name === "one" ? 0 : 4 } : null,
  leaving: null,
  phase: "Bound",
});

/** What is under way to an engine comes before the answer to what it asks later; some more, for what must not come. */
async function settled(rig: DriverRig, engines: readonly GpuAccount[], isDone: () => boolean): Promise<void> {
  for (let round = 0; round < 100 && (round < 3 || !isDone()); round += 1) {
    for (const engine of engines) await engine.holdHost(NODE, 0);
    await rig.pass(0);
  }
}

async function healths(rig: DriverRig): Promise<readonly string[]> {
  const seen = await rig.driver.observe();
  return seen.ok ? seen.value.map(({ health }) => health) : [];
}

async function holdersOf(rig: DriverRig): Promise<readonly unknown[]> {
  const seen = await rig.driver.observe();
  return seen.ok ? seen.value.flatMap((gpu) => gpu.holders) : [];
}
