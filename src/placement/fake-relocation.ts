import type { GpuNode } from "../api/gpu-node.ts";
import type { GpuRelocation, RelocationPlace } from "../api/gpu-relocation.ts";
import { formatPlacement, isLegal } from "../api/mig-layout.ts";
import { gpuRelocationSpec, parseGpuRelocation } from "../api/parse-gpu-relocation.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { assert } from "../base/assert.ts";
import { instanceName, type InstanceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { isSameJson } from "../base/same-json.ts";
import { nextRelocation, NO_ORDERS, type SeenPartition } from "./next-relocation.ts";
import { planPartitions, type AnyPartition, type PartitionWorld, type SeenGpu } from "./plan-partitions.ts";
import { planRelocation } from "./plan-relocation.ts";
import { placeKey, type InstanceRequest } from "./placement-request.ts";
import { requestsOf } from "./requests-of.ts";

// The allocator's looks on a small fleet, and what engines make of them. Every plan is checked for what may never be.

export function node(name: string, count: number, use = "main", spec: JsonObject = {}): GpuNode {
  const read = parseGpuNode({ name, labels: { use }, spec: { gpus: [{ model: "H100-80GB", count }], ...spec } });
  assert(read.ok, "the node of a test reads");
  return read.value;
}
export function service(name: string, memory: string, spec: JsonObject = {}): readonly InstanceRequest[] {
  const model = { name, weights: "4GB" };
  const read = parseHotStandbyConfig({
    name,
    spec: { tenant: name, tier: "silver", model, hotStandby: { memoryReserved: memory }, ...spec },
  });
  assert(read.ok, `the config of a test reads: ${JSON.stringify(read)}`);
  return requestsOf(read.value).map((request) => ({ ...request, nodeSelector: { use: "main" } }));
}
export const strong = (name: string, memory: string, spec: JsonObject = {}) => service(name, memory, { isolation: "strong", ...spec });
/** A warm instance, and the hot one of its service on another node. */
export const warmOf = (requests: readonly InstanceRequest[]): readonly InstanceRequest[] =>
  requests.flatMap((request) => [
    { ...request, level: "warm", instance: instanceName(`${request.service}-warm-1`) },
    { ...request, nodeSelector: { use: "twins" } },
  ]);
/** A reserve alone. */
export const coldOf = (requests: readonly InstanceRequest[]): readonly InstanceRequest[] =>
  requests.map((request) => ({ ...request, level: "cold", instance: instanceName(`${request.service}-cold-1`) }));

export interface Stage {
  nodes: readonly GpuNode[];
  wanted: readonly InstanceRequest[];
  known: readonly AnyPartition[];
  /** By instance: its GPUs. */
  running: Map<InstanceName, readonly string[]>;
  relocation: GpuRelocation | null;
  mayBegin: boolean;
  elapsedMs: number;
}
export const stageOf = (nodes: readonly GpuNode[]): Stage => ({
  nodes: [...nodes, node("twins", 16, "twins")],
  wanted: [],
  known: [],
  running: new Map(),
  relocation: null,
  mayBegin: true,
  elapsedMs: 0,
});

export function worldOf({ nodes, wanted, known, running }: Stage): PartitionWorld {
  const seen = nodes.flatMap(({ name, gpus }) =>
    gpus.map(({ index }): SeenGpu => {
      const key = placeKey({ node: name, gpu: index });
      const holders = [...running].filter(([, at]) => at.includes(key)).map(([instance]) => ({ instance, usedBytes: 1e9 }));
      return { node: name, gpu: index, health: "ok", holders };
    }),
  );
  return { wanted, untouched: new Set(), known, nodes, seen, quarantined: [] };
}

const seenOf = ({ known, running }: Stage): readonly SeenPartition[] =>
  known.flatMap(({ node: on, gpu, mig, instance }) => {
    if (on === null) return [];
    const isRunning = isReserve(instance) || running.get(instance)?.includes(placeKey({ node: on, gpu })) === true;
    return [{ node: on, gpu, mig, instance, isRunning }];
  });

const isReserve = (instance: InstanceName): boolean => instance.includes("-cold-");

/** One look of the controller, and what engines make of it. @param refusal what the driver says to this look. */
export function look(
  stage: Stage,
  { refusal = null, isStuck = false }: { readonly refusal?: string | null; readonly isStuck?: boolean } = {},
): void {
  const { relocation } = stage;
  const move =
    relocation === null ? null : nextRelocation(relocation, { seen: seenOf(stage), elapsedMs: stage.elapsedMs, refusal, moot: null });
  if (relocation !== null && move !== null) {
    const status = { ...move.status, startedAt: "now", endedAt: move.isEnded ? "now" : null };
    stage.relocation = { ...relocation, status };
  }
  const world = { ...worldOf(stage), orders: move?.orders ?? NO_ORDERS };
  const plan = planPartitions(world);
  checkPlan(
    stage,
    plan.desired.map(({ partition }) => partition),
  );
  stage.known = plan.desired.map(({ partition }) => partition);
  if (!isStuck) runEngines(stage);
  if (stage.relocation === null && stage.mayBegin) {
    const begun = planRelocation(world, plan);
    if (begun === null) return;
    const spec = gpuRelocationSpec({ ...begun, status: null });
    const journal = parseGpuRelocation({ name: begun.name, spec, status: null });
    assert(journal.ok && isSameJson(journal.value, { ...begun, status: null }), `the journal is read as it was written: ${begun.name}`);
    stage.relocation = journal.value;
  }
}

/** Who must leave is drained, one of a service at a time; who may stay runs. */
function runEngines({ known, running }: Stage): void {
  const engines = known.filter(({ instance }) => !isReserve(instance));
  for (const [service, own] of Map.groupBy(engines, (partition) => partition.service)) {
    const leaving = own.find((partition) => partition.node !== null && partition.leaving !== null && running.has(partition.instance));
    if (leaving !== undefined) {
      const others = own.filter(({ instance }) => instance !== leaving.instance && running.has(instance));
      assert(others.length > 0, `${leaving.instance} is not all that ${service} has`);
      running.delete(leaving.instance);
    }
    for (const [instance, members] of Map.groupBy(own, (partition) => partition.instance))
      if (members.every((partition) => partition.node !== null && partition.leaving === null))
        running.set(
          instance,
          members.flatMap((partition) => (partition.node === null ? [] : [placeKey(partition)])),
        );
  }
}

/** What may never be, whatever is on its way. */
function checkPlan({ running }: Stage, partitions: readonly AnyPartition[]): void {
  const placed = partitions.flatMap((partition) => (partition.node === null ? [] : [partition]));
  for (const [key, on] of Map.groupBy(placed, placeKey)) {
    assert(isLegal(on.flatMap(({ mig }) => mig ?? [])), `${key} has a legal layout`);
    assert(new Set(on.map(({ mode }) => mode)).size === 1, `${key} has one mode`);
    assert(on[0]?.mode !== "exclusive" || on.length === 1, `${key} has one holder`);
    assert(on.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) <= 80e9, `${key} is not promised twice`);
  }
  for (const [instance, keys] of running) {
    const own = placed.filter((partition) => partition.instance === instance).map(placeKey);
    assert(isSameJson(own, keys), `${instance} runs at ${keys.join(" ")} and has ${own.join(" ")}`);
  }
}

