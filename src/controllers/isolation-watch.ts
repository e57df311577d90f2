import type { GpuPartition } from "../api/gpu-partition.ts";
import type { Resource } from "../api/resource.ts";
import type { InstanceName, ServiceName, TenantId } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import { explainViolation, findViolations, NO_USE, type UseLedger, type Violation } from "../failover/find-violations.ts";
import { gpuKey, type ViolationView } from "../failover/instance-look.ts";
import { PARTITION_MODES } from "../placement/partition-modes.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { GpuDriver, ObservedGpu } from "../ports/gpu-driver.ts";
import { createLookTurns } from "./look-turns.ts";
import { listAll } from "./observe-service.ts";
import { readPartition } from "./read-stored.ts";
import type { Requeue } from "./requeue.ts";

/** How often an instance was found to take more than it was granted, since this process began. */
export interface ViolationCount {
  readonly tenant: TenantId;
  readonly service: ServiceName;
  readonly instance: InstanceName;
  readonly what: Violation["what"];
  readonly count: number;
}

/** Compares what the driver sees of shared GPUs with what was promised, outside of the engines that are judged. */
export interface IsolationWatch {
  /** One look at all; null = nothing is shared. */
  look(): Promise<Requeue | null>;
  /** Of the process that runs, as long as it does. */
  violationOf(instance: InstanceName): ViolationView | null;
  counts(): readonly ViolationCount[];
  /** How often each shared GPU is looked at now. */
  everyMs(): number;
}

interface WatchPorts {
  readonly store: ClusterStore;
  readonly driver: Pick<GpuDriver, "observe">;
  readonly clock: Clock;
  readonly log: EventLog;
}

/** A taker must be ended within 2 s of its first step too many: the window of the judgement is most of that. */
const LOOK_EACH_MS = 250;
/** An answer about so many is made, sent and read in a few milliseconds. Of more each is looked at less often, and found later. */
const GPUS_A_LOOK_MAX = 256;
/** Instances come and go; the longest counted ones are dropped first. */
const COUNTS_MAX = 1_000;

/** @param kick asks for a look at the service of whoever was found. */
export function createIsolationWatch(ports: WatchPorts, kick: (instance: InstanceName) => void): IsolationWatch {
  let ledger: UseLedger = NO_USE;
  let standing: ReadonlyMap<InstanceName, Standing> = new Map();
  let everyMs = LOOK_EACH_MS;
  const turns = createLookTurns(GPUS_A_LOOK_MAX);
  const counts = new Map<string, ViolationCount>();

  function found(violation: Violation): void {
    const { tenant, service, instance, pid, node, gpu, what, granted, used } = violation;
    const key = `${instance} ${what}`;
    const count = (counts.get(key)?.count ?? 0) + 1;
    counts.delete(key);
    counts.set(key, { tenant, service, instance, what, count });
    const [oldest] = counts.keys();
    if (counts.size > COUNTS_MAX && oldest !== undefined) counts.delete(oldest);
    const fields = { instance, tenant, service, pid, node, gpu, what, granted: Math.round(granted), used: Math.round(used) };
    ports.log.record({ level: "warn", event: "isolation.violation", fields });
  }

  return {
    async look() {
      const shared = sharedIn(await listAll(ports.store, "GPUPartition"));
      if (shared.keys.size === 0) {
        ledger = NO_USE;
        standing = new Map();
        return null;
      }
      everyMs = LOOK_EACH_MS * Math.ceil(shared.keys.size / GPUS_A_LOOK_MAX);
      const suspects = new Map([...standing.values()].map(({ at }) => [gpuKey(at), at] as const));
      const looked = turns.next(shared.keys, new Set(suspects.keys()));
      const observed = await ports.driver.observe(looked.flatMap((key) => shared.sharesOf.get(key)?.[0] ?? suspects.get(key) ?? []));
      // With the driver away nothing is known, and nobody accused.
      if (!observed.ok) return { afterMs: LOOK_EACH_MS };
      const shares = looked.flatMap((key) => shared.sharesOf.get(key) ?? []);
      const judged = findViolations(ledger, { nowMs: ports.clock.monotonicMs(), everyMs, gpus: observed.value, shares });
      ledger = judged.ledger;
      const before = standing;
      standing = standingAfter(before, judged.violations, { looked: new Set(looked), gpus: observed.value });
      for (const violation of judged.violations) {
        if (before.get(violation.instance)?.pid === violation.pid) continue;
        found(violation);
        kick(violation.instance);
      }
      return { afterMs: LOOK_EACH_MS };
    },
    violationOf: (instance) => standing.get(instance) ?? null,
    counts: () => [...counts.values()],
    everyMs: () => everyMs,
  };
}

type GpuPlace = Pick<GpuPartition, "node" | "gpu">;
/** Who was found, and where. */
interface Standing extends ViolationView {
  readonly at: GpuPlace;
}

/** GPUs that are cut softly: there others stand beside a holder, or may, and hardware does not keep it to its share. */
const sharedIn = oncePer((items: readonly Resource[]) => {
  const shares = items.flatMap((resource) => {
    const partition = readPartition(resource);
    if (!partition.ok || partition.value.node === null || PARTITION_MODES[partition.value.mode].isHard) return [];
    // Written a moment ago, the driver may not know it yet.
    return partition.value.phase === "Pending" ? [] : [partition.value];
  });
  const sharesOf: ReadonlyMap<string, readonly GpuPartition[]> = Map.groupBy(shares, gpuKey);
  return { sharesOf, keys: new Set(sharesOf.keys()) };
});

/** What was found of a process holds until it is gone: one that stops when it is looked at has done it all the same. */
function standingAfter(
  before: ReadonlyMap<InstanceName, Standing>,
  found: readonly Violation[],
  { looked, gpus }: { readonly looked: ReadonlySet<string>; readonly gpus: readonly ObservedGpu[] },
): ReadonlyMap<InstanceName, Standing> {
  const pids = new Set(gpus.flatMap((gpu) => gpu.holders.map(({ instance, pid }) => `${instance}#${pid} ${gpuKey(gpu)}`)));
  const isGone = (instance: InstanceName, { pid, at }: Standing): boolean =>
    looked.has(gpuKey(at)) && !pids.has(`${instance}#${pid} ${gpuKey(at)}`);
  const kept = [...before].filter(([instance, one]) => !isGone(instance, one));
  const added = found.map((violation) => {
    const { instance, pid, node, gpu } = violation;
    return [instance, { pid, what: explainViolation(violation), at: { node, gpu } }] as const;
  });
  return new Map([...added, ...kept]);
}
