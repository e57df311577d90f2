import assert from "node:assert/strict";
import { test } from "node:test";
import type { GpuNode } from "../api/gpu-node.ts";
import type { MigPlacement } from "../api/mig-layout.ts";
import { PARTITION_MODE_NAMES, type GpuPartition } from "../api/gpu-partition.ts";
import { instanceName, nodeName, partitionName, serviceName, tenantId } from "../base/ids.ts";
import type { Result } from "../base/result.ts";
import type { GpuAccount } from "./gpu-account.ts";
import type { GpuDriver, ObservedGpu } from "./gpu-driver.ts";
import type { GpuFaults } from "./gpu-faults.ts";

/** A driver over simulated GPUs, and the account as its engine processes see it. */
export interface DriverRig {
  readonly driver: GpuDriver;
  readonly faults: GpuFaults;
  /** A new process, of a platform when `isPromised`; `die` = it ends without giving anything back, and the account has seen it when that resolves. */
  connect(instance: string, pid: number, isPromised?: boolean): { readonly account: GpuAccount; die(): Promise<void> };
  /** Lets `durationMs` pass on the account's clock. */
  pass(durationMs: number): Promise<void>;
  close(): Promise<void>;
}

/** What a simulated driver and its account promise. Bytes are freed 100 ms after a process is dead. */
export function gpuDriverContract(adapter: string, open: () => Promise<DriverRig>): void {
  const fact = driverFacts(adapter, open);
  inventory(fact);
  holds(fact);
  caps(fact);
  cuts(fact);
  deaths(fact);
  links(fact);
}

export type DriverFact = (name: string, check: (rig: DriverRig) => Promise<void>) => void;
type Fact = DriverFact;

/** Each fact is a test with a rig of its own, whose inventory is one node. */
export const driverFacts =
  (adapter: string, open: () => Promise<DriverRig>): DriverFact =>
  (name, check) =>
    void test(`${adapter}: ${name}`, async () => {
      const rig = await open();
      try {
        assert.deepEqual(await rig.driver.ensureInventory([gpuNode("gpu-a")]), DONE);
        await check(rig);
      } finally {
        await rig.close();
      }
    });

const DONE = { ok: true, value: null };
const NODE = nodeName("gpu-a");
const FIRST = { node: NODE, gpu: 0 };
const GB = 1_000_000_000;
const NEVER = new AbortController().signal;

/** Two GPUs of 80 GB; links of 10, 2 and 1 GB a second. */
export const gpuNode = (name: string): GpuNode => ({
  name: nodeName(name),
  labels: {},
  zone: null,
  capacityType: "on-demand",
  hostMemoryBytes: 100 * GB,
  unsafeToolkit: null,
  links: { hostToGpu: 10 * GB, disk: 2 * GB, network: GB },
  gpus: [
    { index: 0, model: "H100-80GB", memoryBytes: 80 * GB, modes: PARTITION_MODE_NAMES },
    { index: 1, model: "H100-80GB", memoryBytes: 80 * GB, modes: PARTITION_MODE_NAMES },
  ],
});

/** Of `tenant`, on the first GPU. */
export const partitionOf = (instance: string, mode: GpuPartition["mode"], memoryBytes: number): GpuPartition => ({
  name: partitionName(`${instance}-gpu-partition`),
  tenant: tenantId("tenant"),
  service: serviceName("service"),
  instance: instanceName(instance),
  mode,
  node: NODE,
  gpu: 0,
  mig: null,
  leaving: null,
  memoryBytes,
  computePercent: 50,
  phase: "Bound",
});

