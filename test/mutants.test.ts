import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

const ROOT = resolve(import.meta.dirname, "..");
const NAMES = readdirSync(join(ROOT, "mutants")).filter((file) => file.endsWith(".patch"));
const ROOMS = ["failover", "routing", "instances", "controllers"];

test("every planted bug is a small patch that applies to the code as it is, says what breaks, and together they are in each of four rooms", () => {
  for (const name of NAMES) {
    const text = readFileSync(join(ROOT, "mutants", name), "utf8");
    assert.match(text, /^[A-Z][^\n]{10,}\.\n\n--- a\/src\//, name);
    const changed = text.split("\n").filter((line) => /^[+-](?![+-])/.test(line));
    assert.ok(changed.length >= 1 && changed.length <= 40, `${name} changes ${changed.length} lines`);
    execFileSync("git", ["apply", "--check", "--unidiff-zero", join("mutants", name)], { cwd: ROOT });
  }
  for (const room of ROOMS) assert.ok(NAMES.filter((name) => name.startsWith(`${room}-`)).length >= 3, room);
  assert.ok(NAMES.length >= 20);
});
