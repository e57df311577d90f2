import assert from "node:assert/strict";
import { test } from "node:test";
import { comparedRows } from "./compared-rows.ts";

const measures = [
  { what: "given", unit: "%", of: (run: Run) => 100 - run.rejected, better: "higher", mustGain: true },
  { what: "rejected", unit: "%", of: (run: Run) => run.rejected, better: "lower", mustGain: true },
  { what: "drift", unit: "%", of: () => 1, better: "neither", mustGain: false },
] as const;

interface Run {
  readonly rejected: number;
}

function rowsOf(fgd: readonly number[], ours: readonly number[]) {
  const runs = new Map([
    ["fgd", fgd.map((rejected) => ({ rejected }))],
    ["ours", ours.map((rejected) => ({ rejected }))],
  ]);
  return comparedRows({ setting: "made", runs, ours: "ours", isPerfect: ({ rejected }) => rejected === 0 }, measures);
}

test("compared rows tell each policy's mean, and ours against FGD seed by seed", () => {
  const shown = rowsOf([4, 2], [1, 3]).map(({ name, value, must, pass }) => `${name} ${value} ${must} ${pass}`);
  assert.deepEqual(shown, [
    "made fgd: given 97 reported true",
    "made fgd: rejected 3 reported true",
    "made fgd: drift 1 reported true",
    "made ours: given 98 reported true",
    "made ours: rejected 2 reported true",
    "made ours: drift 1 reported true",
    "made: gain over own fgd, given, mean of seeds 1 > 0 true",
    "made: gain over own fgd, given, worst seed -1 reported true",
    "made: gain over own fgd, rejected, mean of seeds 1 > 0 true",
    "made: gain over own fgd, rejected, worst seed -1 reported true",
  ]);
});

const verdicts = [
  { name: "no better than FGD fails", fgd: [2, 2], ours: [2, 2], failed: 2 },
  { name: "as good as an FGD that refuses nothing passes", fgd: [0, 0], ours: [0, 0], failed: 0 },
  { name: "worse than an FGD that refuses nothing fails", fgd: [0, 0], ours: [0, 1], failed: 2 },
];
for (const { name, fgd, ours, failed } of verdicts)
  test(`compared rows: ${name}`, () => assert.equal(rowsOf(fgd, ours).filter(({ pass }) => !pass).length, failed));

test("without FGD among the policies nothing is compared", () => {
  const rows = comparedRows(
    { setting: "made", runs: new Map([["ours", [{ rejected: 1 }]]]), ours: "ours", isPerfect: () => false },
    measures,
  );
  assert.equal(rows.length, 3);
});