function inventory(fact: Fact): void {
  fact("every GPU of the inventory is seen, empty and well", async ({ driver }) => {
    const seen = taken(await driver.observe());
    assert.deepEqual(
      seen.map(({ node, gpu, health, memoryBytes, holders }) => [node, gpu, health, memoryBytes, holders.length]),
      [
        ["gpu-a", 0, "ok", 80 * GB, 0],
        ["gpu-a", 1, "ok", 80 * GB, 0],
      ],
    );
  });
  fact("of GPUs that are named only those are seen, as all are; of others nothing", async (rig) => {
    const { account } = rig.connect("hot-1", 1);
    assert.deepEqual(await account.holdGpu(FIRST, GB), DONE);
    const all = taken(await rig.driver.observe());
    const elsewhere = [
      { node: FIRST.node, gpu: 9 },
      { node: nodeName("gpu-z"), gpu: 0 },
    ];
    assert.deepEqual(taken(await rig.driver.observe([FIRST, ...elsewhere])), all.slice(0, 1));
    assert.deepEqual(taken(await rig.driver.observe([])), []);
  });
  fact("the same inventory again changes nothing that is held", async (rig) => {
    const { account } = rig.connect("hot-1", 1);
    assert.deepEqual(await account.holdGpu(FIRST, GB), DONE);
    assert.deepEqual(await rig.driver.ensureInventory([gpuNode("gpu-a")]), DONE);
    assert.equal(usedBytes(await rig.driver.observe()), GB);
  });
  fact("a node that is no longer named is gone, or lost as long as something is held on it", async (rig) => {
    const { account } = rig.connect("hot-1", 1);
    assert.deepEqual(await account.holdGpu(FIRST, GB), DONE);
    await rig.driver.ensureInventory([gpuNode("gpu-b")]);
    const health = taken(await rig.driver.observe()).map((gpu) => `${gpu.node} ${gpu.health}`);
    assert.deepEqual(health, ["gpu-a lost", "gpu-a lost", "gpu-b ok", "gpu-b ok"]);
    assert.deepEqual(await account.holdGpu(FIRST, 0), DONE);
    await rig.driver.ensureInventory([gpuNode("gpu-b")]);
    assert.deepEqual(new Set(taken(await rig.driver.observe()).map((gpu) => gpu.node)), new Set(["gpu-b"]));
  });
  fact("a GPU that no inventory names is UNKNOWN_GPU, and no partition is made on it", async (rig) => {
    const { account } = rig.connect("hot-1", 1);
    const at = { node: nodeName("gpu-z"), gpu: 0 };
    assert.deepEqual(await account.holdGpu(at, GB), { ok: false, error: { code: "UNKNOWN_GPU", ...at } });
    const refused = await rig.driver.ensurePartition({ ...partitionOf("hot-1", "mps", GB), node: at.node });
    assert.equal(refused.ok ? "made" : refused.error.code, "DRIVER_UNAVAILABLE");
  });
}

function holds(fact: Fact): void {
  fact("a hold sets what the process has in all, up and down", async (rig) => {
    const { account } = rig.connect("hot-1", 7);
    for (const bytes of [30 * GB, 30 * GB, 50 * GB, 10 * GB]) {
      assert.deepEqual(await account.holdGpu(FIRST, bytes), DONE);
      assert.equal(usedBytes(await rig.driver.observe()), bytes);
    }
    assert.deepEqual(taken(await rig.driver.observe())[0]?.holders, [
      { instance: "hot-1", pid: 7, usedBytes: 10 * GB, state: "awake", compute: null },
    ]);
    assert.deepEqual(await account.holdGpu(FIRST, 0), DONE);
    assert.deepEqual(taken(await rig.driver.observe())[0]?.holders, []);
  });
  fact("more than is free is refused with who holds it, to the byte, and nothing changes", async (rig) => {
    const first = rig.connect("hot-1", 1).account;
    const second = rig.connect("hot-2", 2).account;
    assert.deepEqual(await first.holdGpu(FIRST, 50 * GB), DONE);
    const refused = await second.holdGpu(FIRST, 30 * GB + 1);
    const holders = [{ instance: "hot-1", usedBytes: 50 * GB }];
    const error = { code: "NO_GPU_MEMORY", ...FIRST, neededBytes: 30 * GB + 1, freeBytes: 30 * GB, holders };
    assert.deepEqual(refused, { ok: false, error });
    assert.deepEqual(await second.holdGpu(FIRST, 30 * GB), DONE);
    assert.equal(usedBytes(await rig.driver.observe()), 80 * GB);
  });
  fact("host memory is shared by the processes of a node, and refused beyond it", async (rig) => {
    const first = rig.connect("warm-1", 1).account;
    const second = rig.connect("warm-2", 2).account;
    assert.deepEqual(await first.holdHost(NODE, 60 * GB), DONE);
    const error = { code: "NO_HOST_MEMORY", node: NODE, neededBytes: 41 * GB, freeBytes: 40 * GB };
    assert.deepEqual(await second.holdHost(NODE, 41 * GB), { ok: false, error });
    assert.deepEqual(await first.holdHost(NODE, 0), DONE);
    assert.deepEqual(await second.holdHost(NODE, 41 * GB), DONE);
  });
}

