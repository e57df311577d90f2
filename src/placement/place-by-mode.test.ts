import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GpuNode } from "../api/gpu-node.ts";
import { formatPlacement, isLegal } from "../api/mig-layout.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { serviceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { explainRefusal } from "./explain-refusal.ts";
import { isolationRank, PARTITION_MODES } from "./partition-modes.ts";
import { placeInstances } from "./place-instances.ts";
import { planPartitions, type AnyPartition, type PartitionWorld } from "./plan-partitions.ts";
import { placeKey, type InstanceRequest, type PlacedMember } from "./placement-request.ts";
import { requestsOf } from "./requests-of.ts";

function node(name: string, gpus: readonly JsonObject[]): GpuNode {
  const read = parseGpuNode({ name, labels: {}, spec: { gpus: [...gpus] } });
  assert.ok(read.ok, JSON.stringify(read));
  return read.value;
}
const h100 = (name: string, count = 1): GpuNode => node(name, [{ model: "H100-80GB", count }]);

/** One shared hot instance. */
function shared(name: string, memory: string, spec: JsonObject = {}): readonly InstanceRequest[] {
  const model = { name, weights: "4GB" };
  const read = parseHotStandbyConfig({
    name,
    spec: { tenant: name, tier: "silver", model, hotStandby: { memoryReserved: memory }, ...spec },
  });
  assert.ok(read.ok, JSON.stringify(read));
  return requestsOf(read.value);
}
const strong = (name: string, memory: string): readonly InstanceRequest[] => shared(name, memory, { isolation: "strong" });

const shareOf = ({ node: at, gpu, mode, mig, memoryBytes, computePercent }: PlacedMember): string =>
  `${at}/${gpu} ${mode}${mig === null ? "" : ` ${formatPlacement(mig)}`} ${memoryBytes / 1e9} GB ${computePercent} %`;
function sharesOf(wanted: readonly InstanceRequest[], nodes: readonly GpuNode[]): readonly string[] {
  const { placed, refused } = placeInstances(wanted, { nodes, held: [], lost: [], quarantined: [] });
  return [
    ...placed.map(({ request, members }) => `${request.service}: ${members.map(shareOf).join(", ")}`),
    ...refused.map(({ refusal }) => `${refusal.instance} ${refusal.code}`),
  ];
}

