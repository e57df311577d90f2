import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CRASH_SITES, GATEWAY_CRASH_SITES } from "../simulator/crash-points.ts";
import { isJsonObject } from "../base/json.ts";
import { runCli } from "./cli-rig.ts";

test("simulate prints each crash point twice, before and after, and runs nothing", async () => {
  const { exitCode, out, err } = await runCli(["simulate", "--crash-points"]);
  const lines = out.trimEnd().split("\n");
  assert.deepEqual([exitCode, err, lines.length], [0, "", 2 * (CRASH_SITES.length + GATEWAY_CRASH_SITES.length)]);
  assert.equal(new Set(lines).size, lines.length);
  assert.ok(lines.includes("control-plane launcher.ensure before") && lines.includes("gateway memory.save after"));
});

test("simulate prints the hash of each world: one seed gives one, in any process", async () => {
  const hashOf = async (seed: number): Promise<string> => {
    const { exitCode, err } = await runCli(["simulate", "--fault", "kill", "--seconds", "2", "--seed", String(seed)]);
    assert.equal(exitCode, 0, err);
    return /hash ([0-9a-f]{16})\n/.exec(err)?.[1] ?? assert.fail(err);
  };
  const [first, again, other] = await Promise.all([hashOf(7), hashOf(7), hashOf(8)]);
  assert.equal(first, again);
  assert.notEqual(first, other);
});

test("simulate measures virtual seconds a second of a world that works, and writes them as a row", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-simulate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "speed.json");
  const { exitCode, out, err } = await runCli(["simulate", "--measure", "--seconds", "5", "--warm-up-seconds", "5", "--json", file]);
  assert.deepEqual([exitCode, err], [0, ""]);
  const told =
    /^([1-9]\d*) virtual seconds a second of processor time, in the 1 of 1 windows .* (\d+) of \2 requests complete; hash [0-9a-f]{16}\n$/.exec(
      out,
    );
  const value = Number(told?.[1] ?? assert.fail(out));
  const measured: unknown = JSON.parse(readFileSync(file, "utf8"));
  assert.ok(isJsonObject(measured) && Array.isArray(measured["windows"]));
  const unit = "virtual seconds per processor second";
  assert.deepEqual(measured["rows"], [{ name: "simulation speed", value, unit, must: ">= 1000", pass: value >= 1_000 }]);
  assert.equal(measured["windows"].length, 1);
});
