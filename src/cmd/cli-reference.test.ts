import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { renderAdminReference } from "../admin/render-reference.ts";
import { createAdminRig } from "./admin-rig.ts";
import { renderCliReference } from "./cli-reference.ts";

const written = (name: string): string => readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), "utf8");

test("docs/reference/cli.md is what the program says (node scripts/make-cli-reference.ts)", () => {
  assert.equal(written("cli.md"), renderCliReference());
});

test("docs/reference/admin-api.md is what the route table says (node scripts/make-cli-reference.ts)", () => {
  assert.equal(written("admin-api.md"), renderAdminReference(createAdminRig().admin.routes));
});