/** Adds services one after the other, each placed and running before the next comes. */
export function grow(stage: Stage, ...services: readonly (readonly InstanceRequest[])[]): void {
  for (const requests of services) {
    stage.wanted = [...stage.wanted, ...requests];
    look(stage);
  }
}
/** Its config asks for something else now. */
export function change(stage: Stage, requests: readonly InstanceRequest[]): void {
  const changed = new Map(requests.map((request) => [request.instance, request]));
  stage.wanted = stage.wanted.map((request) => changed.get(request.instance) ?? request);
  look(stage);
}
/** The service and its engines go. */
export function leave(stage: Stage, ...services: readonly string[]): void {
  stage.wanted = stage.wanted.filter(({ service: of }) => !services.includes(of));
  for (const instance of stage.running.keys()) if (services.some((of) => instance.startsWith(`${of}-`))) stage.running.delete(instance);
  look(stage);
}

export const at = ({ node: on, gpu, mig }: RelocationPlace): string => `${on}/${gpu}${mig === null ? "" : ` ${formatPlacement(mig)}`}`;
export function placesOf({ known }: Stage): Record<string, string> {
  const shown = known.filter(({ node: on }) => on !== "twins");
  return Object.fromEntries(
    [...Map.groupBy(shown, ({ instance }) => instance)].map(([instance, members]) => [
      instance,
      members.map(({ node: on, gpu, mig }) => (on === null ? "nowhere" : at({ node: on, gpu, mig }))).join(" + "),
    ]),
  );
}
export const begun = (stage: Stage): GpuRelocation | null => stage.relocation;
/** Looks until the relocation is over. @returns how it ended. */
export function finish(stage: Stage): string {
  for (let turn = 0; turn < 60 && begun(stage)?.status?.endedAt == null; turn += 1) look(stage);
  return begun(stage)?.status?.phase ?? "nothing was begun";
}
