import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject } from "../base/json.ts";
import { checkDraft } from "./check-draft.ts";
import { FIELDS } from "./field-catalogue.ts";
import { parseFault } from "./parse-fault.ts";
import { parseDownMessage, parseKeyEntries, parseRouteTable, parseUpMessage } from "./parse-link-message.ts";
import { parseManifests } from "./parse-manifests.ts";
import { parseResource } from "./parse-resource.ts";
import { parseServiceStatus } from "./parse-service-status.ts";

// Keys that the schemas know, so that chance gets past the first level.
const keys = [...new Set(FIELDS.HotStandbyConfig.flatMap((field) => field.path.replaceAll("[]", "").split(".")))];
const key = fc.oneof(
  fc.constantFrom("apiVersion", "kind", "metadata", "name", "__proto__", "constructor", ...keys),
  fc.string({ maxLength: 6 }),
);
const leaf = fc.oneof(
  fc.constantFrom<string | number | boolean | null>("80GB", "5s", "gold", "", "-1", 0, -1, 1, 2, 1.5, 1e300, true, null),
  fc.string({ maxLength: 12 }),
);
const { tree } = fc.letrec<{ tree: unknown; branch: Record<string, unknown> }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4, withCrossShrink: true }, leaf, tie("branch"), fc.array(tie("tree"), { maxLength: 3 })),
  branch: fc.dictionary(key, tie("tree"), { maxKeys: 6 }),
}));
const isObject = (value: unknown): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);
const branch = tree.filter(isObject);

test("no parser of the api throws on any JSON, and each refusal says what is wrong", () => {
  fc.assert(
    fc.property(tree, (raw) => {
      for (const parse of [parseResource, parseServiceStatus, parseFault]) {
        const read = parse(raw);
        assert.ok(read.ok || read.error.length > 0);
      }
      for (const parse of [parseDownMessage, parseUpMessage, parseRouteTable, parseKeyEntries]) {
        const read = parse(raw);
        assert.ok(read.ok || read.error.reason.length > 0);
      }
    }),
    { numRuns: 300 },
  );
});

test("a spec of any JSON is accepted, or refused with problems that have a path inside it", () => {
  fc.assert(
    fc.property(branch, fc.constantFrom("HotStandbyConfig" as const, "GPUNode" as const), (spec, kind) => {
      for (const problem of checkDraft({ kind, name: "a", labels: {}, annotations: {}, spec }).problems) {
        assert.match(problem.path, /^spec/);
        assert.ok(problem.what.length > 0 && problem.why.length > 0 && problem.next.length > 0);
      }
    }),
    { numRuns: 300 },
  );
});

test("parseManifests throws on no text, and puts every problem into its file", () => {
  const marks = fc.constantFrom(
    "a: ",
    "- ",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    "&x ",
    "*x",
    "!!binary ",
    "|\n",
    "---\n",
    "?",
    ":",
    "#",
    '"',
    "'",
    "%",
    "\t",
    "<<: *x",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(marks, fc.string({ maxLength: 4 })), { maxLength: 40 }), (parts) => {
      for (const problem of parseManifests([{ path: "m.yaml", text: parts.join("") }]).problems) assert.equal(problem.file, "m.yaml");
    }),
    { numRuns: 500 },
  );
});
