import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runCli } from "./cli-rig.ts";
import { CRASH_PLACES } from "../simulator/crash-points.ts";
import { objectsAt, textAt } from "./json-at.ts";
import { parseJsonObject } from "./parse-admin-answer.ts";

const folder = mkdtempSync(join(tmpdir(), "tg-scenario-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, ...lines: readonly string[]): string {
  const path = join(folder, `${name}.scenario`);
  writeFileSync(path, `use gold tier gold hot 1\nload gold 10/s\nrun 1s\n${lines.join("\n")}\n`);
  return path;
}

test("a scenario that ends as it states exits with 0, and says how it went as JSON", async () => {
  const { exitCode, out, err } = await runCli(["scenario", fileOf("calm", "expect no lost"), "-o", "json"]);
  assert.deepEqual([exitCode, err], [0, ""]);
  const [report] = objectsAt(parseJsonObject(out), "reports");
  assert.deepEqual([textAt(report ?? null, "name"), textAt(report ?? null, "verdict")], ["calm", "pass"]);
});

test("a scenario that does not end as it states exits with 1 and says what it found", async () => {
  const { exitCode, out } = await runCli(["scenario", fileOf("vain", "expect some broken")]);
  assert.equal(exitCode, 1);
  assert.match(out, /FAIL vain \(simulator\): fail, NOT as stated/);
  assert.match(out, /not met: some broken: none/);
});

test("a scenario file with a slip, and a path without one, are refused together", async () => {
  const slip = fileOf("slip", "expct no lost");
  const { exitCode, out, err } = await runCli(["scenario", slip, join(folder, "none.scenario")]);
  assert.deepEqual([exitCode, out], [1, ""]);
  assert.ok(err.includes(`${slip}:4:1: expct is not how a line begins.`), err);
  assert.match(err, /Did you mean expect\?/);
  assert.match(err, /none\.scenario gives no scenario/);
});

test("crash points: a scenario is played once for each, in as many threads as jobs, and what is planted is left out", async () => {
  const files = [
    fileOf("dies", "at 200ms kill gold-hot-1", "expect no lost but refused error-events"),
    fileOf("planted", "planted bug: some broken"),
  ];
  const { exitCode, out, err } = await runCli(["scenario", ...files, "--crash-points", "--jobs", "2", "-o", "json"]);
  const trials = objectsAt(parseJsonObject(out), "trials");
  assert.deepEqual([exitCode, err, trials.length], [0, "", CRASH_PLACES.length]);
  const died = trials.filter((trial) => trial["hasDied"] === true).map((trial) => textAt(trial, "place"));
  for (const place of ["control-plane store.writeStatus after", "control-plane launcher.ensure before", "gateway upstream.call before"])
    assert.ok(died.includes(place), `${place} of ${died.join(", ")}`);
});

test("crash points: a scenario that is not whole in time fails, and says at which of them", async () => {
  const { exitCode, out } = await runCli([
    "scenario",
    fileOf("late", "at 200ms kill gold-hot-1", "expect whole within 1ms"),
    "--crash-points",
  ]);
  assert.equal(exitCode, 1);
  assert.match(out, /FAIL late: \d+ deaths\n {5}control-plane store\.create before: whole within 1ms: /);
});
