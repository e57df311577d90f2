import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renderFieldReference } from "../src/api/render-field-reference.ts";
import { root } from "./support/source-files.ts";

test("docs/reference/fields.md is what the code says: node scripts/make-field-reference.ts", () => {
  assert.equal(readFileSync(join(root, "docs/reference/fields.md"), "utf8"), renderFieldReference());
});
