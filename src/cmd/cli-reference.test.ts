import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { renderAdminReference } from "../admin/render-reference.ts";
import * as made from "../gateway/explain.ts";
import { createAdminRig } from "./admin-rig.ts";
import { renderCliReference } from "./cli-reference.ts";
import { gatewayErrors, renderGatewayReference } from "./gateway-reference.ts";

const written = (name: string): string => readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), "utf8");

test("docs/reference/cli.md is what the program says (node scripts/make-cli-reference.ts)", () => {
  assert.equal(written("cli.md"), renderCliReference());
});

test("docs/reference/admin-api.md is what the route table says (node scripts/make-cli-reference.ts)", () => {
  assert.equal(written("admin-api.md"), renderAdminReference(createAdminRig().admin.routes));
});

test("docs/reference/gateway.md is what the gateway answers and counts (node scripts/make-cli-reference.ts)", () => {
  assert.equal(written("gateway.md"), renderGatewayReference());
});

test("the reference of errors has every one that the gateway makes", () => {
  const statuses = new Map(gatewayErrors().map(({ code, status }) => [code, status]));
  const constants = Object.values(made).flatMap((one) => (typeof one === "function" ? [] : [one]));
  assert.ok(constants.length > 5);
  for (const { code, status } of constants) assert.equal(statuses.get(code), status, code);
  const makers = Object.entries(made).filter(([name, one]) => typeof one === "function" && !name.startsWith("explain"));
  // A new maker is named here, and its error in the reference.
  assert.deepEqual(makers.map(([name]) => name).toSorted(), [
    "bodyTooLarge",
    "invalidRequest",
    "tooManyOpen",
    "tooManyTokens",
    "unknownModel",
  ]);
});
