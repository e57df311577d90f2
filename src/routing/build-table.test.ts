import { test } from "node:test";
import assert from "node:assert/strict";
import { epoch, generation, instanceName, nodeName, partitionName, serviceName, uid } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { NO_BURN, NO_FAILBACK, type InstanceState, type InstanceStatus, type ServiceStatus } from "../api/service-status.ts";
import { addressOf, buildRouteTable, hotWeights, urlOf } from "./build-table.ts";

function configOf(change: JsonObject = {}) {
  const spec = { tenant: "tenant-gold", tier: "gold", model: { name: "tide-8b", adapters: ["law"] }, ...change };
  const config = parseHotStandbyConfig({ name: "gold", spec });
  assert.ok(config.ok);
  return config.value;
}

const instance = (name: string, state: InstanceState, more: Partial<InstanceStatus> = {}): InstanceStatus => ({
  name: instanceName(name),
  uid: uid(`${name}-uid`),
  generation: generation(2),
  level: name.includes("warm") ? "warm" : "hot",
  state,
  weight: 0,
  members: [{ node: nodeName("gpu-a"), gpu: 0, partition: partitionName("p") }],
  endpoint: "http://127.0.0.1:40001",
  pid: 1,
  serves: [serviceName("gold")],
  fingerprint: "f",
  failedStarts: 0,
  failedWakes: 0,
  violations: null,
  message: "",
  ...more,
});
const statusOf = (...instances: readonly InstanceStatus[]): ServiceStatus => ({
  phase: "Normal",
  level: "hot",
  pinned: null,
  soakSince: null,
  failback: NO_FAILBACK,
  errorBudget: NO_BURN,
  openMove: null,
  epoch: epoch(4),
  revision: 9,
  observedGeneration: 1,
  instances,
  failovers: { inWindow: 1, max: 3, windowStart: null },
  rto: { targetMs: 15_000, lastMs: null, worstMs: null },
  knownAnswer: null,
  knownAnswerOf: null,
  quarantined: [],
  history: [],
  conditions: [],
});
const context = { uid: uid("service-uid"), maxBatch: 32, zones: new Map([[nodeName("gpu-a"), "az-1"]]) };

test("a table carries the order of its status and all that a gateway must know of the service", () => {
  const table = buildRouteTable(configOf(), statusOf(instance("gold-hot-1", "Ready", { weight: 80 })), context);
  assert.deepEqual([table.uid, table.epoch, table.revision], ["service-uid", 4, 9]);
  assert.deepEqual([table.service, table.tenant, table.tier, table.models], ["gold", "tenant-gold", "gold", ["tide-8b", "law"]]);
  assert.deepEqual(table.grants, { descent: "automatic", movesLeft: 2 });
  assert.deepEqual(table.rungs[0]?.endpoints[0], {
    instance: "gold-hot-1",
    uid: "gold-hot-1-uid",
    generation: 2,
    address: { host: "127.0.0.1", port: 40_001 },
    engine: "simulated",
    upstreamModel: null,
    isReady: true,
    isAsleep: false,
    isWaking: false,
    weight: 80,
    maxBatch: 32,
    node: "gpu-a",
    zone: "az-1",
    fingerprint: "f",
    hasProgress: true,
    namesIds: true,
  });
});

const grants = [
  { name: "a service with moves left lets its gateways wake", policy: {}, inWindow: 2, expected: { descent: "automatic", movesLeft: 1 } },
  { name: "a service at its limit holds its gateways too", policy: {}, inWindow: 3, expected: { descent: "held", movesLeft: 0 } },
  {
    name: "a limit of zero holds from the start",
    policy: { maxFailoverCount: 0 },
    inWindow: 0,
    expected: { descent: "held", movesLeft: 0 },
  },
  {
    name: "a service that only advises holds its gateways too",
    policy: { autoFailover: false },
    inWindow: 0,
    expected: { descent: "held", movesLeft: 0 },
  },
];
for (const c of grants) {
  test(c.name, () => {
    const status = { ...statusOf(), failovers: { inWindow: c.inWindow, max: 3, windowStart: null } };
    assert.deepEqual(buildRouteTable(configOf({ failoverPolicy: c.policy }), status, context).grants, c.expected);
  });
}

const places = [
  { level: "hot", serveFrom: "hot" },
  { level: "warm", serveFrom: "warm" },
  { level: "cold", serveFrom: "cold" },
  { level: "degraded", serveFrom: "hot" },
] as const;
for (const { level, serveFrom } of places) {
  test(`traffic of a service on ${level} is served from ${serveFrom} first`, () => {
    assert.equal(buildRouteTable(configOf(), { ...statusOf(), level }, context).serveFrom, serveFrom);
  });
}

test("the share of a failback's step stands in the table, and none where no failback is under way", () => {
  const step = { percent: 10, since: "2026-01-01T00:00:00.000Z" };
  const at = (failback: ServiceStatus["failback"]) => buildRouteTable(configOf(), { ...statusOf(), level: "warm", failback }, context);
  assert.deepEqual([at({ ...NO_FAILBACK, step }).returnPercent, at(NO_FAILBACK).returnPercent], [10, 0]);
});

