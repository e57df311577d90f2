import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions } from "./options.ts";
import { traceNames } from "./read-openb.ts";

test("the placement bench takes its folder from the option, else from the environment", () => {
  const read = (argv: readonly string[], dir?: string): unknown => {
    const options = parseOptions(argv, dir);
    return options === "help" ? options : options.dir;
  };
  assert.equal(read(["--data", "here"], "there"), "here");
  assert.equal(read([], "there"), "there");
  assert.throws(() => read([]), /--data DIR or TIDEGATE_DATA_DIR/);
  assert.equal(read(["--rows", "partitions,operations"]), "");
});

test("seeds of the placement bench are ranges and lists, the paper's unless told", () => {
  const read = (...argv: readonly string[]): unknown => {
    const options = parseOptions(["--data", "x", ...argv], undefined);
    return options === "help" ? options : options.seeds;
  };
  assert.deepEqual(read(), [42, 43, 44, 45, 46, 47, 48, 49, 50, 51]);
  assert.deepEqual(read("--seeds", "1-3,9"), [1, 2, 3, 9]);
  assert.throws(() => read("--seeds", "3-1"), /--seeds/);
  assert.throws(() => read("--policies", "magic"), /knows no magic/);
});

test("a folder without the trace is told what is missing", () => {
  assert.throws(() => traceNames(import.meta.dirname), /openb_node_list_gpu_node.csv/);
  assert.throws(() => traceNames("/nowhere"), /cannot be read/);
});
