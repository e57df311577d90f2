import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GpuLost } from "../../api/fault.ts";
import { nodeName } from "../../base/ids.ts";
import { gpuComputeContract, slowdownsByWeight } from "../../ports/gpu-compute-contract.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { gpuDriverContract, gpuNode, type DriverRig } from "../../ports/gpu-driver-contract.ts";
import { gpuFaultContract } from "../../ports/gpu-fault-contract.ts";
import { gpuMemoryContract } from "../../ports/gpu-memory-contract.ts";
import type { NotInjected } from "../../ports/gpu-faults.ts";
import { createSimulatedClock } from "../clock/simulated.ts";
import { createSharedLink } from "./shared-link.ts";
import { createSimulatedAccount, type SimulatedAccount } from "./simulated.ts";

const GB = 1_000_000_000;
const NODE = nodeName("gpu-a");
const LOSS: GpuLost = { kind: "gpu-lost", mode: "fallen_off_bus", node: NODE, gpu: 0 };

const rig = async (): Promise<DriverRig> => {
  const clock = createSimulatedClock();
  const account = createSimulatedAccount(clock, { slowdowns: slowdownsByWeight });
  return {
    driver: account.driver,
    faults: {
      lose: async (loss, forMs) => injected(account.loseGpus(loss, forMs)),
      fail: async (fault) => injected(account.failApplication(fault)),
      slow: async (fault, forMs) => injected(account.slowTeardown(fault, forMs)),
      restore: async (at) => {
        account.restoreGpus(at);
        return ok(null);
      },
    },
    connect(instance, pid, isPromised = false) {
      const opened = account.open({ instance, pid, isPromised });
      return { account: opened.account, die: async () => opened.close() };
    },
    pass: (durationMs) => clock.advance(durationMs),
    close: async () => undefined,
  };
};
gpuDriverContract("simulated account", rig);
gpuFaultContract("simulated account", rig);
gpuMemoryContract("simulated account", rig);
gpuComputeContract("simulated account", rig);

