import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GpuPartition } from "../../api/gpu-partition.ts";
import { MIG_SHAPES } from "../../api/mig-geometry.ts";
import { instanceName, nodeName, partitionName, serviceName, tenantId } from "../../base/ids.ts";
import type { ObservedGpu } from "../../ports/gpu-driver.ts";
import { gpuNode } from "../../ports/gpu-driver-contract.ts";
import { createSimulatedClock, type SimulatedClock } from "../clock/simulated.ts";
import { parseAccountState } from "./parse-account-message.ts";
import { createSimulatedAccount, type SimulatedAccount } from "./simulated.ts";

const GB = 1_000_000_000;
const AT = { node: nodeName("gpu-a"), gpu: 0 };
/** Slow, so that scrubs are met half done. */
const PACE = { scrubBytesPerSecond: 100 * GB, scrubAfterMs: 500 };

const slice = (tenant: string, gigabytes: number): GpuPartition => ({
  name: partitionName(`${tenant}-gpu-partition`),
  tenant: tenantId(tenant),
  service: serviceName(tenant),
  instance: instanceName(tenant),
  mode: "mps",
  ...AT,
  memoryBytes: gigabytes * GB,
  computePercent: 50,
  mig: null,
  leaving: null,
  phase: "Bound",
});

interface Rig {
  readonly clock: SimulatedClock;
  account: SimulatedAccount;
}

async function rigOf(tenants: readonly string[]): Promise<Rig> {
  const clock = createSimulatedClock();
  const account = createSimulatedAccount(clock, { pace: PACE });
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  for (const tenant of tenants) await account.driver.ensurePartition(slice(tenant, 80));
  return { clock, account };
}

async function firstGpu({ account }: Rig): Promise<ObservedGpu> {
  const seen = await account.driver.observe();
  assert.ok(seen.ok && seen.value[0] !== undefined);
  return seen.value[0];
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

test("no order of starts, holds, releases, deaths, losses and restarts gives a tenant bytes that another one left and nobody scrubbed", async () => {
  const step = fc.record({
    does: fc.constantFrom("hold", "hold", "hold", "die", "pass", "restart", "lose", "remove"),
    who: fc.nat(2),
    gigabytes: fc.nat(80),
    ms: fc.nat(700),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const rig = await rigOf(TENANTS);
      const oracle = new Oracle();
      const processes = TENANTS.map((tenant, pid) => rig.account.open({ instance: tenant, pid, isPromised: true }));
      for (const { does, who, gigabytes, ms } of steps) {
        const tenant = TENANTS[who] ?? "";
        // Answers of holds that wait are seen by what `observe` shows.
        if (does === "hold") void processes[who]?.account.holdGpu(AT, gigabytes * GB);
        else if (does === "die") {
          processes[who]?.close();
          processes[who] = rig.account.open({ instance: tenant, pid: who + rig.clock.monotonicMs() * 3, isPromised: true });
        } else if (does === "lose") {
          rig.account.loseGpus({ kind: "gpu-lost", mode: "fallen_off_bus", ...AT }, 1 + ms);
        } else if (does === "remove") {
          await rig.account.driver.removePartition(slice(tenant, 80));
          await rig.account.driver.ensurePartition(slice(tenant, 80));
        } else if (does === "restart") {
          const state = parseAccountState(JSON.stringify(rig.account.state()));
          assert.ok(state !== null);
          for (const process of processes) process.close();
          rig.account = createSimulatedAccount(rig.clock, { pace: PACE });
          rig.account.restore(state);
          for (const [at, name] of TENANTS.entries()) {
            processes[at]?.close();
            processes[at] = rig.account.open({ instance: name, pid: 1_000_000 + rig.clock.monotonicMs() * 3 + at, isPromised: true });
          }
        } else await rig.clock.advance(ms);
        await rig.clock.advance(0);
        oracle.look(await firstGpu(rig), rig.clock.monotonicMs());
      }
    }),
    { numRuns: 150 },
  );
});

const TENANTS = ["red", "green", "blue"];

/**
 * Knows only what is seen from outside, and how quick a scrub can be at most: for each tenant how many bytes of the GPU can be clean or its
 * own at all. Bytes become clean by a scrub alone, and that takes its time.
 */
class Oracle {
  #atMs = 0;
  #cleanBytes = 80 * GB;

