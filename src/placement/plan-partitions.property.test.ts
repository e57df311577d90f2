import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GB } from "../base/bytes.ts";
import { nodeName, serviceName } from "../base/ids.ts";
import { isSameJson } from "../base/same-json.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { isPlaced, planPartitions, type AnyPartition, type PartitionWorld } from "./plan-partitions.ts";
import { placeKey, type GpuPlace, type InstanceRequest } from "./placement-request.ts";
import { requestsOf } from "./requests-of.ts";

const NODE_COUNT = 4;
const GPUS_PER_NODE = 2;
const SERVICE_COUNT = 5;

/** As it is labelled, and as it would be in another zone. */
const nodeWays = Array.from({ length: NODE_COUNT }, (_, index) =>
  [0, 1].map((shift) => {
    const labels = { "topology.kubernetes.io/zone": `z${(index + shift) % 2}` };
    const gpus = [{ model: "H100-80GB", count: GPUS_PER_NODE, ...(index === 0 ? { modes: ["exclusive", "mig"] } : {}) }];
    const read = parseGpuNode({ name: `n${index}`, labels, spec: { capacityType: index === 3 ? "spot" : "on-demand", gpus } });
    assert.ok(read.ok, JSON.stringify(read));
    return read.value;
  }),
);

/** What service `index` asks for, in its ways; the objects of one way are the same whenever it is asked for. */
const waysOf = (index: number): readonly (readonly InstanceRequest[])[] =>
  [
    { hot: 40, hotCount: 2, isShared: true, size: 1, isolation: "none" },
    { hot: 30, hotCount: 1, isShared: true, size: 1, isolation: "none" },
    { hot: 10, hotCount: 1, isShared: true, size: 1, isolation: "strong" },
    { hot: 160, hotCount: 1, isShared: false, size: 2, isolation: "none" },
  ].map(({ hot, hotCount, isShared, size, isolation }) => {
    const spec = {
      tenant: "t",
      tier: index % 2 === 0 ? "gold" : "silver",
      isolation,
      model: { name: `m${index}`, weights: "8GB", tensorParallelSize: size },
      hotStandby: { gpuCount: hotCount * size, memoryReserved: `${hot}GB`, gpuMemoryShare: isShared },
      warmStandby: { gpuCount: size, memoryReserved: `${hot}GB`, gpuMemoryShare: isShared },
      coldStandby: { gpuCount: size, memoryReserved: `${10 * size}GB` },
    };
    const read = parseHotStandbyConfig({ name: `s${index}`, spec });
    assert.ok(read.ok, JSON.stringify(read));
    return requestsOf(read.value);
  });
const ways = Array.from({ length: SERVICE_COUNT }, (_, index) => waysOf(index));

const place = fc.record({
  node: fc.nat(NODE_COUNT - 1).map((index) => nodeName(`n${index}`)),
  gpu: fc.nat(GPUS_PER_NODE - 1),
});
const step = fc.oneof(
  fc.record({ kind: fc.constant("ask" as const), service: fc.nat(SERVICE_COUNT - 1), way: fc.option(fc.nat(3)) }),
  fc.record({ kind: fc.constant("fail" as const), place }),
  fc.record({ kind: fc.constant("shun" as const), place, service: fc.nat(SERVICE_COUNT - 1) }),
  fc.record({ kind: fc.constant("hide" as const), service: fc.nat(SERVICE_COUNT - 1) }),
  fc.record({ kind: fc.constant("close" as const), place: fc.option(place) }),
  fc.record({ kind: fc.constant("run" as const), service: fc.nat(SERVICE_COUNT - 1) }),
  fc.record({ kind: fc.constant("relabel" as const), node: fc.nat(NODE_COUNT - 1) }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

interface State {
  readonly asked: Map<number, number>;
  readonly lost: Set<string>;
  readonly shunned: Map<string, GpuPlace & { readonly service: ReturnType<typeof serviceName> }>;
  readonly hidden: Set<number>;
  closed: GpuPlace | null;
  /** Services whose partitions have processes in them. */
  readonly running: Set<string>;
  readonly relabelled: Set<number>;
}

function take(state: State, change: Step): void {
  switch (change.kind) {
    case "ask":
      if (change.way === null) state.asked.delete(change.service);
      else state.asked.set(change.service, change.way);
      return;
    case "fail":
      return toggle(state.lost, placeKey(change.place));
    case "shun": {
      const key = `${change.service} ${placeKey(change.place)}`;
      if (!state.shunned.delete(key)) state.shunned.set(key, { ...change.place, service: serviceName(`s${change.service}`) });
      return;
    }
    case "hide":
      return toggle(state.hidden, change.service);
    case "close":
      state.closed = change.place;
      return;
    case "run":
      return toggle(state.running, `s${change.service}`);
    case "relabel":
      return toggle(state.relabelled, change.node);
  }
}

function toggle<Value>(set: Set<Value>, value: Value): void {
  if (!set.delete(value)) set.add(value);
}

function worldOf(state: State, known: readonly AnyPartition[]): PartitionWorld {
  const running = known.filter(isPlaced).filter(({ service }) => state.running.has(service));
  const nodes = nodeWays.flatMap((node, index) => node[state.relabelled.has(index) ? 1 : 0] ?? []);
  const wanted = [...state.asked].flatMap(([service, way]) => (state.hidden.has(service) ? [] : (ways[service]?.[way] ?? [])));
  return {
    wanted,
    untouched: new Set([...state.hidden].map((index) => serviceName(`s${index}`))),
    known,
    nodes,
    seen: nodes.flatMap(({ name, gpus }) =>
      gpus.map(({ index: gpu }) => ({
        node: name,
        gpu,
        health: state.lost.has(placeKey({ node: name, gpu })) ? ("lost" as const) : ("ok" as const),
        holders: running
          .filter((partition) => partition.node === name && partition.gpu === gpu)
          .map(({ instance }) => ({ instance, usedBytes: GB })),
      })),
    ),
    quarantined: [...state.shunned.values()],
    orders: { closed: state.closed === null ? [] : [state.closed], of: new Map(), wish: null },
  };
}

/** As a store does: what is as it was is the same object. */
function stored(next: readonly AnyPartition[], before: readonly AnyPartition[]): readonly AnyPartition[] {
  const known = new Map(before.map((partition) => [partition.name, partition]));
  return next.map((partition) => {
    const old = known.get(partition.name);
    return old !== undefined && isSameJson(old, partition) ? old : partition;
  });
}

test("whatever was planned before, a plan is that of the same world in objects that nobody has seen yet", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), (steps) => {
      const state: State = {
        asked: new Map(),
        lost: new Set(),
        shunned: new Map(),
        hidden: new Set(),
        running: new Set(),
        relabelled: new Set(),
        closed: null,
      };
      let known: readonly AnyPartition[] = [];
      for (const change of steps) {
        take(state, change);
        const world = worldOf(state, known);
        const plan = planPartitions(world);
        assert.deepEqual(plan, planPartitions(structuredClone(world)));
        known = stored([...plan.desired.map(({ partition }) => partition), ...plan.releasing], known);
      }
    }),
    { numRuns: 120 },
  );
});