function caps(fact: Fact): void {
  fact("a shared partition caps its instance, also while the GPU is empty", async (rig) => {
    const { account } = rig.connect("warm-1", 1);
    assert.deepEqual(await rig.driver.ensurePartition(partitionOf("warm-1", "mps", 20 * GB)), DONE);
    const refused = await account.holdGpu(FIRST, 20 * GB + 1);
    assert.ok(!refused.ok && refused.error.code === "NO_GPU_MEMORY" && refused.error.freeBytes === 20 * GB);
    assert.deepEqual(await account.holdGpu(FIRST, 20 * GB), DONE);
  });
  fact("who was started for a promise has nothing where none is, and keeps what it holds already", async (rig) => {
    const { account } = rig.connect("warm-1", 1, true);
    const here = partitionOf("warm-1", "mps", 30 * GB);
    assert.equal((await account.holdGpu(FIRST, 1)).ok, false);
    assert.deepEqual(await rig.driver.ensurePartition(here), DONE);
    assert.deepEqual(await account.holdGpu(FIRST, 20 * GB), DONE);
    assert.deepEqual(await rig.driver.ensurePartition({ ...here, gpu: 1 }), DONE);
    assert.deepEqual(await account.holdGpu(FIRST, 20 * GB), DONE);
    assert.equal((await account.holdGpu(FIRST, 20 * GB + 1)).ok, false);
    assert.deepEqual(await account.holdGpu({ node: NODE, gpu: 1 }, 30 * GB), DONE);
    assert.deepEqual(await rig.driver.removePartition(here), DONE);
    assert.equal((await account.holdGpu({ node: NODE, gpu: 1 }, 30 * GB + 1)).ok, false);
  });
  fact("an exclusive partition gives its instance the whole GPU and others nothing, until it is removed", async (rig) => {
    const owner = rig.connect("hot-1", 1).account;
    const other = rig.connect("warm-1", 2).account;
    const exclusive = partitionOf("hot-1", "exclusive", 40 * GB);
    assert.deepEqual(await rig.driver.ensurePartition(exclusive), DONE);
    assert.deepEqual(await rig.driver.ensurePartition(exclusive), DONE);
    assert.equal((await other.holdGpu(FIRST, 1)).ok, false);
    assert.deepEqual(await owner.holdGpu(FIRST, 80 * GB), DONE);
    assert.deepEqual(await owner.holdGpu(FIRST, 0), DONE);
    assert.deepEqual(await rig.driver.removePartition(exclusive), DONE);
    assert.deepEqual(await rig.driver.removePartition(exclusive), DONE);
    const held = other.holdGpu(FIRST, GB);
    await other.holdHost(NODE, 0);
    await rig.pass(10);
    assert.deepEqual(await held, DONE);
  });
}

