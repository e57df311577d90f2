import assert from "node:assert/strict";
import { test } from "node:test";
import type { Level } from "../api/hot-standby-config.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";
import type { InstanceState } from "../api/service-status.ts";
import { instanceName, nodeName, partitionName, serviceName, tenantId } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { describeFailback, describeLadder, withoutControlPlane } from "./describe-ladder.ts";

function configOf(more: JsonObject = {}) {
  const spec = { tenant: "gold", tier: "platinum", degraded: [{ kind: "queue", upTo: "30s" }, { kind: "shed" }], ...more };
  const config = parseHotStandbyConfig({ name: "gold", spec });
  assert.ok(config.ok);
  return config.value;
}
const instanceOf = (level: Level, index: number, state: InstanceState): JsonObject => ({
  name: `gold-${level}-${index}`,
  uid: "u",
  generation: 1,
  level,
  state,
  weight: 0,
  members: [],
  endpoint: null,
  pid: null,
  serves: [],
  fingerprint: "f",
  failedStarts: 0,
  message: "",
});
function statusOf(instances: readonly JsonObject[], more: JsonObject = {}) {
  const status = parseServiceStatus({
    phase: "Normal",
    level: "hot",
    epoch: 1,
    revision: 1,
    observedGeneration: 1,
    instances,
    failovers: { inWindow: 0, max: 3, windowStart: null },
    rto: { targetMs: 5_000, lastMs: null, worstMs: null },
    knownAnswer: "right",
    knownAnswerOf: "f",
    quarantined: [],
    history: [],
    conditions: [],
    ...more,
  });
  assert.ok(status.ok);
  return status.value;
}
const reserve: GpuPartition = {
  name: partitionName("p"),
  tenant: tenantId("gold"),
  service: serviceName("gold"),
  instance: instanceName("gold-cold-1"),
  mode: "exclusive",
  memoryBytes: 40e9,
  computePercent: 100,
  node: nodeName("gpu-b"),
  gpu: 3,
  mig: null,
  leaving: null,
  phase: "Bound",
};
const HOT = [instanceOf("hot", 1, "Ready"), instanceOf("hot", 2, "Ready")];
const full = { inWindow: 3, max: 3, windowStart: "2026-01-01T00:00:00.000Z" };
const rungsOf = (ladder: Parameters<typeof describeLadder>[0]) =>
  describeLadder(ladder).map(({ rung, isHere, stands, needs }) => [isHere ? `> ${rung}` : rung, stands, needs]);

test("the ladder of a service shows what stands on each rung and what it needs", () => {
  const status = statusOf([...HOT, instanceOf("warm", 1, "Asleep")]);
  assert.deepEqual(rungsOf({ config: configOf(), status, partitions: [reserve] }), [
    ["> hot", "gold-hot-1 Ready, gold-hot-2 Ready", "nothing: it takes requests now"],
    ["warm", "gold-warm-1 Asleep", "a wake: a gateway does it by itself"],
    ["cold", "reserved: 40 GB on gpu-b/3", "the control plane: a cold start that loads 16 GB"],
    ["degraded", "queue up to 30s, then 503 with Retry-After", "nothing: what requests get when no rung serves"],
  ]);
});

