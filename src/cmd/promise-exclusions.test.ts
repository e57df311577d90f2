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
    name: "a cold start needs the control plane",
    spec: { tier: "platinum" },
    says: /The cold reserve holds 40 GB\. A cold start loads 16 GB and needs the control plane\./,
    saysNot: /no warm|sleeps/,
  },
  {
    name: "one hot instance without a warm one is an outage until a load has ended",
    spec: { tier: "silver" },
    says: /With one hot instance and no warm instance .* the 1m hold only if that is faster/,
    saysNot: /are held|sleeps/,
  },
  {
    name: "without a warm instance several hot ones are lost together",
    spec: { tier: "platinum", warmStandby: { gpuCount: 0 } },
    says: /There is no warm instance: when all hot ones are lost/,
    saysNot: /With one hot/,
  },
  {
    name: "a sleeping warm costs its wake",
    spec: { tier: "gold", warmStandby: { rest: "asleep" } },
    says: /requests wait for a wake that moves 16 GB to the GPU/,
    saysNot: /not acted on yet, so|no warm/,
  },
  {
    name: "the model of a degraded step has only the room that its service lends",
    spec: { tier: "gold", degraded: [{ kind: "model", name: "tide-1b" }, { kind: "shed" }] },
    says: /The model of `degraded` answers only in the free half/,
    saysNot: /without effect in this version: .*degraded/,
  },
  {
    name: "a cold level without bytes depends on what is free",
    spec: { tier: "gold", coldStandby: {} },
    says: /The cold level holds no memory/,
    saysNot: /The cold reserve holds/,
  },
  {
    name: "Hold comes after the moves of a window",
    spec: { tier: "gold", failoverPolicy: { maxFailoverCount: 2, window: "30m" } },
    says: /After 2 automatic moves within 30m comes Hold/,
    saysNot: /autoFailover is false/,
  },
  {
    name: "maxFailoverCount 0 wakes and starts nothing",
    spec: { tier: "gold", failoverPolicy: { maxFailoverCount: 0 } },
    says: /maxFailoverCount is 0: nothing is woken/,
    saysNot: /comes Hold/,
  },
  {
    name: "autoFailover false only records",
    spec: { tier: "gold", failoverPolicy: { autoFailover: false } },
    says: /autoFailover is false: wakes, cold starts and failback are only recorded/,
    saysNot: /comes Hold/,
  },
];
for (const { name, spec, says, saysNot } of cases) {
  test(`what the promise excludes: ${name}`, () => {
    assert.match(exclusionsOf(spec), says);
    assert.doesNotMatch(exclusionsOf(spec), saysNot);
  });
}
