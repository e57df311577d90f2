import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGpuNode } from "./parse-gpu-node.ts";

const unsafeOf = (containerToolkit?: string) => {
  const spec = { gpus: [{ model: "H100-80GB" }], ...(containerToolkit === undefined ? {} : { containerToolkit }) };
  const read = parseGpuNode({ name: "a", labels: {}, spec });
  return read.ok ? read.value.unsafeToolkit : read.error.map(({ code, what, next }) => `${code} ${what} ${next}`).join();
};

const cases: readonly (readonly [version: string | undefined, unsafe: string | null])[] = [
  [undefined, null],
  ["1.17.8", null],
  ["1.17.10", null],
  ["1.18.0", null],
  ["2.0.0", null],
  ["1.17.7", "1.17.7"],
  ["1.9.99", "1.9.99"],
  ["0.99.99", "0.99.99"],
];
test("a node's container toolkit is unsafe below 1.17.8, compared number by number, and not where none is named", () => {
  assert.deepEqual(
    cases.map(([version]) => [version, unsafeOf(version)]),
    cases.map(([version, unsafe]) => [version, unsafe]),
  );
});

for (const version of ["1.17", "v1.17.8", "1.17.8-rc.1", "latest"]) {
  test(`${version} is no version of a container toolkit`, () => {
    const problem = `WRONG_VALUE spec.containerToolkit is ${JSON.stringify(version)}, not a version of three numbers. Write it as "1.17.8".`;
    assert.equal(unsafeOf(version), problem);
  });
}
