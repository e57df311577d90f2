// Every manifest of test/manifests/bad is refused with the golden words. After a wanted change: node --test --test-update-snapshots test/bad-manifests.test.ts
import assert from "node:assert/strict";
import { test } from "node:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkSet } from "../src/api/check-set.ts";
import { mergeReservation } from "../src/api/merge-reservation.ts";
import { parseManifests } from "../src/api/parse-manifests.ts";
import { formatProblem, PROBLEM_CODES, type Problem } from "../src/api/problem.ts";
import { vetDrafts } from "../src/failover/vet-drafts.ts";
import { root } from "./support/source-files.ts";

const folder = join(root, "test/manifests/bad");
const names = readdirSync(folder).toSorted();

function problemsOf(name: string): readonly Problem[] {
  const { drafts, problems, places } = parseManifests([{ path: name, text: readFileSync(join(folder, name), "utf8") }]);
  const merged = mergeReservation(drafts, places);
  const found = [...problems, ...merged.problems, ...checkSet(merged.drafts, merged.places)];
  return found.length > 0 ? found : vetDrafts(merged).flatMap(({ problem }) => problem ?? []);
}

test("bad manifests are refused with the golden messages", (t) => {
  const text = names.map((name) => `== ${name}\n${problemsOf(name).map(formatProblem).join("\n")}\n`).join("\n");
  t.assert.fileSnapshot(text, join(root, "test/golden/bad-manifests.txt"), { serializers: [(value: unknown) => String(value)] });
});

for (const name of names) {
  test(`bad manifest ${name} is refused at a line with what, why and next`, () => {
    const problems = problemsOf(name);
    assert.ok(problems.length > 0);
    for (const problem of problems) {
      assert.equal(problem.file, name);
      assert.ok(problem.line !== null && problem.column !== null, JSON.stringify(problem));
      for (const text of [problem.what, problem.why, problem.next]) assert.match(text, /^[\S\s]{6,600}[.?]$/);
    }
  });
}

test("bad manifests show at least fifteen classes of problems twice", () => {
  const counts = Map.groupBy(
    names.flatMap((name) => [...new Set(problemsOf(name).map(({ code }) => code))]),
    (code) => code,
  );
  const twice = PROBLEM_CODES.filter((code) => (counts.get(code)?.length ?? 0) >= 2);
  assert.ok(twice.length >= 15, `only ${twice.join(", ")}`);
});
