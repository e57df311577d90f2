import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyName } from "./policies.ts";
import type { Reading } from "./replay-log.ts";
import { judgeRuns, type PlacementRow, type PolicyRuns } from "./rows.ts";

const reading = (allocation: number): Reading => ({ allocation, fragmentationOfAll: 0, fragmentationOfIdle: 0 });

function runsOf(
  trace: string,
  policy: PolicyName,
  allocations: readonly number[],
  over: { readonly decisionsPerSecond?: number } = {},
): PolicyRuns {
  const runs = allocations.map((allocation) => {
    const at = { 90: reading(0), 95: reading(0), 100: reading(allocation), 110: reading(0), 120: reading(0), 130: reading(0) };
    const base = { at, placed: 1, failed: 0, decisionsPerSecond: 20_000, decisionP50Us: 1, decisionP99Us: 1, logHash: "", violations: 0 };
    return { ...base, ...over };
  });
  return { trace, policy, runs };
}

const failedOf = (rows: readonly PlacementRow[]): readonly string[] => rows.filter(({ pass }) => !pass).map(({ name }) => name);
const published = (trace: string): number => (trace === "default" ? 95.23 : 86.64);

const cases = [
  { name: "all is well", all: [runsOf("default", "fgd", [95.1, 95.3]), runsOf("default", "least-stranded", [95.5, 95.6])], failed: [] },
  {
    name: "a mean of 95.4 on default is not above it",
    all: [runsOf("default", "fgd", [95.1]), runsOf("default", "least-stranded", [95.4])],
    failed: ["allocation default least-stranded"],
  },
  {
    name: "one seed of default below FGD's",
    all: [runsOf("default", "fgd", [95.2, 95.3]), runsOf("default", "least-stranded", [95.8, 95.2])],
    failed: ["gain over own fgd default, worst seed"],
  },
  {
    name: "another trace below the published mean, where our FGD is close to it",
    all: [runsOf("gpushare100", "fgd", [86.5]), runsOf("gpushare100", "least-stranded", [86.6])],
    failed: ["allocation gpushare100 least-stranded"],
  },
  {
    name: "another trace above our FGD alone, where that is far from the published one",
    all: [runsOf("gpushare100", "fgd", [86.2]), runsOf("gpushare100", "least-stranded", [86.3])],
    failed: [],
  },
  { name: "a harness whose FGD is off", all: [runsOf("default", "fgd", [94.5])], failed: ["allocation default fgd"] },
  {
    name: "a slow run",
    all: [runsOf("cpu050", "least-stranded", [96], { decisionsPerSecond: 9_999 })],
    failed: ["decisions per second least-stranded, slowest run"],
  },
];
for (const { name, all, failed } of cases)
  test(`placement rows: ${name}`, () =>
    assert.deepEqual(failedOf(judgeRuns(all, (trace, policy) => (policy === "fgd" ? published(trace) : null))), failed));