  look(gpu: ObservedGpu, nowMs: number): void {
    const heldBytes = sum(gpu.holders.map(({ usedBytes }) => usedBytes));
    const dirtyBytes = sum(gpu.dirty.map(({ bytes }) => bytes));
    const cleanBytes = gpu.memoryBytes - heldBytes - dirtyBytes;
    assert.ok(cleanBytes >= 0, "held and dirty bytes fit the GPU");
    const scrubbableBytes = ((nowMs - this.#atMs) * PACE.scrubBytesPerSecond) / 1_000;
    assert.ok(cleanBytes <= this.#cleanBytes + scrubbableBytes, `${cleanBytes} are clean, ${this.#cleanBytes} were`);
    this.#lookAtTenants(gpu, scrubbableBytes);
    this.#atMs = nowMs;
    this.#cleanBytes = cleanBytes;
  }

  readonly #before = new Map<string, number>();

  /** What one tenant has, held and dirty, grows only by what was clean, or has been scrubbed since. */
  #lookAtTenants({ holders, dirty }: ObservedGpu, scrubbableBytes: number): void {
    let grownBytes = 0;
    for (const tenant of TENANTS) {
      const held = holders.filter(({ instance }) => instance === tenant).map(({ usedBytes }) => usedBytes);
      const left = dirty.filter((one) => one.tenant === tenant).map(({ bytes }) => bytes);
      const bytes = sum(held) + sum(left);
      grownBytes += Math.max(0, bytes - (this.#before.get(tenant) ?? 0));
      this.#before.set(tenant, bytes);
    }
    assert.ok(grownBytes <= this.#cleanBytes + scrubbableBytes, `tenants have ${grownBytes} more, ${this.#cleanBytes} were clean`);
  }
}

test("no order of cuts, holds and deaths lets a tenant run in a MIG instance in whose slices another one's bytes are left", async () => {
  const places = [
    { profile: "3g", start: 0 },
    { profile: "3g", start: 4 },
    { profile: "2g", start: 0 },
    { profile: "2g", start: 2 },
    { profile: "1g", start: 5 },
  ] as const;
  const step = fc.record({
    does: fc.constantFrom("cut", "cut", "hold", "hold", "hold", "die", "remove", "pass"),
    who: fc.nat(2),
    place: fc.constantFrom(...places),
    gigabytes: fc.integer({ min: 1, max: 9 }),
    ms: fc.nat(300),
  });
  let heldCount = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const rig = await rigOf([]);
      const at = new Map<string, (typeof places)[number]>();
      const processes = TENANTS.map((tenant, pid) => rig.account.open({ instance: tenant, pid, isPromised: true }));
      for (const [index, { does, who, place, gigabytes, ms }] of steps.entries()) {
        const tenant = TENANTS[who] ?? "";
        const cut: GpuPartition = { ...slice(tenant, 9), mode: "mig", mig: place };
        if (does === "cut" && (await rig.account.driver.ensurePartition(cut)).ok) at.set(tenant, place);
        if (does === "remove") await rig.account.driver.removePartition(cut);
        if (does === "hold") void processes[who]?.account.holdGpu(AT, gigabytes * GB);
        if (does === "die") {
          processes[who]?.close();
          processes[who] = rig.account.open({ instance: tenant, pid: 10 + index, isPromised: true });
        }
        await rig.clock.advance(does === "pass" ? ms : 0);
        const { holders, dirty } = await firstGpu(rig);
        for (const { instance } of holders) {
          const own = at.get(instance);
          assert.ok(own !== undefined, `${instance} holds bytes of no MIG instance`);
          heldCount += 1;
          for (const left of dirty) {
            const start = left.mig?.start ?? 0;
            const end = start + (left.mig === null ? 8 : MIG_SHAPES[left.mig.profile].memorySlices);
            const isInTheWay = start < own.start + MIG_SHAPES[own.profile].memorySlices && own.start < end;
            assert.ok(String(left.tenant) === instance || !isInTheWay, `${instance} runs over bytes of ${left.tenant}`);
          }
        }
      }
    }),
    { numRuns: 150 },
  );
  assert.ok(heldCount > 500, `${heldCount} holds were looked at`);
});

test("what is dirty outlives a restart of the account, and is still another tenant's", async () => {
  const rig = await rigOf(["red", "green"]);
  const red = rig.account.open({ instance: "red", pid: 1, isPromised: true });
  await red.account.holdGpu(AT, 80 * GB);
  red.close();
  await rig.clock.advance(100);
  const after = createSimulatedAccount(rig.clock, { pace: PACE });
  const state = parseAccountState(JSON.stringify(rig.account.state()));
  assert.ok(state !== null);
  after.restore(state);
  assert.deepEqual(after.state().dirty, [{ ...AT, tenant: "red", mig: null, bytes: 80 * GB }]);
  let heldAtMs = 0;
  const green = after.open({ instance: "green", pid: 2, isPromised: true });
  void green.account.holdGpu(AT, 40 * GB).then(() => (heldAtMs = rig.clock.monotonicMs()));
  await rig.clock.advance(1_000);
  assert.equal(heldAtMs, 500);
});

test("bytes are dirty of whoever took them, also when its partition has gone before them", async () => {
  const rig = await rigOf(["red"]);
  const red = rig.account.open({ instance: "red", pid: 1, isPromised: true });
  await red.account.holdGpu(AT, GB);
  await rig.account.driver.removePartition(slice("red", 80));
  await red.account.holdGpu(AT, 0);
  assert.deepEqual((await firstGpu(rig)).dirty, [{ tenant: "red", mig: null, bytes: GB }]);
});

test("two tenants that wait for the same scrub both get what they asked for, one after the other", async () => {
  const rig = await rigOf(["red", "green", "blue"]);
  const red = rig.account.open({ instance: "red", pid: 1, isPromised: true });
  await red.account.holdGpu(AT, 80 * GB);
  await red.account.holdGpu(AT, 0);
  const heldAtMs: number[] = [];
  for (const [at, tenant] of ["green", "blue"].entries()) {
    const { account } = rig.account.open({ instance: tenant, pid: 2 + at, isPromised: true });
    void account.holdGpu(AT, 30 * GB).then(() => heldAtMs.push(rig.clock.monotonicMs()));
  }
  await rig.clock.advance(2_000);
  assert.deepEqual(heldAtMs, [300, 600]);
});

test("a tenant takes its own bytes back while they are scrubbed for another one, who waits for others", async () => {
  const rig = await rigOf(["red", "green"]);
  const red = rig.account.open({ instance: "red", pid: 1, isPromised: true });
  await red.account.holdGpu(AT, 80 * GB);
  await red.account.holdGpu(AT, 0);
  const green = rig.account.open({ instance: "green", pid: 2, isPromised: true });
  const heldAtMs: number[] = [];
  void green.account.holdGpu(AT, 30 * GB).then(() => heldAtMs.push(rig.clock.monotonicMs()));
  await rig.clock.advance(100);
  assert.ok((await red.account.holdGpu(AT, 50 * GB)).ok);
  assert.equal(rig.clock.monotonicMs(), 100);
  await rig.clock.advance(2_000);
  assert.deepEqual(heldAtMs, [300]);
});

test("a process that dies while it waits for a scrub gets nothing", async () => {
  const rig = await rigOf(["red", "green"]);
  const red = rig.account.open({ instance: "red", pid: 1, isPromised: true });
  await red.account.holdGpu(AT, 80 * GB);
  await red.account.holdGpu(AT, 0);
  const green = rig.account.open({ instance: "green", pid: 2, isPromised: true });
  const asked = green.account.holdGpu(AT, 30 * GB);
  await rig.clock.advance(100);
  green.close();
  const answer = await asked;
  assert.equal(answer.ok ? "held" : answer.error.code, "ACCOUNT_UNAVAILABLE");
  await rig.clock.advance(1_000);
  assert.deepEqual((await firstGpu(rig)).holders, []);
});

test("nothing is scrubbed on a GPU that is lost, and what was held there is dirty when it is back", async () => {
  const rig = await rigOf(["red", "green"]);
  const red = rig.account.open({ instance: "red", pid: 1, isPromised: true });
  await red.account.holdGpu(AT, 80 * GB);
  await red.account.holdGpu(AT, 40 * GB);
  rig.account.loseGpus({ kind: "gpu-lost", mode: "fallen_off_bus", ...AT }, 2_000);
  await rig.clock.advance(1_999);
  assert.deepEqual((await firstGpu(rig)).dirty, [{ tenant: "red", mig: null, bytes: 40 * GB }]);
  await rig.clock.advance(1);
  assert.deepEqual((await firstGpu(rig)).dirty, [{ tenant: "red", mig: null, bytes: 80 * GB }]);
});

test("a teardown under way outlives a restart of the account, and so does a slow driver", async () => {
  const rig = await rigOf(["red"]);
  rig.account.slowTeardown({ kind: "slow-teardown", ...AT, teardownMs: 8_000 }, 10_000);
  const red = rig.account.open({ instance: "red", pid: 1, isPromised: true });
  await red.account.holdGpu(AT, GB);
  red.close();
  await rig.clock.advance(1_000);
  const state = parseAccountState(JSON.stringify(rig.account.state()));
  assert.ok(state !== null);
  rig.account = createSimulatedAccount(rig.clock, { pace: PACE });
  rig.account.restore(state);
  await rig.clock.advance(6_999);
  assert.deepEqual((await firstGpu(rig)).holders, [{ instance: "red", pid: 1, usedBytes: GB, state: "gone", compute: null }]);
  await rig.clock.advance(1);
  assert.deepEqual((await firstGpu(rig)).holders, []);
  const next = rig.account.open({ instance: "red", pid: 2, isPromised: true });
  await next.account.holdGpu(AT, GB);
  next.close();
  await rig.clock.advance(7_999);
  assert.equal((await firstGpu(rig)).holders.length, 1);
});

test("an account takes up the state that an earlier version wrote", async () => {
  const rig = await rigOf(["red"]);
  const red = rig.account.open({ instance: "red", pid: 1, isPromised: true });
  await red.account.holdGpu(AT, GB);
  const { nodes, partitions } = rig.account.state();
  const untilWallMs = rig.clock.wallMs() + 5_000;
  const holders = [{ instance: "red", pid: 1, gpus: [{ ...AT, bytes: GB }], hosts: [] }];
  const state = parseAccountState(JSON.stringify({ nodes, partitions, holders, lost: [{ ...AT, untilWallMs }] }));
  assert.ok(state !== null);
  const after = createSimulatedAccount(rig.clock, { pace: PACE });
  after.restore(state);
  assert.deepEqual(after.state().lost, [{ ...AT, mode: "fallen_off_bus", untilWallMs }]);
  assert.deepEqual((await firstGpu({ ...rig, account: after })).holders, [
    { instance: "red", pid: 1, usedBytes: GB, state: "awake", compute: null },
  ]);
});