const routable: readonly (readonly [InstanceState, boolean])[] = [
  ["Pending", false],
  ["Starting", false],
  ["Asleep", false],
  ["Waking", false],
  ["Verifying", false],
  ["Ready", true],
  ["Suspect", true],
  ["Draining", false],
  ["Fenced", false],
  ["Failed", false],
];
for (const [state, isReady] of routable) {
  test(`a ${state} instance ${isReady ? "may take" : "takes no"} requests by its table`, () => {
    const table = buildRouteTable(configOf(), statusOf(instance("gold-hot-1", state)), context);
    assert.equal(table.rungs[0]?.endpoints[0]?.isReady, isReady);
  });
}

test("rungs go hot, warm, cold; a level that is asked for and has nobody waits for the control plane", () => {
  const rungs = buildRouteTable(configOf(), statusOf(instance("gold-warm-1", "Ready")), context).rungs;
  assert.deepEqual(
    rungs.map((rung) => [rung.level, rung.activation.kind, rung.endpoints.length]),
    [
      ["hot", "controller", 0],
      ["warm", "none", 1],
      ["cold", "controller", 0],
    ],
  );
});

const sleepers: readonly {
  readonly name: string;
  readonly status?: Partial<ServiceStatus>;
  readonly instance?: Partial<InstanceStatus>;
  readonly policy?: JsonObject;
  readonly expected: readonly [string, boolean, string | null];
}[] = [
  { name: "a rung of sleepers is woken by the gateway", expected: ["wake", true, "right"] },
  {
    name: "a sleeper without a known answer is woken by no gateway",
    status: { knownAnswer: null, knownAnswerOf: null },
    expected: ["controller", false, null],
  },
  {
    name: "a known answer of another model goes to no gateway",
    status: { knownAnswerOf: "f0" },
    expected: ["controller", false, null],
  },
  { name: "a sleeper whose wake failed is woken by no gateway", instance: { failedWakes: 1 }, expected: ["controller", false, "right"] },
  {
    name: "under Hold a sleeper is woken by no gateway",
    status: { failovers: { inWindow: 3, max: 3, windowStart: null } },
    expected: ["controller", true, "right"],
  },
  { name: "where only advice is wanted no gateway wakes", policy: { autoFailover: false }, expected: ["controller", true, "right"] },
];
for (const c of sleepers) {
  test(c.name, () => {
    const warm = instance("gold-warm-1", "Asleep", c.instance);
    const status = { ...statusOf(warm), knownAnswer: "right", knownAnswerOf: "f", ...c.status };
    const table = buildRouteTable(configOf({ failoverPolicy: c.policy ?? {} }), status, context);
    const rung = table.rungs[1];
    assert.deepEqual([rung?.activation.kind, rung?.endpoints[0]?.isAsleep, table.knownAnswer], c.expected);
    assert.equal(rung?.endpoints[0]?.isReady, false);
  });
}

test("one that the control plane wakes is neither asleep nor ready, and nobody else begins to wake it", () => {
  const status = { ...statusOf(instance("gold-warm-1", "Waking")), knownAnswer: "right", knownAnswerOf: "f" };
  const rung = buildRouteTable(configOf({}), status, context).rungs[1];
  const [endpoint] = rung?.endpoints ?? [];
  assert.deepEqual([rung?.activation.kind, endpoint?.isWaking, endpoint?.isAsleep, endpoint?.isReady], ["controller", true, false, false]);
});

test("an instance that listens nowhere has no line in the table", () => {
  const status = statusOf(
    instance("gold-hot-1", "Pending", { endpoint: null }),
    instance("gold-hot-2", "Ready", { endpoint: "not a url" }),
  );
  assert.deepEqual(buildRouteTable(configOf(), status, context).rungs[0]?.endpoints, []);
});

const weights = [
  { name: "two hot instances share 80 to 20", asked: null, count: 2, expected: [80, 20] },
  { name: "one hot instance has all the weight", asked: null, count: 1, expected: [100] },
  { name: "three hot instances share equally", asked: null, count: 3, expected: [34, 33, 33] },
  { name: "more hot instances than shares have one each", asked: null, count: 120, expected: Array.from({ length: 120 }, () => 1) },
  { name: "weights that are asked for count", asked: [60, 40], count: 2, expected: [60, 40] },
];
for (const c of weights) test(c.name, () => assert.deepEqual(hotWeights(c.asked, c.count), c.expected));

for (const url of ["http://127.0.0.1:40001", "http://[::1]:80", "http://engine.local:65535"]) {
  test(`the endpoint ${url} is read and written alike`, () => {
    const address = addressOf(url);
    assert.ok(address !== null);
    assert.equal(urlOf(address), url);
  });
}
for (const url of [
  "https://127.0.0.1:1",
  "http://user@host:1",
  "http://host",
  "http://host:0",
  "http://host:70000",
  "http://host:1/path",
  "",
]) {
  test(`"${url}" is no endpoint`, () => assert.equal(addressOf(url), null));
}