const needs = [
  {
    name: "a sleeping warm at the limit needs an operator",
    status: statusOf([...HOT, instanceOf("warm", 1, "Asleep")], { failovers: full }),
    at: "warm",
    says: /^a wake, which an operator must ask for \(Hold, 3 of 3 moves since 2026/,
  },
  {
    name: "a cold reserve at the limit needs the control plane and an operator",
    status: statusOf(HOT, { failovers: full }),
    at: "cold",
    says: /^the control plane: a cold start .* operator must ask for \(Hold/,
  },
  {
    name: "a sleeping warm without a known answer needs the control plane",
    status: statusOf([...HOT, instanceOf("warm", 1, "Asleep")], { knownAnswer: null, knownAnswerOf: null }),
    at: "warm",
    says: /^the control plane: a wake cannot be verified/,
  },
  {
    name: "a cold level without bytes is the restart in place, at the limit too",
    status: statusOf(HOT, { failovers: full }),
    config: { coldStandby: {} },
    at: "cold",
    says: /^the control plane: what is dead loads 16 GB again$/,
  },
  { name: "a waking warm needs its wake", status: statusOf([instanceOf("warm", 1, "Waking")]), at: "warm", says: /^its wake to end$/ },
  {
    name: "dead hot instances need the control plane",
    status: statusOf([instanceOf("hot", 1, "Failed")], { level: "warm" }),
    at: "hot",
    says: /^the control plane: it restarts/,
  },
] as const;
for (const { name, status, at, says, ...more } of needs) {
  test(`what a rung needs: ${name}`, () => {
    const rung = describeLadder({ config: configOf("config" in more ? more.config : {}), status, partitions: [] }).find(
      (found) => found.rung === at,
    );
    assert.match(rung?.needs ?? "", says);
  });
}

test("the degraded rung names the model that answers in its place", () => {
  const degraded = [{ kind: "queue", upTo: "1s" }, { kind: "model", name: "tide-1b" }, { kind: "shed" }];
  const rungs = describeLadder({ config: configOf({ degraded }), status: statusOf(HOT), partitions: [] });
  assert.equal(rungs.at(-1)?.stands, "queue up to 1s, then model tide-1b in its service's free room, then 503 with Retry-After");
});

test("rungs that a config does not ask for are no part of the described ladder", () => {
  const config = configOf({ tier: "silver", coldStandby: { gpuCount: 0 }, degraded: undefined });
  const rungs = describeLadder({ config, status: statusOf([instanceOf("hot", 1, "Ready")]), partitions: [] });
  assert.deepEqual(
    rungs.map((rung) => rung.rung),
    ["hot", "degraded"],
  );
});

test("without the control plane gateways spill, overflow and wake; cold start and failback wait", () => {
  const resident = withoutControlPlane({
    config: configOf(),
    status: statusOf([...HOT, instanceOf("warm", 1, "Ready")]),
    partitions: [],
  });
  assert.deepEqual(resident.holds.slice(1), ["spill between gold-hot-1, gold-hot-2", "overflow and failover to gold-warm-1"]);
  const asleep = { config: configOf(), status: statusOf([...HOT, instanceOf("warm", 1, "Asleep")]), partitions: [] };
  assert.deepEqual(withoutControlPlane(asleep).holds.slice(2), ["wake of gold-warm-1"]);
  assert.deepEqual(withoutControlPlane(asleep).waits.slice(1, 3), ["cold start", "failback"]);
});

test("without the control plane nothing is woken where autoFailover is false", () => {
  const config = configOf({ failoverPolicy: { autoFailover: false } });
  const { holds, waits } = withoutControlPlane({ config, status: statusOf([instanceOf("warm", 1, "Asleep")]), partitions: [] });
  assert.deepEqual(holds, ["requests are served from what is Ready, the dead are left out"]);
  assert.equal(waits.at(-1), "wake of gold-warm-1 (autoFailover is false, so it only advises)");
});

const SINCE = "2026-01-01T00:00:00.000Z";
const failbacks: readonly { readonly name: string; readonly failback: JsonObject; readonly says: string | null }[] = [
  { name: "nothing where none is under way", failback: { step: null, doneAt: null, undone: null }, says: null },
  {
    name: "its step and those after it",
    failback: { step: { percent: 10, since: SINCE }, doneAt: null, undone: null },
    says: `10 % of new requests go to hot since ${SINCE}, then 50, 100 %`,
  },
  {
    name: "its last step",
    failback: { step: { percent: 100, since: SINCE }, doneAt: null, undone: null },
    says: `100 % of new requests go to hot since ${SINCE}, then hot has it all`,
  },
  {
    name: "how long the next one waits after two that did not last",
    failback: { step: null, doneAt: null, undone: { count: 2, at: SINCE, why: "gold-hot-1 was lost at 10 %." } },
    says: `2 did not last, the last at ${SINCE}; before the next hot must be well for 40m`,
  },
];
for (const { name, failback, says } of failbacks)
  test(`describe tells of a failback ${name}`, () => {
    assert.equal(describeFailback({ config: configOf(), status: statusOf(HOT, { level: "warm", failback }) }), says);
  });
