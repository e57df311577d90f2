import assert from "node:assert/strict";
import type { GpuPartition } from "../api/gpu-partition.ts";
import type { MigPlacement } from "../api/mig-layout.ts";
import { nodeName, tenantId } from "../base/ids.ts";
import { driverFacts, partitionOf, taken, type DriverFact, type DriverRig } from "./gpu-driver-contract.ts";

const DONE = { ok: true, value: null };
const NODE = nodeName("gpu-a");
const FIRST = { node: NODE, gpu: 0 };
const GB = 1_000_000_000;

/** What becomes of bytes that a process has no more: a scrub takes 1 s for 300 GB, and begins by itself after 5 s. */
export function gpuMemoryContract(adapter: string, open: () => Promise<DriverRig>): void {
  const fact = driverFacts(adapter, open);
  dirt(fact);
  scrubs(fact);
}

function dirt(fact: DriverFact): void {
  fact("what a sleeping process still holds is told apart, and is in use like any other byte", async (rig) => {
    const { account } = rig.connect("warm-1", 7);
    assert.deepEqual(await account.holdGpu(FIRST, 70 * GB), DONE);
    assert.deepEqual(await account.holdGpu(FIRST, 2 * GB, "parked"), DONE);
    const parked = { instance: "warm-1", pid: 7, usedBytes: 2 * GB, state: "parked", compute: null };
    assert.deepEqual(taken(await rig.driver.observe())[0]?.holders, [parked]);
    const refused = await rig.connect("hot-1", 8).account.holdGpu(FIRST, 79 * GB);
    assert.ok(!refused.ok && refused.error.code === "NO_GPU_MEMORY" && refused.error.freeBytes === 78 * GB);
    assert.deepEqual(await account.holdGpu(FIRST, 70 * GB), DONE);
    assert.equal(taken(await rig.driver.observe())[0]?.holders[0]?.state, "awake");
  });
  fact("bytes that a process gave back are dirty, and whose they were; its own tenant has them again at once", async (rig) => {
    await rig.driver.ensurePartition(partitionOf("hot-1", "exclusive", 40 * GB));
    const first = rig.connect("hot-1", 1, true);
    assert.deepEqual(await first.account.holdGpu(FIRST, 80 * GB), DONE);
    await first.die();
    await rig.pass(100);
    assert.deepEqual(taken(await rig.driver.observe())[0]?.dirty, [{ tenant: "tenant", mig: null, bytes: 80 * GB }]);
    assert.deepEqual(await rig.connect("hot-1", 2, true).account.holdGpu(FIRST, 80 * GB), DONE);
    const [seen] = taken(await rig.driver.observe());
    assert.deepEqual([seen?.dirty, seen?.scrub], [[], { scrubbedBytes: 0, waitCount: 0, waitedMs: 0 }]);
  });
  fact("another tenant has dirty bytes only once they are scrubbed, clean ones at once, and the wait is counted", async (rig) => {
    await leaveDirty(rig, 60 * GB);
    await rig.driver.ensurePartition({ ...partitionOf("warm-1", "mps", 80 * GB), tenant: tenantId("other") });
    const { account } = rig.connect("warm-1", 2, true);
    assert.deepEqual(await account.holdGpu(FIRST, 20 * GB), DONE);
    let isHeld = false;
    const more = account.holdGpu(FIRST, 50 * GB).finally(() => (isHeld = true));
    await account.holdHost(NODE, 0);
    await rig.pass(99);
    assert.deepEqual([isHeld, taken(await rig.driver.observe())[0]?.holders[0]?.usedBytes], [false, 20 * GB]);
    await rig.pass(1);
    assert.deepEqual(await more, DONE);
    const [seen] = taken(await rig.driver.observe());
    assert.deepEqual(seen?.scrub, { scrubbedBytes: 30 * GB, waitCount: 1, waitedMs: 100 });
    assert.deepEqual(seen?.dirty, [{ tenant: "tenant", mig: null, bytes: 30 * GB }]);
  });
}

function scrubs(fact: DriverFact): void {
  fact("bytes that nobody takes again are scrubbed in the background, and nobody waits for them later", async (rig) => {
    await leaveDirty(rig, 60 * GB);
    await rig.pass(4_900);
    assert.equal(taken(await rig.driver.observe())[0]?.dirty.length, 1);
    await rig.pass(300);
    const [seen] = taken(await rig.driver.observe());
    assert.deepEqual([seen?.dirty, seen?.scrub], [[], { scrubbedBytes: 60 * GB, waitCount: 0, waitedMs: 0 }]);
    await rig.driver.ensurePartition({ ...partitionOf("warm-1", "mps", 80 * GB), tenant: tenantId("other") });
    assert.deepEqual(await rig.connect("warm-1", 2, true).account.holdGpu(FIRST, 80 * GB), DONE);
  });
  fact(
    "what another tenant left in a MIG instance is scrubbed before the next one's first byte, and nobody beside it waits",
    async (rig) => {
      const slice = (tenant: string, mig: MigPlacement): GpuPartition => ({
        ...partitionOf(tenant, "mig", 40 * GB),
        tenant: tenantId(tenant),
        mig,
      });
      const left = slice("red", { profile: "3g", start: 0 });
      await rig.driver.ensurePartition(left);
      const red = rig.connect("red", 1, true);
      assert.deepEqual(await red.account.holdGpu(FIRST, 30 * GB), DONE);
      await red.die();
      await rig.pass(100);
      assert.deepEqual(await rig.driver.removePartition(left), DONE);
      for (const [tenant, start] of [
        ["blue", 4],
        ["green", 0],
      ] as const)
        assert.deepEqual(await rig.driver.ensurePartition(slice(tenant, { profile: "3g", start })), DONE);
      assert.deepEqual(await rig.connect("blue", 2, true).account.holdGpu(FIRST, 40 * GB), DONE);
      const { account } = rig.connect("green", 3, true);
      const held = account.holdGpu(FIRST, GB);
      await account.holdHost(NODE, 0);
      assert.deepEqual(taken(await rig.driver.observe())[0]?.dirty, [{ tenant: "red", mig: { profile: "3g", start: 0 }, bytes: 30 * GB }]);
      await rig.pass(100);
      assert.deepEqual(await held, DONE);
      const [seen] = taken(await rig.driver.observe());
      assert.deepEqual([seen?.dirty, seen?.scrub.waitCount, seen?.scrub.waitedMs], [[], 1, 100]);
    },
  );
}

/** Of `tenant`, on the first GPU; its process and its partition are gone. */
async function leaveDirty(rig: DriverRig, bytes: number): Promise<void> {
  const left = partitionOf("hot-1", "mps", bytes);
  await rig.driver.ensurePartition(left);
  const process = rig.connect("hot-1", 1, true);
  assert.deepEqual(await process.account.holdGpu(FIRST, bytes), DONE);
  await process.die();
  await rig.driver.removePartition(left);
  await rig.pass(100);
}
