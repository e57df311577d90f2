import type { GpuPartition } from "../api/gpu-partition.ts";
import type { Resource } from "../api/resource.ts";
import type { InstanceName, ServiceName, TenantId } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import { explainViolation, findViolations, NO_USE, type UseLedger, type Violation } from "../failover/find-violations.ts";
import type { ViolationView } from "../failover/instance-look.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
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
}

interface WatchPorts {
  readonly store: ClusterStore;
  readonly driver: Pick<GpuDriver, "observe">;
  readonly clock: Clock;
  readonly log: EventLog;
}

/** A taker must be ended within 2 s of its first step too many: the window of the judgement is most of that. */
const LOOK_EACH_MS = 250;
/** Instances come and go; the longest counted ones are dropped first. */
const COUNTS_MAX = 1_000;

/** @param kick asks for a look at the service of whoever was found. */
export function createIsolationWatch(ports: WatchPorts, kick: (instance: InstanceName) => void): IsolationWatch {
  let ledger: UseLedger = NO_USE;
  let standing: ReadonlyMap<InstanceName, ViolationView> = new Map();
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
      const shares = sharedIn(await listAll(ports.store, "GPUPartition"));
      if (shares.length === 0) {
        ledger = NO_USE;
        standing = new Map();
        return null;
      }
      const observed = await ports.driver.observe();
      // With the driver away nothing is known, and nobody accused.
      if (!observed.ok) return { afterMs: LOOK_EACH_MS };
      const judged = findViolations(ledger, { nowMs: ports.clock.monotonicMs(), gpus: observed.value, shares });
      ledger = judged.ledger;
      const before = standing;
      standing = standingAfter(before, judged.violations, observed.value);
      for (const violation of judged.violations) {
        if (before.get(violation.instance)?.pid === violation.pid) continue;
        found(violation);
        kick(violation.instance);
      }
      return { afterMs: LOOK_EACH_MS };
    },
    violationOf: (instance) => standing.get(instance) ?? null,
    counts: () => [...counts.values()],
  };
}

/** Only those that others stand beside, or may. */
const sharedIn = oncePer((items: readonly Resource[]): readonly GpuPartition[] =>
  items.flatMap((resource) => {
    const partition = readPartition(resource);
    if (!partition.ok || partition.value.node === null || partition.value.mode === "exclusive") return [];
    // Written a moment ago, the driver may not know it yet.
    return partition.value.phase === "Pending" ? [] : [partition.value];
  }),
);

/** What was found of a process holds until it is gone: one that stops when it is looked at has done it all the same. */
function standingAfter(
  before: ReadonlyMap<InstanceName, ViolationView>,
  found: readonly Violation[],
  gpus: readonly { readonly holders: readonly { readonly instance: InstanceName; readonly pid: number }[] }[],
): ReadonlyMap<InstanceName, ViolationView> {
  const pids = new Map(gpus.flatMap(({ holders }) => holders.map(({ instance, pid }) => [`${instance}#${pid}`, true] as const)));
  const kept = [...before].filter(([instance, { pid }]) => pids.has(`${instance}#${pid}`));
  const added = found.map((violation) => [violation.instance, { pid: violation.pid, what: explainViolation(violation) }] as const);
  return new Map([...added, ...kept]);
}