const cases: readonly {
  readonly name: string;
  readonly wanted: readonly InstanceRequest[];
  readonly nodes: readonly GpuNode[];
  readonly shares: readonly string[];
}[] = [
  {
    name: "strong isolation of a share is a MIG instance of the smallest profile with its bytes",
    wanted: [...strong("a", "10GB"), ...strong("b", "20GB"), ...strong("c", "40GB")],
    nodes: [h100("n", 2)],
    shares: ["a: n/0 mig 1g@6 10 GB 12 %", "b: n/0 mig 1g-double@4 20 GB 19 %", "c: n/0 mig 3g@0 40 GB 45 %"],
  },
  {
    name: "strong isolation where no MIG is known is a whole card",
    wanted: strong("a", "10GB"),
    nodes: [node("n", [{ model: "L40S-48GB" }])],
    shares: ["a: n/0 exclusive 10 GB 100 %"],
  },
  {
    name: "a MIG instance is taken before a whole card is, whatever the names",
    wanted: strong("a", "10GB"),
    nodes: [node("a", [{ model: "L40S-48GB" }]), h100("z")],
    shares: ["a: z/0 mig 1g@6 10 GB 12 %"],
  },
  {
    name: "a GPU that is cut by MIG is used before another one is cut",
    wanted: [...strong("a", "10GB"), ...strong("b", "10GB")],
    nodes: [h100("m"), h100("n")],
    shares: ["a: m/0 mig 1g@6 10 GB 12 %", "b: m/0 mig 1g@5 10 GB 12 %"],
  },
  {
    name: "without strong isolation nobody's compute is fixed by MIG, even where its profile is just as large",
    wanted: shared("a", "40GB"),
    nodes: [h100("n")],
    shares: ["a: n/0 mps 40 GB 50 %"],
  },
  {
    name: "a GPU has one mode: who asks for less joins, who asks for more goes elsewhere",
    wanted: [...shared("a", "10GB", { isolation: "medium" }), ...shared("b", "10GB"), ...strong("c", "10GB")],
    nodes: [h100("n", 2)],
    shares: ["a: n/0 vgpu 10 GB 50 %", "b: n/0 vgpu 10 GB 50 %", "c: n/1 mig 1g@6 10 GB 12 %"],
  },
  {
    name: "medium isolation does not join a GPU that MPS shares",
    wanted: [...shared("a", "10GB"), ...shared("b", "10GB", { isolation: "medium" })],
    nodes: [h100("n", 1)],
    shares: ["a: n/0 mps 10 GB 50 %", "b-hot-1 ISOLATION_UNAVAILABLE"],
  },
  {
    name: "a node's GPUs are cut only as it says",
    wanted: [...strong("a", "10GB"), ...shared("b", "10GB")],
    nodes: [node("n", [{ model: "H100-80GB", modes: ["time-slicing", "mps"] }])],
    shares: ["b: n/0 mps 10 GB 50 %", "a-hot-1 ISOLATION_UNAVAILABLE"],
  },
  {
    name: "two of 40 GB leave no place for a third on a card that MIG cuts",
    wanted: [...strong("a", "40GB"), ...strong("b", "40GB"), ...strong("c", "10GB")],
    nodes: [h100("n")],
    shares: ["a: n/0 mig 3g@4 40 GB 45 %", "b: n/0 mig 3g@0 40 GB 45 %", "c-hot-1 GEOMETRY"],
  },
];
for (const { name, wanted, nodes, shares } of cases) {
  test(`placement: ${name}`, () => assert.deepEqual(sharesOf(wanted, nodes), shares));
}

test("refusals of a share tell the arithmetic: of geometry, of isolation, and of the cap of a class", () => {
  const refusalOf = (wanted: readonly InstanceRequest[], nodes: readonly GpuNode[]): string => {
    const { refused } = placeInstances(wanted, { nodes, held: [], lost: [], quarantined: [] });
    assert.ok(refused[0] !== undefined);
    return explainRefusal(refused[0].refusal).why;
  };
  assert.equal(
    refusalOf([...strong("a", "40GB"), ...strong("b", "40GB"), ...strong("c", "10GB")], [h100("n")]),
    "It needs 10 GB of a MIG GPU; nearest is n/0: 1g.10gb would do, and has no legal start beside 3g@0 3g@4.",
  );
  assert.equal(
    refusalOf(strong("a", "10GB"), [node("n", [{ model: "H100-80GB", modes: ["vgpu", "mps"] }])]),
    "It asks for strong isolation on a shared GPU; the GPUs that it may use offer mps, vgpu, and nothing of that isolates so much there now.",
  );
  // A manifest like this is refused before it is stored; what a reservation adds later is held against the cap too.
  const over = shared("a", "8GB", { qosClass: "bronze" }).map((request) => ({ ...request, memberBytes: [9 * 2 ** 30] }));
  assert.equal(refusalOf(over, [h100("n")]), "It needs 9.7 GB on a shared GPU; its class allows 8.6 GB.");
});

