import assert from "node:assert/strict";
import { test } from "node:test";
import { formatViolation, type LadderChecker } from "./checker.ts";
import { runLadderScenario, scheduleOf } from "./ladder-scenario.ts";

const LOAD = { loadMs: 20_000, requestsPerSecond: 0.7, hasGpuFaults: true } as const;

/** Plays these classes of a seed alone. @returns what engines ended of, and the longest that the bytes of a dead one were seen. */
async function play(seed: number, classes: readonly string[]) {
  const since = new Map<number, number>();
  let longestGoneMs = 0;
  const watchDead: LadderChecker = {
    name: "watches the dead",
    look({ gpus, atMs }) {
      for (const { pid, state } of gpus.flatMap(({ holders }) => holders)) {
        if (state !== "gone") continue;
        const firstMs = since.get(pid) ?? atMs;
        since.set(pid, firstMs);
        longestGoneMs = Math.max(longestGoneMs, atMs - firstMs);
      }
      return [];
    },
  };
  const events = scheduleOf({ ...LOAD, seed }).filter(({ className }) => classes.includes(className));
  const report = await runLadderScenario({
    ...LOAD,
    seed,
    events: events.map(({ index }) => index),
    checkers: [watchDead],
    isLogKept: true,
  });
  assert.deepEqual(report.violations.map(formatViolation), [], `npm run sim -- --gpu-faults --seconds 20 --seed ${seed}`);
  const ends = [...report.log.matchAll(/"event":"standby\.engine-ended".*?"reason":"([^"]+)"/g)].map(([, reason]) => reason);
  const longestTeardownMs = Math.max(0, ...events.flatMap(({ event }) => ("teardownMs" in event ? [event.teardownMs] : [])));
  return { ends, longestGoneMs, longestTeardownMs, count: events.length };
}

test("an Xid of a seed ends engines by a fault of their GPU, and nobody's bytes stay for it", async () => {
  for (const [seed, className] of [
    [73, "xid-13"],
    [22, "xid-31"],
    [66, "xid-94"],
  ] as const) {
    const said = new RegExp(`^GPU gpu-[a-d]/[01]: .* \\(Xid ${className.slice("xid-".length)}\\)$`);
    const { ends, longestGoneMs, count } = await play(seed, [className]);
    const byFault = ends.filter((reason) => said.test(reason ?? ""));
    assert.ok(count > 0 && byFault.length >= count, `${className}: ${byFault.length} ends of ${count}`);
    assert.ok(longestGoneMs < 400, `${longestGoneMs} ms`);
  }
});

test("an engine that is killed where the driver is slow leaves its bytes there as long as the driver takes", async () => {
  const { ends, longestGoneMs, longestTeardownMs, count } = await play(8, ["engine-killed-slow-driver"]);
  assert.equal(ends.filter((reason) => reason === "SIGKILL").length, count);
  assert.ok(longestTeardownMs > 5_000 && longestGoneMs > longestTeardownMs - 1_000 && longestGoneMs <= longestTeardownMs);
});

test("a slow driver alone ends nobody, and keeps the bytes of whoever dies meanwhile", async () => {
  assert.deepEqual((await play(147, ["driver-slow"])).ends, []);
  const { ends, longestGoneMs } = await play(147, ["driver-slow", "engines-killed"]);
  assert.ok(ends.length >= 2 && longestGoneMs > 3_000, `${ends.length} ends, ${longestGoneMs} ms`);
});
