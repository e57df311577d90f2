import assert from "node:assert/strict";
import { test } from "node:test";
import { CoverageCounter, renderCoverage } from "./coverage.ts";

test("what two runs saw adds up, and what neither saw is named", () => {
  const [one, other, both] = [new CoverageCounter(), new CoverageCounter(), new CoverageCounter()];
  one.count("faults", "kill");
  one.count("faults", "freeze", 2);
  other.count("faults", "kill", 4);
  other.count("moves", "hot to warm");
  for (const counter of [one, other]) both.add(counter.read());
  assert.deepEqual(both.read(), { faults: { freeze: 2, kill: 5 }, moves: { "hot to warm": 1 } });
  assert.equal(
    renderCoverage(both.read(), { faults: ["kill", "slow"] }),
    "faults (2, 1 never seen)\n          5  kill\n          2  freeze\n          0  slow\n\nmoves (1)\n          1  hot to warm\n",
  );
});
