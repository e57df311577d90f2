import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { JsonObject } from "../base/json.ts";
import { promiseExclusions } from "./promise-exclusions.ts";

function exclusionsOf(spec: JsonObject): string {
  const config = parseHotStandbyConfig({ name: "gold", spec: { tenant: "gold", ...spec } });
  assert.ok(config.ok);
  return promiseExclusions(config.value, spec).join("\n");
}

const cases: readonly { readonly name: string; readonly spec: JsonObject; readonly says: RegExp; readonly saysNot: RegExp }[] = [
  {
    name: "two hot instances are no single point",
    spec: { tier: "platinum" },
    says: /cold reserve yet: its 40 GB are held/,
    saysNot: /one hot instance|no warm/,
  },
  {
    name: "one hot instance is an outage until another serves",
    spec: { tier: "gold" },
    says: /With one hot instance .* the 15s hold/,
    saysNot: /no warm instance/,
  },
  { name: "silver has no warm instance", spec: { tier: "silver" }, says: /There is no warm instance/, saysNot: /are held/ },
  {
    name: "a warm instance at rest asleep stays awake",
    spec: { tier: "gold", warmStandby: { rest: "asleep" } },
    says: /rest asleep is not acted on yet/,
    saysNot: /no warm/,
  },
];
for (const { name, spec, says, saysNot } of cases) {
  test(`what the promise excludes: ${name}`, () => {
    assert.match(exclusionsOf(spec), says);
    assert.doesNotMatch(exclusionsOf(spec), saysNot);
  });
}
