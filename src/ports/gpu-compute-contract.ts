import assert from "node:assert/strict";
import { test } from "node:test";
import type { GpuPartition, PartitionMode } from "../api/gpu-partition.ts";
import { instanceName, nodeName, partitionName, serviceName, tenantId } from "../base/ids.ts";
import type { ComputeTerms, ComputeUse } from "./gpu-account.ts";
import { gpuNode, type DriverRig } from "./gpu-driver-contract.ts";

/** By weight alone: what a rig's account must share by. */
export const slowdownsByWeight = (claims: readonly { readonly computePercent: number }[]): readonly number[] => {
  const sum = claims.reduce((total, { computePercent }) => total + computePercent, 0);
  return claims.map(({ computePercent }) => sum / computePercent);
};

const GB = 1_000_000_000;
const AT = { node: nodeName("gpu-a"), gpu: 0 };
const ROUNDS_MAX = 200;

/** What an account promises of a shared GPU's compute, whoever carries it. */
export function gpuComputeContract(adapter: string, open: () => Promise<DriverRig>): void {
  const fact = (name: string, check: (rig: DriverRig) => Promise<void>): void => {
    test(`${adapter}: ${name}`, async () => {
      const rig = await open();
      try {
        await rig.driver.ensureInventory([gpuNode("gpu-a")]);
        await check(rig);
      } finally {
        await rig.close();
      }
    });
  };
  shares(fact);
  meters(fact);
}

type Fact = (name: string, check: (rig: DriverRig) => Promise<void>) => void;

function shares(fact: Fact): void {
  fact("who works beside another hears by how much it is slower, and again when it is alone", async (rig) => {
    const [gold, bronze] = [await join(rig, "gold", "mps", 80), await join(rig, "bronze", "mps", 20)];
    gold.tell({ isBusy: true, usedMs: 0, demandRatio: 1 });
    bronze.tell({ isBusy: true, usedMs: 0, demandRatio: 1 });
    await until(rig, () => gold.slowdown() === 1.25 && bronze.slowdown() === 5);
    gold.tell({ isBusy: false, usedMs: 100, demandRatio: 1 });
    await until(rig, () => bronze.slowdown() === 1);
  });
  fact("a process that dies gives its share back at once", async (rig) => {
    const [gold, bronze] = [await join(rig, "gold", "mps", 80), await join(rig, "bronze", "mps", 20)];
    for (const one of [gold, bronze]) one.tell({ isBusy: true, usedMs: 0, demandRatio: 1 });
    await until(rig, () => bronze.slowdown() === 5);
    await gold.die();
    await until(rig, () => bronze.slowdown() === 1);
  });
  fact("the card's only owner is never told of any share", async (rig) => {
    const owner = await join(rig, "gold", "exclusive", 100);
    owner.tell({ isBusy: true, usedMs: 0, demandRatio: 1 });
    await rig.pass(1_000);
    owner.tell({ isBusy: true, usedMs: 1_000, demandRatio: 1 });
    await rig.pass(0);
    assert.equal(await computeOf(rig, "gold"), null);
    assert.deepEqual(owner.heard, []);
  });
}

function meters(fact: Fact): void {
  fact("what a process was granted and took is seen by the driver, as of its last report", async (rig) => {
    const [gold, bronze] = [await join(rig, "gold", "mps", 80), await join(rig, "bronze", "mps", 20)];
    for (const one of [gold, bronze]) one.tell({ isBusy: true, usedMs: 0, demandRatio: 1 });
    await until(rig, () => bronze.slowdown() === 5);
    await rig.pass(1_000);
    bronze.tell({ isBusy: true, usedMs: 190, demandRatio: 1 });
    await until(rig, async () => (await computeOf(rig, "bronze"))?.usedMs === 190);
    // Before the other began it had all: so the first span is between its share and that.
    assert.ok(Math.abs(((await computeOf(rig, "bronze"))?.grantedMs ?? 0) - 200) <= 200);
  });
  fact("bytes beyond its partition are held only where nothing outside the process refuses them", async (rig) => {
    for (const [mode, isHeld] of [
      ["vgpu", true],
      ["time-slicing", true],
      ["mps", false],
      ["mig", false],
    ] as const) {
      const process = await join(rig, mode, mode, 50);
      const { account } = process;
      assert.equal((await account.holdGpu(AT, 15 * GB)).ok, false);
      const taken = await account.grabGpu(AT, 15 * GB);
      assert.deepEqual([mode, taken.ok], [mode, isHeld]);
      assert.equal((await account.holdGpu(AT, 15 * GB)).ok, isHeld);
      assert.equal((await account.grabGpu(AT, 81 * GB)).ok, false);
      await process.die();
      await rig.pass(100);
      assert.ok((await rig.driver.removePartition(process.partition)).ok);
    }
  });
}

/** 10 GB of the first GPU. */
export const sharedPartition = (name: string, computePercent: number, mode: PartitionMode = "mps"): GpuPartition => ({
  name: partitionName(`${name}-gpu-partition-1`),
  tenant: tenantId("tenant"),
  service: serviceName(name),
  instance: instanceName(name),
  mode,
  ...AT,
  mig: mode === "mig" ? { profile: "3g", start: 0 } : null,
  memoryBytes: 10 * GB,
  computePercent,
  leaving: null,
  phase: "Bound",
});

async function join(rig: DriverRig, name: string, mode: PartitionMode, computePercent: number) {
  const partition = sharedPartition(name, computePercent, mode);
  assert.ok((await rig.driver.ensurePartition(partition)).ok);
  const process = rig.connect(name, 1, true);
  assert.equal((await process.account.holdGpu(AT, GB)).ok, true);
  const heard: (ComputeTerms | null)[] = [];
  const share = process.account.shareCompute([AT], (terms) => heard.push(terms));
  return { ...process, partition, heard, tell: (use: ComputeUse) => share.tell(use), slowdown: () => heard.at(-1)?.slowdown ?? null };
}

async function computeOf(rig: DriverRig, instance: string) {
  const seen = await rig.driver.observe();
  assert.ok(seen.ok);
  return seen.value[0]?.holders.find((holder) => holder.instance === instance)?.compute ?? null;
}

async function until(rig: DriverRig, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    if (await isSo()) return;
    await rig.pass(0);
  }
  assert.ok(await isSo(), `it did not come to be so: ${isSo.toString()}`);
}
