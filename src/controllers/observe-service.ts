import type { InstanceName, NodeName, ServiceName } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import type { Result } from "../base/result.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { Kind, Resource } from "../api/resource.ts";
import { serviceOfInstance } from "../failover/desired-instances.ts";
import type { Placement, RunningView } from "../failover/instance-look.ts";
import { isPlaced } from "../placement/plan-partitions.ts";
import { engineEnvironment } from "../placement/realise-partition.ts";
import type { ClusterStore, StoreError } from "../ports/cluster-store.ts";
import type { EngineLauncher, RunningEngine } from "../ports/engine-launcher.ts";
import { createEngineIndex } from "./engine-index.ts";
import { createListIndex } from "./list-index.ts";
import { readNodes, readPartition } from "./read-stored.ts";

/** Where the allocator put a service's instances, and what it could not place. */
export interface ServicePlacement {
  readonly placements: ReadonlyMap<InstanceName, Placement>;
  /** The smallest of an instance's partitions: what its engine may hold on each GPU. */
  readonly memoryBytes: ReadonlyMap<InstanceName, number>;
  /** What the process of an instance's engine is told of its shares; of instances that have a place. */
  readonly environments: ReadonlyMap<InstanceName, Readonly<Record<string, string>>>;
}

/** A store that cannot be read: the look is repeated with backoff. */
export function must<Value>(read: Result<Value, StoreError>, what: string): Value {
  if (read.ok) return read.value;
  throw new Error(`${what}: ${read.error.code}${read.error.code === "UNAVAILABLE" ? `, ${read.error.reason}` : ""}`);
}

export async function listAll(store: ClusterStore, kind: Kind): Promise<readonly Resource[]> {
  return must(await store.list(kind), `The list of ${kind}`).items;
}

/** @param memberCount partitions that one instance needs. */
export async function observePlacement(store: ClusterStore, service: ServiceName, memberCount: number): Promise<ServicePlacement> {
  const items = await listAll(store, "GPUPartition");
  const partitions = partitionsOf(store).group(items, service);
  const made = placementsMade(partitions);
  const known = made.get(memberCount) ?? placementIn(partitions, memberCount);
  made.set(memberCount, known);
  return known;
}

/** Those that can be read, by their service. */
const partitionsOf = oncePer((_store: ClusterStore) =>
  createListIndex((resource) => {
    const partition = readPartition(resource);
    return partition.ok ? { key: partition.value.service, value: partition.value } : null;
  }),
);

/** By the count of members. */
const placementsMade = oncePer((_partitions: readonly AnyPartition[]) => new Map<number, ServicePlacement>());

function placementIn(partitions: readonly AnyPartition[], memberCount: number): ServicePlacement {
  const byInstance = Map.groupBy(partitions, (partition) => partition.instance);
  const placements = [...byInstance].map(([instance, own]) => [instance, placementOf(own, memberCount)] as const);
  const memory = [...byInstance].map(([instance, own]) => [instance, Math.min(...own.map((p) => p.memoryBytes))] as const);
  const environments = [...byInstance].map(([instance, own]) => [instance, engineEnvironment(own.filter(isPlaced))] as const);
  return { placements: new Map(placements), memoryBytes: new Map(memory), environments: new Map(environments) };
}

export async function observeNodes(store: ClusterStore): Promise<ReadonlyMap<NodeName, GpuNode>> {
  return readNodes(await listAll(store, "GPUNode"));
}

/** Every engine that runs under the service's name. */
export async function observeEngines(launcher: EngineLauncher, service: ServiceName): Promise<ReadonlyMap<InstanceName, RunningView>> {
  return enginesOf(launcher).of(await launcher.observe(), service);
}

const enginesOf = oncePer((_launcher: EngineLauncher) => createEngineIndex(ownerOf));

/** A name that is no instance's belongs to a service of that name, which does not exist: so its engine is ended too. */
export const ownerOf = (engine: Pick<RunningEngine, "instance">): string => serviceOfInstance(engine.instance) ?? engine.instance;

type AnyPartition = Extract<ReturnType<typeof readPartition>, { ok: true }>["value"];

function placementOf(partitions: readonly AnyPartition[], memberCount: number): Placement {
  const refused = partitions.find((partition) => partition.node === null);
  if (refused !== undefined) return { kind: "refused", what: refused.refusal.what, why: refused.refusal.why };
  const bound = partitions.filter(isPlaced).filter(({ phase }) => phase === "Bound");
  if (bound.length !== memberCount) return { kind: "waiting" };
  const members = bound.map(({ node, gpu, name }) => ({ node, gpu, partition: name }));
  const leaving = bound.find((partition) => partition.leaving !== null)?.leaving ?? null;
  return { kind: "bound", members: members.toSorted((left, right) => left.gpu - right.gpu), leaving };
}
