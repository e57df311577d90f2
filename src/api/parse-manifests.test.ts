import assert from "node:assert/strict";
import { test } from "node:test";
import { parseManifests } from "./parse-manifests.ts";
test("a file of nothing but commas is refused before it is read", () => {
  const { drafts, problems } = parseManifests([{ path: "commas.yaml", text: `a: [${"1,".repeat(70_000)}1]` }]);
  assert.deepEqual(drafts, []);
  assert.deepEqual(
    problems.map(({ code, file }) => ({ code, file })),
    [{ code: "TOO_LARGE", file: "commas.yaml" }],
  );
});
