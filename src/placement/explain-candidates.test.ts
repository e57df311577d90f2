import assert from "node:assert/strict";
import { test } from "node:test";
import { ZONE_LABEL, type GpuNode } from "../api/gpu-node.ts";
import { SPOT_POOL_LABEL } from "../api/spot-pool.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { GB } from "../base/bytes.ts";
import { instanceName, nodeName, serviceName, tenantId } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { explainCandidates } from "./explain-candidates.ts";
import { createFleetRoom } from "./fleet-room.ts";
import type { Fleet, HeldSlice, InstanceRequest } from "./placement-request.ts";
import { requestsOf } from "./requests-of.ts";

function node(name: string, spec: JsonObject = {}, labels: Readonly<Record<string, string>> = {}): GpuNode {
  const read = parseGpuNode({ name, labels, spec: { hostMemory: "512GB", gpus: [{ model: "H100-80GB", count: 1 }], ...spec } });
  assert.ok(read.ok);
  return read.value;
}

function first(spec: JsonObject): InstanceRequest {
  const read = parseHotStandbyConfig({ name: "s", spec: { tenant: "t", tier: "gold", ...spec } });
  assert.ok(read.ok, JSON.stringify(read));
  return requestsOf(read.value)[0] ?? assert.fail("it asks for something");
}

function held(at: string, gpu: number, of: Partial<HeldSlice>): HeldSlice {
  return {
    node: nodeName(at),
    gpu,
    instance: instanceName("other-hot-1"),
    tenant: tenantId("other"),
    service: serviceName("other"),
    level: "hot",
    memoryBytes: 60 * GB,
    mode: "mps",
    mig: null,
    hostBytes: 0,
    ...of,
  };
}

const EXCLUSIVE = first({ hotStandby: { gpuCount: 1, memoryReserved: "40GB" } });
const SHARED = first({ tier: "silver", hotStandby: { gpuCount: 1, memoryReserved: "40GB", gpuMemoryShare: true } });
const PAIR = first({ tier: "silver", model: { name: "m", tensorParallelSize: 2 } });