function cuts(fact: Fact): void {
  const slice = (instance: string, mig: MigPlacement, memoryBytes: number): GpuPartition => ({
    ...partitionOf(instance, "mig", memoryBytes),
    mig,
  });
  const codeOf = (result: Result<null, { readonly code: string }>): string => (result.ok ? "made" : result.error.code);
  fact("MIG instances start where their profile may, overlap nowhere, and have no more bytes than it", async ({ driver }) => {
    const made = [];
    for (const [instance, mig, bytes] of [
      ["a", { profile: "2g", start: 1 }, 20 * GB],
      ["a", { profile: "2g", start: 0 }, 22 * GB],
      ["a", { profile: "2g", start: 0 }, 20 * GB],
      ["b", { profile: "4g", start: 0 }, 40 * GB],
      ["b", { profile: "3g", start: 4 }, 40 * GB],
      ["a", { profile: "2g", start: 2 }, 20 * GB],
    ] as const)
      made.push(codeOf(await driver.ensurePartition(slice(instance, mig, bytes))));
    assert.deepEqual(made, ["GEOMETRY", "GEOMETRY", "made", "GEOMETRY", "made", "made"]);
  });
  fact("a process gets what its MIG instance has and no more, and one without any gets nothing", async (rig) => {
    const [owner, other] = [rig.connect("a", 1).account, rig.connect("by-hand", 2).account];
    assert.deepEqual(await rig.driver.ensurePartition(slice("a", { profile: "2g", start: 0 }, 20 * GB)), DONE);
    const refused = await owner.holdGpu(FIRST, 20 * GB + 1);
    assert.ok(!refused.ok && refused.error.code === "NO_GPU_MEMORY" && refused.error.freeBytes === 20 * GB);
    assert.deepEqual(await owner.holdGpu(FIRST, 20 * GB), DONE);
    assert.equal((await other.holdGpu(FIRST, 1)).ok, false);
  });
  fact("a MIG instance in use is neither destroyed nor moved, and no other mode comes beside it", async (rig) => {
    const { account } = rig.connect("a", 1);
    const own = slice("a", { profile: "2g", start: 0 }, 20 * GB);
    assert.deepEqual(await rig.driver.ensurePartition(own), DONE);
    assert.deepEqual(await account.holdGpu(FIRST, GB), DONE);
    assert.equal(codeOf(await rig.driver.removePartition(own)), "IN_USE");
    assert.equal(codeOf(await rig.driver.ensurePartition({ ...own, mig: { profile: "2g", start: 2 } })), "IN_USE");
    assert.equal(codeOf(await rig.driver.ensurePartition(partitionOf("b", "mps", GB))), "GEOMETRY");
    assert.deepEqual(await account.holdGpu(FIRST, 0), DONE);
    assert.deepEqual(await rig.driver.removePartition(own), DONE);
    assert.deepEqual(await rig.driver.ensurePartition(partitionOf("b", "mps", GB)), DONE);
  });
  fact("MIG does not begin on a card that is shared, or in use by a process that was promised nothing", async (rig) => {
    const { account } = rig.connect("by-hand", 1);
    const wanted = slice("a", { profile: "1g", start: 6 }, 9 * GB);
    assert.deepEqual(await account.holdGpu(FIRST, GB), DONE);
    assert.equal(codeOf(await rig.driver.ensurePartition(wanted)), "IN_USE");
    assert.deepEqual(await account.holdGpu(FIRST, 0), DONE);
    assert.deepEqual(await rig.driver.ensurePartition(partitionOf("b", "vgpu", GB)), DONE);
    assert.equal(codeOf(await rig.driver.ensurePartition(wanted)), "GEOMETRY");
    assert.deepEqual(await rig.driver.removePartition(partitionOf("b", "vgpu", GB)), DONE);
    assert.deepEqual(await rig.driver.ensurePartition(wanted), DONE);
  });
}

