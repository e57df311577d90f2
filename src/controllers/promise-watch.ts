import type { Resource } from "../api/resource.ts";
import { later, type MonotonicMs, type ServiceName } from "../base/ids.ts";
import type { Result } from "../base/result.ts";
import { isSameJson } from "../base/same-json.ts";
import type { Steps } from "../base/steps.ts";
import { measuredRtoMs } from "../failover/vet-drafts.ts";
import { vetFleetInSteps, type Vetting } from "../failover/vet-fleet.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import { readConfig, readNodes, readPartition } from "./read-stored.ts";

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
/** A millisecond or two: so long a look may have to wait for arithmetic. */
const STEPS_A_SLICE = 150;

/** @param changed is told of each service of which something else holds than before. */
export function createPromiseWatch(
  ports: { readonly store: ClusterStore; readonly clock: Clock; readonly log: EventLog },
  changed: (service: ServiceName) => void,
): PromiseWatch {
  let known: ReadonlyMap<ServiceName, Vetting> = new Map();
  let seen: { readonly lists: readonly (readonly Resource[])[]; readonly rto: readonly unknown[] } = { lists: [], rto: [] };
  let notBefore: MonotonicMs | null = null;
  let isAsking = false;
  const ending = new AbortController();

  async function work(): Promise<void> {
    const [configs, nodes, partitions] = await Promise.all([
      ports.store.list("HotStandbyConfig"),
      ports.store.list("GPUNode"),
      ports.store.list("GPUPartition"),
    ]);
    // What cannot be read now is looked at next time; until then the last answer stands.
    if (!configs.ok || !nodes.ok || !partitions.ok || ending.signal.aborted) return;
    const lists = [configs.value.items, nodes.value.items, partitions.value.items];
    const lastRtoMs = measuredRtoMs(configs.value.items);
    if (lists.every((items, index) => isSameSet(items, seen.lists[index])) && isSameJson([...lastRtoMs], seen.rto)) return;
    seen = { lists, rto: [...lastRtoMs] };
    const before = known;
    const steps = vetFleetInSteps({
      configs: configs.value.items.flatMap(valueOf(readConfig)),
      nodes: [...readNodes(nodes.value.items).values()],
      known: partitions.value.items.flatMap(valueOf(readPartition)),
      lastRtoMs,
    });
    const worked = await inSlices(steps, ports.clock, ending.signal);
    if (worked === null) return;
    known = worked.value;
    notBefore = later(ports.clock.monotonicMs(), Math.max(AGAIN_MS, worked.tookMs * REST_PER_WORK));
    for (const [service, vetting] of known) if (!isSameJson(before.get(service), vetting)) changed(service);
  }

  return {
    vettingOf: (service) => known.get(service) ?? null,
    refresh() {
      const nowMs = ports.clock.monotonicMs();
      if (isAsking || ending.signal.aborted || (notBefore !== null && nowMs < notBefore)) return;
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
    stop: () => ending.abort(),
  };
}

/** Between slices, looks. null = the watch was stopped meanwhile. */
async function inSlices<Value>(
  steps: Steps<Value>,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly value: Value; readonly tookMs: number } | null> {
  let tookMs = 0;
  for (;;) {
    const beganMs = clock.monotonicMs();
    const value = sliceOf(steps);
    tookMs += clock.monotonicMs() - beganMs;
    if (value !== null) return { value: value.done, tookMs };
    await clock.sleep(0, signal);
    if (signal.aborted) return null;
  }
}

/** null = there is more to do. */
function sliceOf<Value>(steps: Steps<Value>): { readonly done: Value } | null {
  for (let count = 0; count < STEPS_A_SLICE; count += 1) {
    const step = steps.next();
    if (step.done === true) return { done: step.value };
  }
  return null;
}

/** The same but for statuses, which are all the time written. */
const isSameSet = (items: readonly Resource[], before: readonly Resource[] | undefined): boolean =>
  before !== undefined && items.length === before.length && items.every((resource, index) => isSameAsked(resource, before[index]));

function isSameAsked(one: Resource, other: Resource | undefined): boolean {
  if (one === other) return true;
  if (other === undefined || one.name !== other.name) return false;
  return isSameJson(one.spec, other.spec) && isSameJson(one.labels, other.labels) && isSameJson(one.annotations, other.annotations);
}

const valueOf =
  <Value>(read: (resource: Resource) => Result<Value, unknown>) =>
  (resource: Resource): readonly Value[] => {
    const value = read(resource);
    return value.ok ? [value.value] : [];
  };
