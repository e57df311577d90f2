import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { Resource } from "../api/resource.ts";
import { later, type MonotonicMs, type ServiceName } from "../base/ids.ts";
import type { Result } from "../base/result.ts";
import { measuredRtoMs } from "../failover/vet-drafts.ts";
import { vetFleet, type Vetting } from "../failover/vet-fleet.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";

/** What the promises of the whole fleet are worth, worked out beside the looks: no failover waits for it. */
export interface PromiseWatch {
  /** As last worked out; null = not yet, or there is nothing to work it out from. */
  vettingOf(service: ServiceName): Vetting | null;
  /** Works it out again in the background, if that is long enough ago and anything has changed since. */
  refresh(): void;
  /** Nobody is told any more. */
  stop(): void;
}

const AGAIN_MS = 2_000;
/** So that arithmetic takes a twentieth of the process at most, however many services there are. */
const REST_PER_WORK = 19;

/** @param changed is told of each service of which something else holds than before. */
export function createPromiseWatch(
  ports: { readonly store: ClusterStore; readonly clock: Clock; readonly log: EventLog },
  changed: (service: ServiceName) => void,
): PromiseWatch {
  let known: ReadonlyMap<ServiceName, Vetting> = new Map();
  let seen = "";
  let listed: readonly (readonly Resource[])[] = [];
  let notBefore: MonotonicMs | null = null;
  let isAsking = false;
  let isEnded = false;

  async function work(): Promise<void> {
    const [configs, nodes, partitions] = await Promise.all([
      ports.store.list("HotStandbyConfig"),
      ports.store.list("GPUNode"),
      ports.store.list("GPUPartition"),
    ]);
    // What cannot be read now is looked at next time; until then the last answer stands.
    if (!configs.ok || !nodes.ok || !partitions.ok || isEnded) return;
    const lists = [configs.value.items, nodes.value.items, partitions.value.items];
    if (lists.every((items, index) => items === listed[index])) return;
    listed = lists;
    const stored = lists.flat();
    const lastRtoMs = measuredRtoMs(stored);
    const now = JSON.stringify([
      stored.map(({ kind, name, labels, annotations, spec }) => [kind, name, labels, annotations, spec]),
      [...lastRtoMs],
    ]);
    if (now === seen) return;
    seen = now;
    const before = known;
    const beganMs = ports.clock.monotonicMs();
    known = vetFleet({
      configs: valuesOf(configs.value.items, parseHotStandbyConfig),
      nodes: valuesOf(nodes.value.items, parseGpuNode),
      known: valuesOf(partitions.value.items, parseGpuPartition),
      lastRtoMs,
    });
    const endedMs = ports.clock.monotonicMs();
    notBefore = later(endedMs, Math.max(AGAIN_MS, (endedMs - beganMs) * REST_PER_WORK));
    for (const [service, vetting] of known) if (JSON.stringify(before.get(service)) !== JSON.stringify(vetting)) changed(service);
  }

  return {
    vettingOf: (service) => known.get(service) ?? null,
    refresh() {
      const nowMs = ports.clock.monotonicMs();
      if (isAsking || isEnded || (notBefore !== null && nowMs < notBefore)) return;
      isAsking = true;
      notBefore = later(nowMs, AGAIN_MS);
      void work()
        .catch((cause: unknown) => {
          const reason = cause instanceof Error ? cause.message : String(cause);
          ports.log.record({ level: "warn", event: "standby.promises-not-vetted", fields: { reason } });
        })
        .finally(() => {
          isAsking = false;
        });
    },
    stop: () => void (isEnded = true),
  };
}

const valuesOf = <Value>(resources: readonly Resource[], parse: (resource: Resource) => Result<Value, unknown>): readonly Value[] =>
  resources.flatMap((resource) => {
    const read = parse(resource);
    return read.ok ? [read.value] : [];
  });