test("simulated account: no order of holds, deaths and returns ever puts more on a GPU than it has", async () => {
  const step = fc.record({
    who: fc.nat(3),
    does: fc.constantFrom("hold", "die", "pass"),
    gpu: fc.nat(1),
    bytes: fc.nat(60).map((gigabytes) => gigabytes * GB + 1),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = createSimulatedClock();
      const account = await inventoried(createSimulatedAccount(clock));
      const processes = [0, 1, 2, 3].map((pid) => account.open({ instance: `hot-${pid}`, pid }));
      for (const { who, does, gpu, bytes } of steps) {
        if (does === "pass") await clock.advance(60);
        else if (does === "die") {
          processes[who]?.close();
          processes[who] = account.open({ instance: `hot-${who}`, pid: who });
        } else await processes[who]?.account.holdGpu({ node: NODE, gpu }, bytes);
        const seen = await account.driver.observe();
        for (const one of seen.ok ? seen.value : []) {
          const usedBytes = one.holders.reduce((sum, holder) => sum + holder.usedBytes, 0);
          assert.ok(Number.isSafeInteger(usedBytes) && usedBytes <= one.memoryBytes);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("simulated account: a lost GPU takes no more bytes, lets them go, and comes back empty", async () => {
  const account = await inventoried(createSimulatedAccount(createSimulatedClock()));
  const { account: own } = account.open({ instance: "hot-1", pid: 1 });
  const at = { node: NODE, gpu: 0 };
  await own.holdGpu(at, 10 * GB);
  assert.deepEqual(account.loseGpus(LOSS, 60_000), { ok: true, value: null });
  assert.deepEqual(await own.holdGpu(at, 11 * GB), { ok: false, error: { code: "GPU_LOST", mode: "fallen_off_bus", ...at } });
  assert.deepEqual(await own.holdGpu(at, 9 * GB), { ok: true, value: null });
  assert.deepEqual(await healths(account), ["lost", "ok"]);
  account.restoreGpus(LOSS);
  assert.deepEqual(await healths(account), ["ok", "ok"]);
  assert.deepEqual(account.state().holders[0]?.gpus, []);
});

test("simulated account: a lost GPU comes back by itself, and the later of two losses decides when", async () => {
  const clock = createSimulatedClock();
  const account = await inventoried(createSimulatedAccount(clock));
  account.loseGpus(LOSS, 1_000);
  await clock.advance(500);
  account.loseGpus(LOSS, 1_000);
  await clock.advance(999);
  assert.deepEqual(await healths(account), ["lost", "ok"]);
  await clock.advance(1);
  assert.deepEqual([await healths(account), account.state().lost], [["ok", "ok"], []]);
});

test("simulated account: a lost node is all its GPUs, and what no inventory names cannot be lost", async () => {
  const account = await inventoried(createSimulatedAccount(createSimulatedClock()));
  account.loseGpus({ ...LOSS, gpu: null }, 1_000);
  assert.deepEqual(await healths(account), ["lost", "lost"]);
  const refused = account.loseGpus({ ...LOSS, gpu: 7 }, 1_000);
  assert.deepEqual(refused, { ok: false, error: { code: "UNKNOWN_GPU", node: NODE, gpu: 7 } });
});

test("simulated account: a loss is told once to those who watch that GPU, also when it came before their watch", async () => {
  const clock = createSimulatedClock();
  const account = await inventoried(createSimulatedAccount(clock));
  const told: string[] = [];
  const watch = (pid: number, gpus: readonly number[]): (() => void) =>
    account.open({ instance: `hot-${pid}`, pid }).account.watchLoss(
      gpus.map((gpu) => ({ node: NODE, gpu })),
      (at) => told.push(`${pid}:${at.node}/${at.gpu}`),
    );
  watch(1, [0, 1]);
  watch(2, [1]);
  watch(3, [0])();
  account.loseGpus(LOSS, 60_000);
  account.loseGpus({ ...LOSS, gpu: null }, 60_000);
  watch(4, [0]);
  await clock.advance(0);
  assert.deepEqual(told, ["1:gpu-a/0", "2:gpu-a/1", "4:gpu-a/0"]);
});

test("simulated account: a loss breaks off the transfers of those who hold bytes there, and leaves the link to the others", async () => {
  const clock = createSimulatedClock();
  const account = await inventoried(createSimulatedAccount(clock));
  const ends: string[] = [];
  for (const gpu of [0, 1]) {
    const { account: own } = account.open({ instance: `warm-${gpu}`, pid: gpu });
    await own.holdGpu({ node: NODE, gpu }, GB);
    void own.transfer({ node: NODE, link: "hostToGpu" }, 10 * GB, new AbortController().signal).then((moved) => {
      ends.push(`${gpu} ${moved.ok ? "moved" : moved.error.code} ${clock.monotonicMs()}`);
    });
  }
  await clock.advance(500);
  account.loseGpus(LOSS, 60_000);
  await clock.advance(10_000);
  // Half a second at half the rate, the rest alone.
  assert.deepEqual(ends, ["0 GPU_LOST 500", "1 moved 1250"]);
});

test("simulated account: a loss outlives a restart of the account, and ends when it would have", async () => {
  const clock = createSimulatedClock();
  const before = await inventoried(createSimulatedAccount(clock));
  before.loseGpus(LOSS, 2_000);
  await clock.advance(500);
  const after = createSimulatedAccount(clock);
  after.restore(before.state());
  await clock.advance(1_499);
  assert.deepEqual(await healths(after), ["lost", "ok"]);
  await clock.advance(1);
  assert.deepEqual(await healths(after), ["ok", "ok"]);
});

test("simulated account: a restored account keeps what was held for 5 s, and longer for those who return", async () => {
  const clock = createSimulatedClock();
  const before = await inventoried(createSimulatedAccount(clock));
  for (const pid of [1, 2]) await before.open({ instance: `hot-${pid}`, pid }).account.holdGpu({ node: NODE, gpu: 0 }, 10 * GB);
  const after = createSimulatedAccount(clock);
  after.restore(before.state());
  await clock.advance(4_000);
  assert.deepEqual(after.state(), before.state());
  after.open({ instance: "hot-2", pid: 2 });
  await clock.advance(1_000);
  assert.deepEqual(
    after.state().holders.map((holder) => holder.instance),
    ["hot-2"],
  );
});

test("simulated account: the end of an older connection of a process does not free what its newer one holds", async () => {
  const clock = createSimulatedClock();
  const account = await inventoried(createSimulatedAccount(clock));
  const older = account.open({ instance: "hot-1", pid: 1 });
  await older.account.holdGpu({ node: NODE, gpu: 0 }, GB);
  account.open({ instance: "hot-1", pid: 1 });
  older.close();
  await clock.advance(1_000);
  assert.equal(account.state().holders[0]?.gpus[0]?.bytes, GB);
});

test("a shared link is never idle and never faster than its rate, whatever joins and leaves it", async () => {
  const transfer = fc.record({ startMs: fc.nat(50), bytes: fc.integer({ min: 1, max: 1_000 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(transfer, { minLength: 1, maxLength: 12 }), async (transfers) => {
      const clock = createSimulatedClock();
      const link = createSharedLink(10_000, clock);
      const endsMs: number[] = [];
      for (const { startMs, bytes } of transfers) {
        clock.after(startMs, () => {
          void link.transfer(bytes, new AbortController().signal).then(() => endsMs.push(clock.monotonicMs()));
        });
      }
      await clock.advance(10_000);
      // Busy from the first start as long as there is something to move: the last end follows from the sums alone.
      let busyUntilMs = 0;
      for (const { startMs, bytes } of transfers.toSorted((left, right) => left.startMs - right.startMs)) {
        busyUntilMs = Math.max(busyUntilMs, startMs) + bytes / 10;
      }
      assert.equal(endsMs.length, transfers.length);
      assert.ok(Math.abs(Math.max(...endsMs) - busyUntilMs) < 1e-6, `${Math.max(...endsMs)} is not ${busyUntilMs}`);
    }),
    { numRuns: 60 },
  );
});

test("a shared link that gets another rate finishes what runs at the new one", async () => {
  const clock = createSimulatedClock();
  const link = createSharedLink(1_000, clock);
  let endedMs = 0;
  void link.transfer(1_000, new AbortController().signal).then(() => (endedMs = clock.monotonicMs()));
  await clock.advance(500);
  link.setRate(250);
  await clock.advance(10_000);
  assert.equal(endedMs, 2_500);
});

const injected = (done: Result<unknown, { readonly code: string }>): Result<null, NotInjected> =>
  done.ok ? ok(null) : err({ code: "NOT_INJECTED", reason: done.error.code });

async function inventoried(account: SimulatedAccount): Promise<SimulatedAccount> {
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  return account;
}

async function healths(account: SimulatedAccount): Promise<readonly string[]> {
  const seen = await account.driver.observe();
  return seen.ok ? seen.value.map((gpu) => gpu.health) : [];
}
