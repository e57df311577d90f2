import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions } from "./options.ts";

test("the reconcile bench takes the fleet of its limits unless it is told another", () => {
  assert.deepEqual(parseOptions([]), { serviceCount: 500, nodeCount: 1_000, rounds: 10, store: "memory", json: null });
  assert.equal(parseOptions(["--help"]), "help");
});

test("the reconcile bench refuses stores that it does not know, and counts that are none", () => {
  assert.throws(() => parseOptions(["--store", "disk"]), /knows no disk; it knows memory, sqlite/);
  assert.throws(() => parseOptions(["--nodes", "0"]), /--nodes takes a whole number/);
});
