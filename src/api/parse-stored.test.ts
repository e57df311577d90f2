// What programs write and read back: partitions, statuses, keys, messages between the planes, nodes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GB } from "../base/bytes.ts";
import { epoch, generation, instanceName, nodeName, partitionName, serviceName, tenantId, uid } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import type { GpuPartition } from "./gpu-partition.ts";
import { FAULT_KINDS } from "./fault.ts";
import { parseApiKey } from "./parse-api-key.ts";
import { parseFault } from "./parse-fault.ts";
import { parseGpuNode } from "./parse-gpu-node.ts";
import { gpuPartitionSpec, parseGpuPartition } from "./parse-gpu-partition.ts";
import { parseDownMessage, parseRouteTable, parseUpMessage } from "./parse-link-message.ts";
import { parseServiceStatus, serviceStatusJson } from "./parse-service-status.ts";
import type { RouteTable } from "./route-table.ts";
import { NO_FAILBACK, type ServiceStatus } from "./service-status.ts";

const partition: GpuPartition = {
  name: partitionName("t-gpu-partition-s-hot-1-1"),
  tenant: tenantId("t"),
  service: serviceName("s"),
  instance: instanceName("s-hot-1"),
  mode: "mps",
  memoryBytes: 20 * GB + 1,
  computePercent: 50,
  node: nodeName("gpu-a"),
  gpu: 3,
  mig: null,
  leaving: null,
  phase: "Bound",
};
const stored = (spec: JsonObject, status: JsonObject | null) => ({ name: partition.name, generation: 2, spec, status });

test("a partition is read back as it was written, to the byte", () => {
  const read = parseGpuPartition(stored(gpuPartitionSpec(partition), { phase: "Bound", observedGeneration: 2 }));
  assert.deepEqual(read, { ok: true, value: partition });
});

test("a partition whose status speaks of an older spec is not bound yet", () => {
  const read = parseGpuPartition(stored(gpuPartitionSpec(partition), { phase: "Bound", observedGeneration: 1 }));
  assert.deepEqual(read, { ok: true, value: { ...partition, phase: "Pending" } });
});

test("a partition without a place tells its refusal, or that nobody looked yet", () => {
  const refusal = { code: "NO_CAPACITY", what: "a", why: "b", next: "c" };
  const { node: _node, gpu: _gpu, ...spec } = gpuPartitionSpec(partition);
  const refused = parseGpuPartition(stored(spec, { phase: "Pending", refusal }));
  const fresh = parseGpuPartition(stored(spec, null));
  assert.ok(refused.ok && fresh.ok && refused.value.node === null && fresh.value.node === null);
  assert.deepEqual([refused.value.refusal, fresh.value.refusal.code], [refusal, "NOT_PLACED_YET"]);
});

const status: ServiceStatus = {
  phase: "Normal",
  level: "hot",
  pinned: null,
  soakSince: null,
  failback: NO_FAILBACK,
  errorBudget: {
    windowStart: "2026-01-01T00:00:00.000Z",
    burnedMs: 900.5,
    lateCount: 1,
    last: { fault: "2026-01-01T00:00:00.000Z", lateMs: 900.5 },
  },
  openMove: null,
  epoch: epoch(7),
  revision: 31,
  observedGeneration: 2,
  instances: [
    {
      name: instanceName("s-hot-1"),
      uid: uid("u"),
      generation: generation(3),
      level: "hot",
      state: "Ready",
      weight: 80,
      members: [{ node: nodeName("gpu-a"), gpu: 0, partition: partition.name }],
      endpoint: "http://127.0.0.1:40001",
      pid: 4_711,
      serves: [serviceName("s")],
      fingerprint: "f",
      failedStarts: 0,
      failedWakes: 0,
      violations: null,
      message: "",
    },
  ],
  failovers: { inWindow: 1, max: 3, windowStart: null },
  rto: { targetMs: 5_000, lastMs: 212.5, worstMs: null },
  knownAnswer: null,
  knownAnswerOf: null,
  quarantined: [{ node: nodeName("gpu-a"), gpu: 1, reason: "GpuLost", since: "2026-01-01T00:00:00.000Z" }],
  history: [{ at: "2026-01-01T00:00:00.000Z", what: "a", why: "b" }],
  conditions: [{ type: "Ready", status: "True", reason: "AllReady", message: "", lastTransitionTime: "2026-01-01T00:00:00.000Z" }],
};

test("a service status is read back as it was stored", () => {
  const read = parseServiceStatus(JSON.parse(JSON.stringify(serviceStatusJson(status))));
  assert.deepEqual(read, { ok: true, value: status });
});

test("a service status of another shape names the place that cannot be read", () => {
  const read = parseServiceStatus({ ...serviceStatusJson(status), instances: [{ name: 3 }] });
  assert.ok(!read.ok);
  assert.equal(read.error[0]?.path, "instances[0].name");
});

const table: RouteTable = {
  uid: uid("u"),
  epoch: epoch(1),
  revision: 2,
  service: serviceName("s"),
  tenant: tenantId("t"),
  tier: "gold",
  models: ["tide-8b"],
  contextLength: 8_192,
  rungs: [
    {
      level: "hot",
      activation: { kind: "none" },
      endpoints: [
        {
          instance: instanceName("s-hot-1"),
          uid: uid("v"),
          generation: generation(1),
          address: { host: "127.0.0.1", port: 40_001 },
          engine: "simulated",
          upstreamModel: null,
          isReady: true,
          isAsleep: false,
          isWaking: false,
          weight: 80,
          maxBatch: 64,
          node: nodeName("gpu-a"),
          zone: null,
          fingerprint: "f",
          hasProgress: true,
          namesIds: true,
        },
      ],
    },
  ],
  serveFrom: "hot",
  returnPercent: 0,
  knownAnswer: null,
  priority: 0,
  grants: { descent: "automatic", movesLeft: 3 },
  degraded: [{ kind: "queue", upToMs: 30_000 }, { kind: "model", name: "tide-1b" }, { kind: "shed" }],
  overflow: { inFlightRatio: 0.9, queuedForMs: 100 },
  limits: { requestsPerMinute: null, tokensPerMinute: null, concurrency: 64, maxTokens: null },
  mirrorPercent: 10,
  rtoTargetMs: 15_000,
};

