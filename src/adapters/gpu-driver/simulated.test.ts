import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nodeName } from "../../base/ids.ts";
import { gpuDriverContract, gpuNode } from "../../ports/gpu-driver-contract.ts";
import { createSimulatedClock } from "../clock/simulated.ts";
import { createSharedLink } from "./shared-link.ts";
import { createSimulatedAccount, type SimulatedAccount } from "./simulated.ts";

const GB = 1_000_000_000;
const NODE = nodeName("gpu-a");

gpuDriverContract("simulated account", async () => {
  const clock = createSimulatedClock();
  const account = createSimulatedAccount(clock);
  return {
    driver: account.driver,
    connect(instance, pid) {
      const opened = account.open({ instance, pid });
      return { account: opened.account, die: async () => opened.close() };
    },
    pass: (durationMs) => clock.advance(durationMs),
    close: async () => undefined,
  };
});

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
  account.loseGpu(NODE, 0);
  assert.deepEqual(await own.holdGpu(at, 11 * GB), { ok: false, error: { code: "GPU_LOST", ...at } });
  assert.deepEqual(await own.holdGpu(at, 9 * GB), { ok: true, value: null });
  assert.deepEqual(await healths(account), ["lost", "ok"]);
  account.restoreGpu(NODE, 0);
  assert.deepEqual(await healths(account), ["ok", "ok"]);
  assert.deepEqual(account.state().holders[0]?.gpus, []);
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

async function inventoried(account: SimulatedAccount): Promise<SimulatedAccount> {
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  return account;
}

async function healths(account: SimulatedAccount): Promise<readonly string[]> {
  const seen = await account.driver.observe();
  return seen.ok ? seen.value.map((gpu) => gpu.health) : [];
}