function deaths(fact: Fact): void {
  fact("what a dead process held stays taken for 100 ms and is free after", async (rig) => {
    const first = rig.connect("hot-1", 1);
    const second = rig.connect("hot-1", 2).account;
    assert.deepEqual(await first.account.holdGpu(FIRST, 70 * GB), DONE);
    assert.deepEqual(await first.account.holdHost(NODE, 90 * GB), DONE);
    await first.die();
    await rig.pass(99);
    assert.equal((await second.holdGpu(FIRST, 70 * GB)).ok, false);
    assert.equal((await second.holdHost(NODE, 90 * GB)).ok, false);
    await rig.pass(1);
    assert.deepEqual(await second.holdGpu(FIRST, 70 * GB), DONE);
    assert.deepEqual(await second.holdHost(NODE, 90 * GB), DONE);
  });
  fact("a dead process leaves the link to the others", async (rig) => {
    const first = rig.connect("hot-1", 1);
    const second = rig.connect("hot-2", 2).account;
    const broken = first.account.transfer({ node: NODE, link: "disk" }, 2 * GB, NEVER);
    await first.account.holdHost(NODE, 0);
    const whole = timed(second, 2 * GB);
    await second.holdHost(NODE, 0);
    await rig.pass(500);
    await first.die();
    // 0.5 s at half the rate, the rest at the whole rate.
    await rig.pass(749);
    assert.equal(whole.isDone(), false);
    await rig.pass(1);
    assert.deepEqual(await whole.result, DONE);
    assert.equal((await broken).ok, false);
  });
}

function links(fact: Fact): void {
  fact("a transfer alone takes its bytes divided by the link's rate, to the millisecond", async (rig) => {
    const { account } = rig.connect("hot-1", 1);
    const transfer = timed(account, 3 * GB);
    await account.holdHost(NODE, 0);
    await rig.pass(1_499);
    await account.holdHost(NODE, 0);
    assert.equal(transfer.isDone(), false);
    await rig.pass(1);
    assert.deepEqual(await transfer.result, DONE);
  });
  fact("two transfers share a link equally, and another link not at all", async (rig) => {
    const first = rig.connect("hot-1", 1).account;
    const second = rig.connect("hot-2", 2).account;
    const long = timed(first, 2 * GB);
    const short = timed(second, GB);
    const beside = first.transfer({ node: NODE, link: "hostToGpu" }, 10 * GB, NEVER);
    await Promise.all([first.holdHost(NODE, 0), second.holdHost(NODE, 0)]);
    await rig.pass(1_000);
    // 1 GB of each went over; the long one is alone for its second gigabyte.
    assert.deepEqual([await short.result, await beside], [DONE, DONE]);
    await rig.pass(499);
    await first.holdHost(NODE, 0);
    assert.equal(long.isDone(), false);
    await rig.pass(1);
    assert.deepEqual(await long.result, DONE);
  });
  fact("an aborted transfer ends at once and leaves the link to the others", async (rig) => {
    const { account } = rig.connect("hot-1", 1);
    const abort = new AbortController();
    const broken = account.transfer({ node: NODE, link: "disk" }, 200 * GB, abort.signal);
    abort.abort();
    assert.equal((await broken).ok, false);
    const whole = timed(account, 2 * GB);
    await account.holdHost(NODE, 0);
    await rig.pass(1_000);
    assert.deepEqual(await whole.result, DONE);
  });
}

/** A transfer over the disk's link, and whether it has ended. */
function timed(account: GpuAccount, bytes: number): { readonly result: Promise<Result<null, unknown>>; isDone(): boolean } {
  let isDone = false;
  const result = account.transfer({ node: NODE, link: "disk" }, bytes, NEVER).finally(() => (isDone = true));
  return { result, isDone: () => isDone };
}

const usedBytes = (seen: Result<readonly ObservedGpu[], unknown>): number =>
  taken(seen)
    .flatMap((gpu) => gpu.holders)
    .reduce((sum, holder) => sum + holder.usedBytes, 0);

export function taken<Value>(result: Result<Value, unknown>): Value {
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.error));
  return result.value;
}
