import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renderModeReference } from "../src/placement/render-mode-reference.ts";
import { root } from "./support/source-files.ts";

test("docs/reference/partition-modes.md is what the code says: node scripts/make-mode-reference.ts", () => {
  assert.equal(readFileSync(join(root, "docs/reference/partition-modes.md"), "utf8"), renderModeReference());
});
