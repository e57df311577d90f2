import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { renderCliReference } from "./cli-reference.ts";

test("docs/reference/cli.md is what the program says (node scripts/make-cli-reference.ts)", () => {
  assert.equal(readFileSync(new URL("../../docs/reference/cli.md", import.meta.url), "utf8"), renderCliReference());
});