const cases: readonly {
  name: string;
  request: InstanceRequest;
  nodes: readonly GpuNode[];
  fleet?: Partial<Fleet>;
  told: readonly string[];
}[] = [
  { name: "one that alone can", request: EXCLUSIVE, nodes: [node("a")], told: ["a chosen 0 The only one that can take it."] },
  {
    name: "equals, by name",
    request: EXCLUSIVE,
    nodes: [node("a"), node("b")],
    told: ["a chosen 0 The best of 2.", "b possible 0 As good as a, which comes first by name."],
  },
  {
    name: "spot for a hot one",
    request: EXCLUSIVE,
    nodes: [node("a", { capacityType: "spot" }), node("b")],
    told: ["b chosen 0 The best of 2.", "a possible 0 It is spot, which may go without a fault; b is not."],
  },
  {
    name: "a spot pool that has one of the service",
    request: { ...SHARED, service: serviceName("s"), level: "warm" },
    nodes: ["a", "b", "c"].map((name) =>
      node(name, { capacityType: "spot" }, { [ZONE_LABEL]: "z1", [SPOT_POOL_LABEL]: name === "c" ? "free" : "used" }),
    ),
    fleet: { held: [held("a", 0, { service: serviceName("s"), instance: instanceName("s-hot-9"), memoryBytes: 10 * GB })] },
    told: [
      "c chosen 0 The best of 2.",
      "b possible 0 It shares its spot pool with 1 of the service; c with 0.",
      "a refused  It has 0 of 1 GPU with 40 GB: 0 has another of the service.",
    ],
  },
  {
    name: "a GPU larger than need be",
    request: EXCLUSIVE,
    nodes: [node("a", { gpus: [{ model: "H200-141GB", count: 1 }] }), node("b")],
    told: ["b chosen 0 The best of 2.", "a possible 0 Its GPU is larger than need be: 141 GB, that of b 80 GB."],
  },
  {
    name: "another of the service on the node",
    request: EXCLUSIVE,
    nodes: [node("a", { gpus: [{ model: "H100-80GB", count: 2 }] }), node("b")],
    fleet: { held: [held("a", 1, { service: EXCLUSIVE.service, instance: instanceName("s-hot-2") })] },
    told: ["b chosen 0 The best of 2.", "a possible 0 It has 1 of the service on it; b has 0."],
  },
  {
    name: "an unused GPU beside one in use",
    request: SHARED,
    nodes: [node("a"), node("b")],
    fleet: { held: [held("b", 0, { memoryBytes: 20 * GB })] },
    told: ["b chosen 0 The best of 2.", "a possible 0 It would begin an unused GPU; b has one in use with room."],
  },
  {
    name: "what is left of its GPU would be of no use to what is wanted, though that GPU is the fuller one",
    request: { ...SHARED, memberBytes: [10 * GB] },
    nodes: [node("a"), node("b")],
    // 20 GB of 80 are free on a, 30 on b: who takes 10 of b leaves room for 20.
    fleet: {
      held: [held("a", 0, { memoryBytes: 60 * GB }), held("b", 0, { memoryBytes: 50 * GB })],
      wanted: [{ ...SHARED, memberBytes: [20 * GB] }],
    },
    told: [
      "b chosen 0 The best of 2.",
      "a possible 0 Of what idles there, 13 % of a GPU more would be of no use to what is wanted of the fleet; on b no more.",
    ],
  },
  {
    name: "the last two GPUs of a node, which a pair wants",
    request: EXCLUSIVE,
    nodes: ["a", "b"].map((name) => node(name, { gpus: [{ model: "H100-80GB", count: name === "a" ? 2 : 3 }] })),
    fleet: { wanted: [PAIR] },
    told: [
      "b chosen 0 The best of 2.",
      "a possible 0 Of what idles there, 100 % of a GPU more would be of no use to what is wanted of the fleet; on b no more.",
    ],
  },
  {
    name: "a zone that is fuller, however full its GPU is",
    request: { ...SHARED, memberBytes: [20 * GB] },
    nodes: [node("a", {}, { [ZONE_LABEL]: "z1" }), node("b", {}, { [ZONE_LABEL]: "z2" })],
    fleet: {
      held: [held("a", 0, { memoryBytes: 40 * GB }), held("b", 0, { memoryBytes: 20 * GB })],
      wanted: [{ ...SHARED, memberBytes: [20 * GB] }],
    },
    told: ["b chosen 0 The best of 2.", "a possible 0 Its zone is 50 % full, that of b 25 %: zones are filled alike."],
  },
  {
    name: "GPUs that are taken, full, lost or quarantined",
    request: SHARED,
    nodes: [node("a", { gpus: [{ model: "H100-80GB", count: 4 }] })],
    fleet: {
      held: [held("a", 0, { mode: "exclusive" }), held("a", 1, {})],
      lost: [{ node: nodeName("a"), gpu: 2 }],
      quarantined: [{ node: nodeName("a"), gpu: 3, service: SHARED.service }],
    },
    told: [
      "a refused  It has 0 of 1 GPU with 40 GB: 0 belongs to one instance alone, 1 has 20 GB of 80 GB left, 3 is quarantined for the service, 1 is lost.",
    ],
  },
  {
    name: "too few whole GPUs on one node",
    request: PAIR,
    nodes: [node("a", { gpus: [{ model: "H100-80GB", count: 2 }] }), node("b")],
    fleet: { held: [held("a", 1, {})] },
    told: [
      "a refused  It has 1 of 2 whole GPUs with 10 GB: 1 is in use by 1.",
      "b refused  It has 1 of 2 whole GPUs with 10 GB: it has 1.",
    ],
  },
  {
    name: "labels and kinds that are not asked for",
    request: first({ hotStandby: { gpuCount: 1, memoryReserved: "40GB", nodeSelector: { disk: "fast" }, capacityType: "on-demand" } }),
    nodes: [node("a"), node("b", {}, { disk: "slow" }), node("c", { capacityType: "spot" }, { disk: "fast" })],
    told: [
      "a refused  Its label disk is absent; fast is asked for.",
      "b refused  Its label disk is slow; fast is asked for.",
      "c refused  It is spot; on-demand is asked for.",
    ],
  },
  {
    name: "no host memory for a sleeper",
    request: { ...SHARED, hostBytes: 100 * GB },
    nodes: [node("a", { hostMemory: "64GB" })],
    told: ["a refused  Asleep it keeps 100 GB in host memory; 64 GB of 64 GB are free."],
  },
];
for (const { name, request, nodes, fleet, told } of cases) {
  test(`candidates: ${name}`, () => {
    const room = createFleetRoom({ nodes, held: [], lost: [], quarantined: [], ...fleet });
    assert.deepEqual(
      explainCandidates(request, room).map((one) => `${one.node} ${one.verdict} ${one.gpus.join(" ")} ${one.why}`),
      told,
    );
  });
}
