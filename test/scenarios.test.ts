import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { readScenarios } from "../src/cmd/read-scenarios.ts";
import { printScenario } from "../src/simulator/print-scenario.ts";
import { runScenario } from "../src/simulator/run-scenario.ts";
import { isPlanted } from "../src/simulator/scenario.ts";
import { formatScenarioReport, scenarioReportJson } from "../src/simulator/scenario-report.ts";
import { startWorldStage } from "../src/simulator/world-stage.ts";
import { root } from "./support/source-files.ts";

const SEED = 1;
const FILES_MIN = 24;
const PLANTED_MIN = 6;
/** By their numbers in docs/scenarios.md: all that the embedded platform can have. */
const CLASSES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 19, 23, 24, 25, 27, 30, 32, 33];

const read = readScenarios([join(root, "scenarios")]);
assert.ok(read.ok, read.ok ? "" : read.error.map(({ what, next }) => `${what} ${next}`).join("\n"));
const files = read.value;

for (const { name, text, scenario } of files) {
  test(`scenario ${name} ends in the simulator as it states`, async () => {
    assert.equal(printScenario(scenario), text, "the file has the form that is printed");
    const report = await runScenario(scenario, await startWorldStage(scenario, SEED), name);
    assert.ok(report.isAsStated, formatScenarioReport(report));
    assert.equal(report.verdict, isPlanted(scenario) ? "fail" : "pass");
  });
}

test("the scenarios are enough, some of them carry a planted bug, and every fault class of a process has one", () => {
  assert.ok(files.length >= FILES_MIN, `${files.length} files`);
  assert.ok(files.filter(({ scenario }) => isPlanted(scenario)).length >= PLANTED_MIN);
  const heads = files.map(({ scenario }) => scenario.about.join(" "));
  const named = heads.flatMap((head) => /Fault class(?:es)? ([\d, and]+)/.exec(head)?.[1]?.match(/\d+/g) ?? []).map(Number);
  assert.deepEqual(
    CLASSES.filter((one) => !named.includes(one)),
    [],
  );
});

test("one seed plays one scenario twice alike", async () => {
  const file = files.find(({ name }) => name === "both-hot-killed-asleep");
  assert.ok(file !== undefined);
  const play = async (seed: number) =>
    scenarioReportJson(await runScenario(file.scenario, await startWorldStage(file.scenario, seed), file.name));
  const [first, again, other] = [await play(3), await play(3), await play(4)];
  assert.deepEqual(first, again);
  assert.notDeepEqual(first, other);
});