test("a status and a table of an earlier version tell of no failback", () => {
  const { failback: _failback, ...old } = serviceStatusJson(status);
  const read = parseServiceStatus(old);
  assert.ok(read.ok);
  assert.deepEqual(read.value.failback, { step: null, doneAt: null, undone: null });
  const { returnPercent: _percent, ...earlier } = table;
  const oldTable = parseRouteTable(JSON.parse(JSON.stringify(earlier)));
  assert.ok(oldTable.ok);
  assert.equal(oldTable.value.returnPercent, 0);
});

test("a failback that is under way and one that did not last are read back as they were stored", () => {
  const since = "2026-01-01T00:00:00.000Z";
  const failback = { step: { percent: 10, since }, doneAt: since, undone: { count: 2, at: since, why: "hot was lost" } };
  assert.deepEqual(parseServiceStatus(serviceStatusJson({ ...status, failback })), { ok: true, value: { ...status, failback } });
});

test("a route table is read back as it was sent, and a field of a later version is left out", () => {
  const sent: unknown = JSON.parse(JSON.stringify({ type: "table", table: { ...table, ofLaterVersion: 1 } }));
  assert.deepEqual(parseDownMessage(sent), { ok: true, value: { type: "table", table } });
});

test("a route table with a port that cannot be is refused with its place", () => {
  const broken: unknown = JSON.parse(JSON.stringify(table).replace("40001", "70000"));
  const read = parseRouteTable(broken);
  assert.ok(!read.ok);
  assert.match(read.error.reason, /^rungs\.0\.endpoints\.0\.address\.port: /);
});

test("a gateway's messages are read, and one of an unknown type is refused", () => {
  const hello = { type: "hello", gateway: "gateway-0", pid: 1, address: "127.0.0.1:8080" };
  assert.deepEqual(parseUpMessage(hello), { ok: true, value: hello });
  assert.equal(parseUpMessage({ type: "goodbye" }).ok, false);
  assert.equal(parseUpMessage({ ...hello, pid: -1 }).ok, false);
});

test("counts of a gateway of another version are heard, without what alerts would need", () => {
  const counts = { service: "s", requests: 1, failed: 0, inFlight: 0, promptTokens: 0, outputTokens: 0, firstTokenP99Ms: null };
  const alertCounters = {
    outcomes: { ok: 1, refused: 0, "upstream-error": 0, "stream-error": 0 },
    firstTokens: Array.from({ length: 18 }, () => 1),
  };
  const read = (more: object): unknown => {
    const message = parseUpMessage({ type: "counts", services: [{ ...counts, ...more }] });
    return message.ok && message.value.type === "counts" ? message.value.services[0]?.alertCounters : "refused";
  };
  assert.deepEqual(read({ alertCounters }), alertCounters);
  assert.equal(read({}), null);
  assert.equal(read({ alertCounters: { ...alertCounters, firstTokens: [1, 2] } }), null);
});

test("an API key with anything but a SHA-256 digest is refused", () => {
  const spec = { tenant: "t", hash: "a".repeat(64), prefix: "tg-abc" };
  assert.equal(parseApiKey({ name: "k", spec }).ok, true);
  assert.equal(parseApiKey({ name: "k", spec: { ...spec, hash: "A".repeat(64) } }).ok, false);
  assert.equal(parseApiKey({ name: "k", spec: { ...spec, key: "secret" } }).ok, false);
});

test("every kind of fault can be read, and a slow one without its factor cannot", () => {
  const arguments_ = { afterTokens: 3, factor: 5, ratio: 0.5, bytes: 1_000 };
  const needs: Readonly<Record<string, readonly (keyof typeof arguments_)[]>> = {
    stall: ["afterTokens"],
    truncate: ["afterTokens"],
    reset: ["afterTokens"],
    slow: ["factor"],
    "slow-wake": ["factor"],
    "error-ratio": ["ratio"],
    "grabs-memory": ["bytes"],
  };
  for (const kind of FAULT_KINDS) {
    const raw = { kind, ...Object.fromEntries((needs[kind] ?? []).map((name) => [name, arguments_[name]])) };
    assert.deepEqual(parseFault(raw), { ok: true, value: raw });
  }
  assert.equal(parseFault({ kind: "slow" }).ok, false);
});

test("GPUs of a node are numbered through all its groups", () => {
  const read = parseGpuNode({
    name: "gpu-a",
    labels: { "topology.kubernetes.io/zone": "az-1" },
    spec: { gpus: [{ model: "H100-80GB", count: 2 }, { model: "L4-24GB" }], links: { disk: "6GB" } },
  });
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.gpus.map(({ index, memoryBytes }) => [index, memoryBytes / GB]),
    [
      [0, 80],
      [1, 80],
      [2, 24],
    ],
  );
  assert.deepEqual([read.value.zone, read.value.links.disk / GB, read.value.links.network / GB], ["az-1", 6, 11]);
});
