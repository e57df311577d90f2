// Every field of every schema, broken in each way that people break fields: the problem stands at exactly that path and line.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isJsonObject } from "../base/json.ts";
import { brokenManifests, wholeManifest } from "./broken-manifests.ts";
import { parseManifests } from "./parse-manifests.ts";
import type { Problem } from "./problem.ts";

const problemsOf = (text: string): readonly Problem[] => parseManifests([{ path: "m.yaml", text }]).problems;

for (const kind of ["HotStandbyConfig", "GPUNode"] as const) {
  test(`a ${kind} with every field written is accepted`, () => {
    assert.deepEqual(problemsOf(wholeManifest(kind)), []);
  });
}

for (const { kind, field, slip, text, path, brokenPath, line, codes } of brokenManifests()) {
  if (slip === "misspelt") {
    test(`${kind} ${field.path} misspelt is a problem at its path and line, with the right name`, () => {
      const problems = problemsOf(text);
      const found = problems.find((problem) => problem.path === (codes.includes("MISSING_FIELD") ? path : brokenPath));
      assert.equal(found?.line, line);
      assert.ok(found !== undefined && codes.includes(found.code));
      if (found.code === "UNKNOWN_FIELD") assert.equal(found.next, `Did you mean ${path.split(".").at(-1)}?`);
      assert.ok(problems.length <= 2 && isJsonObject(found));
    });
    continue;
  }
  test(`${kind} ${field.path} of ${slip} is one problem at its path and line`, () => {
    const problems = problemsOf(text);
    assert.deepEqual(
      problems.map((problem) => problem.path),
      [path],
    );
    assert.equal(problems[0]?.line, line);
    assert.ok(codes.includes(problems[0]?.code ?? ""), JSON.stringify(problems));
  });
}
