import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PartitionMode } from "../api/gpu-partition.ts";
import { instanceName, monotonicMs, nodeName, serviceName, tenantId } from "../base/ids.ts";
import {
  explainViolation,
  findViolations,
  NO_USE,
  type SeenUse,
  type ShareOnGpu,
  type UseLedger,
  type Violation,
} from "./find-violations.ts";

const GB = 1e9;
const AT = { node: nodeName("gpu-a"), gpu: 0 };
const NAME = instanceName("bronze-hot-1");
const share = (mode: PartitionMode = "mps", memoryBytes = 10 * GB): ShareOnGpu => ({
  instance: NAME,
  tenant: tenantId("tenant"),
  service: serviceName("bronze"),
  ...AT,
  mode,
  memoryBytes,
});

interface Seen {
  readonly atMs: number;
  readonly usedBytes?: number;
  /** Granted and used since the process began. */
  readonly compute?: readonly [grantedMs: number, usedMs: number];
  readonly pid?: number;
}

const gpuOf = ({ usedBytes = GB, compute, pid = 7 }: Seen): SeenUse => ({
  ...AT,
  holders: [{ instance: NAME, pid, usedBytes, compute: compute === undefined ? null : { grantedMs: compute[0], usedMs: compute[1] } }],
});

function violationsOf(looks: readonly Seen[], shares: readonly ShareOnGpu[] = [share()]): readonly Violation[] {
  let ledger: UseLedger = NO_USE;
  const all: Violation[] = [];
  for (const seen of looks) {
    const found = findViolations(ledger, { nowMs: monotonicMs(seen.atMs), everyMs: 250, gpus: [gpuOf(seen)], shares });
    ledger = found.ledger;
    all.push(...found.violations);
  }
  return all;
}

/** Reports four times a second. */
const atRates = (grantedRatio: number, usedRatio: number, count = 8): readonly Seen[] =>
  Array.from({ length: count }, (_, index) => ({
    atMs: index * 250,
    compute: [index * 250 * grantedRatio, index * 250 * usedRatio] as const,
  }));

for (const { name, looks, shares, found } of [
  { name: "takes five times its share", looks: atRates(0.2, 1), found: "compute" },
  { name: "takes twice its share", looks: atRates(0.5, 1), found: "compute" },
  { name: "takes what it was granted", looks: atRates(0.2, 0.2), found: null },
  { name: "is above its share by noise", looks: atRates(0.2, 0.24), found: null },
  { name: "is above a large share by less than a quarter", looks: atRates(0.8, 0.95), found: null },
  { name: "is far below its share", looks: atRates(0.8, 0.1), found: null },
  { name: "is alone and has the whole card", looks: atRates(1, 1), found: null },
  { name: "rests", looks: atRates(0, 0), found: null },
  { name: "was seen twice only", looks: atRates(0.2, 1, 3), found: null },
  {
    name: "made one long step under its old terms",
    looks: [
      { atMs: 0, compute: [0, 0] as const },
      { atMs: 250, compute: [50, 140] as const },
      { atMs: 500, compute: [100, 190] as const },
      { atMs: 750, compute: [150, 240] as const },
    ],
    found: null,
  },
  {
    name: "told nothing new since long ago",
    looks: [
      { atMs: 0, compute: [0, 0] as const },
      { atMs: 10_000, compute: [0, 900] as const },
    ],
    found: null,
  },
  {
    name: "is counted anew by an account that was restarted",
    looks: [
      { atMs: 0, compute: [900, 900] as const },
      { atMs: 750, compute: [0, 400] as const },
    ],
    found: null,
  },
  { name: "owns its card", looks: atRates(0.2, 1), shares: [share("exclusive")], found: null },
  { name: "has no partition there", looks: atRates(0.2, 1), shares: [], found: null },
  { name: "holds more bytes for long", looks: [0, 250, 500].map((atMs) => ({ atMs, usedBytes: 12 * GB })), found: "memory" },
  { name: "holds more bytes while its partition shrinks", looks: [0, 250].map((atMs) => ({ atMs, usedBytes: 12 * GB })), found: null },
  { name: "holds a context's bytes beside its own", looks: [0, 250, 500].map((atMs) => ({ atMs, usedBytes: 10.1 * GB })), found: null },
  {
    name: "let go in between",
    looks: [
      { atMs: 0, usedBytes: 12 * GB },
      { atMs: 250, usedBytes: 9 * GB },
      { atMs: 500, usedBytes: 12 * GB },
    ],
    found: null,
  },
  {
    name: "is another process than the one that held more",
    looks: [
      { atMs: 0, usedBytes: 12 * GB },
      { atMs: 500, usedBytes: 12 * GB, pid: 8 },
    ],
    found: null,
  },
]) {
  test(`isolation: an engine that ${name} is ${found === null ? "not accused" : `found by its ${found}`}`, () => {
    const [first] = violationsOf(looks, shares);
    assert.equal(first?.what ?? null, found);
  });
}

