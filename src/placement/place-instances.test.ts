import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../base/json.ts";
import { GB } from "../base/bytes.ts";
import { nodeName, serviceName, tenantId } from "../base/ids.ts";
import { ZONE_LABEL, type GpuNode } from "../api/gpu-node.ts";
import { SPOT_POOL_LABEL } from "../api/spot-pool.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { explainRefusal } from "./explain-refusal.ts";
import { placeInstances } from "./place-instances.ts";
import type { Fleet, InstanceRequest } from "./placement-request.ts";
import { requestsOf } from "./requests-of.ts";

interface NodeSketch {
  readonly zone?: string;
  /** Named by its label. */
  readonly pool?: string;
  readonly count?: number;
  readonly model?: string;
  readonly capacityType?: string;
  readonly hostMemory?: string;
}
function node(
  name: string,
  { zone, pool, count = 1, model = "H100-80GB", capacityType = "on-demand", hostMemory = "512GB" }: NodeSketch = {},
): GpuNode {
  const labels: Record<string, string> = { name };
  if (zone !== undefined) labels[ZONE_LABEL] = zone;
  if (pool !== undefined) labels[SPOT_POOL_LABEL] = pool;
  const read = parseGpuNode({ name, labels, spec: { capacityType, hostMemory, gpus: [{ model, count }] } });
  assert.ok(read.ok);
  return read.value;
}

function requests(name: string, spec: JsonObject): readonly InstanceRequest[] {
  const read = parseHotStandbyConfig({ name, spec: { tenant: name, ...spec } });
  assert.ok(read.ok, JSON.stringify(read));
  return requestsOf(read.value);
}

const fleet = (nodes: readonly GpuNode[], rest: Partial<Fleet> = {}): Fleet => ({ nodes, held: [], lost: [], quarantined: [], ...rest });

/** `hot-1 a/0 b/1`, or the refusal's code. */
function placesOf(wanted: readonly InstanceRequest[], of: Fleet): readonly string[] {
  const { placed, refused } = placeInstances(wanted, of);
  return [
    ...placed.map(({ request, members }) => `${request.instance} ${members.map((place) => `${place.node}/${place.gpu}`).join(" ")}`),
    ...refused.map(({ request, refusal }) => `${request.instance} ${refusal.code}`),
  ];
}

const gold = (spec: JsonObject = {}) => requests("g", { tier: "gold", coldStandby: { gpuCount: 0 }, ...spec });
const platinum = (spec: JsonObject = {}) => requests("p", { tier: "platinum", coldStandby: { gpuCount: 0 }, ...spec });
const silver = (spec: JsonObject = {}) => requests("s", { tier: "silver", ...spec });