test("a partition that stands keeps its MIG instance while that is enough, and one that does not run moves to a larger one", () => {
  const nodes = [h100("n")];
  const planOf = (wanted: readonly InstanceRequest[], more: Partial<PartitionWorld> = {}): readonly AnyPartition[] =>
    planPartitions({ wanted, untouched: new Set(), known: [], nodes, seen: [], quarantined: [], ...more }).desired.map(
      ({ partition }) => partition,
    );
  const migOf = (partitions: readonly AnyPartition[]): readonly string[] =>
    partitions.map(({ mig }) => (mig === null ? "none" : formatPlacement(mig)));
  const known = planOf([...strong("a", "10GB"), ...strong("b", "20GB")]);
  assert.deepEqual(migOf(known), ["1g@6", "1g-double@4"]);
  const wanted = [...strong("a", "8GB"), ...strong("b", "30GB")];
  assert.deepEqual(migOf(planOf(wanted, { known })), ["1g@6", "3g@0"]);
  const runs = known.map(({ instance }) => ({ instance, usedBytes: 1e9 }));
  const seen = [
    { ...known.flatMap(({ node: at, gpu }) => (at === null ? [] : [{ node: at, gpu }]))[0], health: "ok" as const, holders: runs },
  ];
  const held = seen.flatMap(({ node: at, gpu, ...rest }) => (at === undefined || gpu === undefined ? [] : [{ node: at, gpu, ...rest }]));
  assert.deepEqual(migOf(planOf(wanted, { known, seen: held })), ["1g@6", "1g-double@4"]);
});

test("shares of two modes that stand on one GPU since before keep their modes", () => {
  const nodes = [h100("n")];
  const wanted = [...shared("a", "20GB", { isolation: "medium" }), ...shared("b", "20GB")];
  const plan = (known: readonly AnyPartition[]): readonly AnyPartition[] =>
    planPartitions({ wanted, untouched: new Set(), known, nodes, seen: [], quarantined: [] }).desired.map(({ partition }) => partition);
  const mixed = plan([]).map((partition) =>
    partition.node !== null && partition.service === "b" ? { ...partition, mode: "mps" as const } : partition,
  );
  const modes = (partitions: readonly AnyPartition[]): readonly string[] =>
    partitions.map(({ service, mode, gpu }) => `${service} ${mode} ${gpu}`);
  assert.deepEqual(modes(mixed), ["a vgpu 0", "b mps 0"]);
  assert.deepEqual(modes(plan(mixed)), ["a vgpu 0", "b mps 0"]);
});

const anyShared = (index: number) =>
  fc
    .record({
      gigabytes: fc.integer({ min: 5, max: 79 }),
      isolation: fc.constantFrom("none", "medium", "strong"),
      tier: fc.constantFrom("silver", "gold"),
    })
    .map(({ gigabytes, isolation, tier }) => shared(`s${index}`, `${gigabytes}GB`, { isolation, tier, coldStandby: { gpuCount: 0 } }));

test("placed shares isolate as asked, are cut in one mode a GPU, and MIG instances of a GPU are a legal layout", () => {
  const services = fc.tuple(...Array.from({ length: 12 }, (_, index) => anyShared(index)));
  fc.assert(
    fc.property(services, fc.integer({ min: 1, max: 4 }), (wanted, count) => {
      const { placed } = placeInstances(wanted.flat(), { nodes: [h100("n", count)], held: [], lost: [], quarantined: [] });
      const members = placed.flatMap(({ request, members: own }) => own.map((member) => ({ request, member })));
      for (const on of Map.groupBy(members, ({ member }) => placeKey(member)).values()) {
        assert.equal(new Set(on.map(({ member }) => member.mode)).size, 1);
        assert.ok(isLegal(on.flatMap(({ member }) => member.mig ?? [])));
        assert.ok(on.reduce((sum, { member }) => sum + member.memoryBytes, 0) <= 80e9);
        for (const { request, member } of on) {
          assert.ok(isolationRank(PARTITION_MODES[member.mode].isolation) >= isolationRank(request.isolation));
          assert.ok(member.memoryBytes >= (request.memberBytes[0] ?? 0));
          assert.equal(member.mode === "mig", member.mig !== null);
        }
        assert.equal(new Set(on.map(({ request }) => serviceName(request.service))).size, on.length);
      }
    }),
  );
});