test("isolation: a violation names the process, whose it is, and both figures", () => {
  const [first] = violationsOf(atRates(0.2, 1));
  assert.ok(first !== undefined);
  assert.deepEqual(first, { ...AT, instance: NAME, tenant: "tenant", service: "bronze", pid: 7, what: "compute", granted: 150, used: 750 });
  assert.equal(explainViolation(first), "it took 750 ms of GPU gpu-a/0's time where it was granted 150 ms");
  assert.equal(
    explainViolation({ ...first, what: "memory", granted: 10 * GB, used: 12 * GB }),
    "it holds 12 GB of GPU gpu-a/0, and was granted 10 GB",
  );
});

test("isolation: a taker is found within a second of reports", () => {
  let ledger: UseLedger = NO_USE;
  for (const seen of atRates(0.2, 1)) {
    const found = findViolations(ledger, { nowMs: monotonicMs(seen.atMs), everyMs: 250, gpus: [gpuOf(seen)], shares: [share()] });
    ledger = found.ledger;
    if (found.violations.length === 0) continue;
    assert.ok(seen.atMs <= 1_000, `${seen.atMs}`);
    return;
  }
  assert.fail("it was never found");
});

/** A look each 250 ms, at the taker's GPU only each so many milliseconds. @returns when it was found. */
function foundAt(everyMs: number, seen: (atMs: number) => Omit<Seen, "atMs">): number | null {
  let ledger: UseLedger = NO_USE;
  for (let atMs = 0; atMs <= 20_000; atMs += 250) {
    const gpus = atMs % everyMs === 0 ? [gpuOf({ atMs, ...seen(atMs) })] : [];
    const found = findViolations(ledger, { nowMs: monotonicMs(atMs), everyMs, gpus, shares: [share()] });
    ledger = found.ledger;
    if (found.violations.length > 0) return atMs;
  }
  return null;
}

for (const { everyMs, computeMs, memoryMs } of [
  { everyMs: 250, computeMs: 750, memoryMs: 500 },
  { everyMs: 500, computeMs: 1_000, memoryMs: 500 },
  { everyMs: 1_000, computeMs: 1_000, memoryMs: 1_000 },
  { everyMs: 4_000, computeMs: 4_000, memoryMs: 4_000 },
]) {
  test(`isolation: a taker whose GPU is looked at each ${everyMs} ms is found by its second look or soon after, and nobody else`, () => {
    const taker = (atMs: number) => ({ compute: [atMs / 5, atMs] as const });
    const keeper = (atMs: number) => ({ compute: [atMs / 5, atMs / 5] as const });
    const grabber = () => ({ usedBytes: 12 * GB });
    assert.deepEqual([foundAt(everyMs, taker), foundAt(everyMs, grabber), foundAt(everyMs, keeper)], [computeMs, memoryMs, null]);
  });
}

test("isolation: what was seen of a GPU that is looked at no more is forgotten", () => {
  const at = (atMs: number, gpus: readonly SeenUse[], ledger: UseLedger) =>
    findViolations(ledger, { nowMs: monotonicMs(atMs), everyMs: 250, gpus, shares: [share()] }).ledger;
  const first = at(0, [gpuOf({ atMs: 0 })], NO_USE);
  assert.deepEqual([at(1_500, [], first).size, at(1_501, [], first).size], [1, 0]);
});

test("isolation: whatever is granted, who takes no more than that is never accused", () => {
  const report = fc.record({
    afterMs: fc.integer({ min: 1, max: 900 }),
    grantedMs: fc.nat(900),
    keptRatio: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(report, { maxLength: 20 }), (reports) => {
      let [atMs, granted, used] = [0, 0, 0];
      const looks = reports.map(({ afterMs, grantedMs, keptRatio }) => {
        atMs += afterMs;
        granted += Math.min(grantedMs, afterMs);
        used += Math.min(grantedMs, afterMs) * keptRatio;
        return { atMs, compute: [granted, used] as const };
      });
      assert.deepEqual(violationsOf(looks), []);
    }),
  );
});