const cases: readonly { name: string; wanted: readonly InstanceRequest[]; fleet: Fleet; places: readonly string[] }[] = [
  {
    name: "two hot and one warm stand on three nodes where there are three",
    wanted: platinum(),
    fleet: fleet([node("a", { count: 4 }), node("b", { count: 4 }), node("c", { count: 4 })]),
    places: ["p-hot-1 a/0", "p-hot-2 b/0", "p-warm-1 c/0"],
  },
  {
    name: "on one node the instances of a service still take different GPUs",
    wanted: platinum(),
    fleet: fleet([node("a", { count: 4 })]),
    places: ["p-hot-1 a/0", "p-hot-2 a/1", "p-warm-1 a/2"],
  },
  {
    name: "warm goes to another zone than hot although its own zone has another node",
    wanted: gold(),
    fleet: fleet([node("a", { zone: "z1" }), node("b", { zone: "z1" }), node("c", { zone: "z2" })]),
    places: ["g-hot-1 a/0", "g-warm-1 c/0"],
  },
  {
    name: "hot prefers on-demand, warm does not mind spot",
    wanted: gold(),
    fleet: fleet([node("a", { capacityType: "spot" }), node("b")]),
    places: ["g-hot-1 b/0", "g-warm-1 a/0"],
  },
  {
    name: "on spot a service keeps out of the pool that it has instances in, also where that costs it a zone",
    wanted: gold({ hotStandby: { capacityType: "spot" } }),
    fleet: fleet([
      node("a", { zone: "z1", pool: "p1", capacityType: "spot" }),
      node("b", { zone: "z2", pool: "p1", capacityType: "spot" }),
      node("c", { zone: "z1", pool: "p2", capacityType: "spot" }),
    ]),
    places: ["g-hot-1 a/0", "g-warm-1 c/0"],
  },
  {
    name: "on spot the pools of one zone are told apart",
    wanted: gold({ hotStandby: { capacityType: "spot" } }),
    fleet: fleet(["p1", "p1", "p2"].map((pool, index) => node(`n${index}`, { zone: "z1", pool, capacityType: "spot" }))),
    places: ["g-hot-1 n0/0", "g-warm-1 n2/0"],
  },
  {
    name: "on spot equal machines of one zone are one pool, which on-demand is no part of",
    wanted: gold({ hotStandby: { capacityType: "spot" } }),
    fleet: fleet([
      node("a", { zone: "z1", capacityType: "spot" }),
      node("b", { zone: "z1", capacityType: "spot" }),
      node("c", { zone: "z1", count: 2 }),
    ]),
    places: ["g-hot-1 a/0", "g-warm-1 c/0"],
  },
  {
    name: "a written capacityType is a condition",
    wanted: gold({ hotStandby: { capacityType: "spot" } }),
    fleet: fleet([node("b", { count: 2 })]),
    places: ["g-warm-1 b/0", "g-hot-1 NO_MATCHING_NODE"],
  },
  {
    name: "a node selector is a condition",
    wanted: gold({ hotStandby: { nodeSelector: { name: "b" } }, warmStandby: { nodeSelector: { name: "nowhere" } } }),
    fleet: fleet([node("a"), node("b")]),
    places: ["g-hot-1 b/0", "g-warm-1 NO_MATCHING_NODE"],
  },
  {
    name: "shared instances of several services fill one GPU before they open another",
    wanted: [...requests("s1", { tier: "silver" }), ...requests("s2", { tier: "silver" }), ...requests("s3", { tier: "silver" })],
    fleet: fleet([node("a", { count: 2 })]),
    places: ["s1-hot-1 a/0", "s2-hot-1 a/0", "s3-hot-1 a/0"],
  },
  {
    name: "an exclusive instance takes no GPU that somebody shares",
    wanted: [...gold({ warmStandby: { gpuCount: 0 } })],
    fleet: fleet([node("a")], {
      held: [
        {
          node: nodeName("a"),
          gpu: 0,
          instance: silver()[0]?.instance ?? assert.fail(),
          tenant: tenantId("s"),
          service: serviceName("s"),
          level: "hot",
          memoryBytes: 1,
          mode: "mps",
          mig: null,
          hostBytes: 0,
        },
      ],
    }),
    places: ["g-hot-1 NO_EXCLUSIVE_GPU"],
  },
  {
    name: "a shared instance takes no GPU that somebody has alone",
    wanted: [...gold({ warmStandby: { gpuCount: 0 } }), ...silver()],
    fleet: fleet([node("a")]),
    places: ["g-hot-1 a/0", "s-hot-1 NO_CAPACITY"],
  },
  {
    name: "platinum is placed before silver, whatever the order of the question",
    wanted: [
      ...silver({ hotStandby: { gpuMemoryShare: false } }),
      ...requests("p", { tier: "platinum", hotStandby: {}, warmStandby: { gpuCount: 0 }, coldStandby: { gpuCount: 0 } }),
    ],
    fleet: fleet([node("a")]),
    places: ["p-hot-1 a/0", "s-hot-1 NO_EXCLUSIVE_GPU"],
  },
  {
    name: "inside a tier the higher priority is placed first",
    wanted: [
      ...requests("a", { tier: "silver", hotStandby: { gpuMemoryShare: false } }),
      ...requests("b", { tier: "silver", priority: "high", hotStandby: { gpuMemoryShare: false } }),
    ],
    fleet: fleet([node("n")]),
    places: ["b-hot-1 n/0", "a-hot-1 NO_EXCLUSIVE_GPU"],
  },
  {
    name: "an instance of tensorParallelSize 2 takes two whole GPUs of one node",
    wanted: requests("t", { tier: "silver", model: { name: "m", tensorParallelSize: 2 } }),
    fleet: fleet([node("a"), node("b", { count: 3 })]),
    places: ["t-hot-1 b/0 b/1"],
  },
  {
    name: "GPUs of two nodes do not make one instance",
    wanted: requests("t", { tier: "silver", model: { name: "m", tensorParallelSize: 2 } }),
    fleet: fleet([node("a"), node("b")]),
    places: ["t-hot-1 NO_EXCLUSIVE_GPU"],
  },
  {
    name: "a quarantined GPU is left out for its service only",
    wanted: [...silver(), ...requests("s2", { tier: "silver" })],
    fleet: fleet([node("a", { count: 2 })], { quarantined: [{ node: nodeName("a"), gpu: 0, service: serviceName("s") }] }),
    places: ["s-hot-1 a/1", "s2-hot-1 a/1"],
  },
  {
    name: "a lost GPU is left out for everybody",
    wanted: silver(),
    fleet: fleet([node("a")], { lost: [{ node: nodeName("a"), gpu: 0 }] }),
    places: ["s-hot-1 NO_CAPACITY"],
  },
  {
    name: "an exclusive instance takes the smallest GPU that is large enough",
    wanted: gold({ warmStandby: { gpuCount: 0 } }),
    fleet: fleet([node("a", { model: "H200-141GB" }), node("b", { model: "L4-24GB" })]),
    places: ["g-hot-1 b/0"],
  },
  {
    name: "a sleeper without room for its weights in host memory is refused",
    wanted: gold(),
    fleet: fleet([node("a", { count: 2, hostMemory: "15GB" })]),
    places: ["g-hot-1 a/0", "g-warm-1 NO_HOST_MEMORY"],
  },
  {
    name: "a warm instance that never sleeps needs no host memory",
    wanted: gold({ warmStandby: { rest: "resident", lend: "never" } }),
    fleet: fleet([node("a", { count: 2, hostMemory: "1GB" })]),
    places: ["g-hot-1 a/0", "g-warm-1 a/1"],
  },
  {
    name: "a cold reserve is bytes beside others, away from its own service",
    wanted: requests("g", { tier: "gold" }),
    fleet: fleet([node("a", { count: 3 })]),
    places: ["g-hot-1 a/0", "g-warm-1 a/1", "g-cold-1 a/2"],
  },
];
for (const { name, wanted, fleet: given, places } of cases) {
  test(name, () => {
    assert.deepEqual(placesOf(wanted, given), places);
    assert.deepEqual(placesOf(wanted.toReversed(), { ...given, nodes: given.nodes.toReversed() }), places);
  });
}

test("bytes that do not divide go to the first GPU of a level", () => {
  const [first, second] = requests("p", { tier: "platinum", hotStandby: { gpuCount: 2, memoryReserved: "40000000001B" } });
  assert.deepEqual([first?.memberBytes, second?.memberBytes], [[20_000_000_001], [20_000_000_000]]);
});

test("every refusal of a placement says what, why and next with its numbers", () => {
  const { refused } = placeInstances(
    [...gold({ warmStandby: { gpuCount: 0 } }), ...silver(), ...requests("x", { hotStandby: { nodeSelector: { disk: "fast" } } })],
    fleet([node("a", { model: "L4-24GB" })]),
  );
  assert.deepEqual(
    refused.map(({ refusal }) => explainRefusal(refusal)),
    [
      {
        what: "s-hot-1 has no place.",
        why: "It needs 20 GB on one GPU; the largest room on a GPU that it may share is 0 B.",
        next: "Lower memoryReserved, add a GPU, or loosen nodeSelector.",
      },
      {
        what: "x-hot-1 has no place.",
        why: "None of 1 nodes has disk: fast.",
        next: "Loosen nodeSelector or capacityType, or add such a node.",
      },
    ],
  );
  assert.equal(GB, 1e9);
});
