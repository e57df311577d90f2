import type { Kind, Resource } from "../../api/resource.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ClusterStore } from "../../ports/cluster-store.ts";
import { INSTANCE_KINDS, instanceRowsOf } from "../instance-rows.ts";
import type { InstanceRow } from "../instance-table.ts";

export interface Readiness {
  readonly rows: readonly InstanceRow[];
  /** Ready, or asleep as their config asks. */
  readonly inPlaceCount: number;
  /** Every service has been looked at, and no instance is still on its way. */
  readonly isSettled: boolean;
}

// Waiting for room, or quarantined: told in the table, not waited for.
// Draining: a warm instance that was verified goes to sleep next.
const ON_ITS_WAY: ReadonlySet<string> = new Set(["Starting", "Waking", "Verifying", "Draining"]);
const IN_PLACE: ReadonlySet<string> = new Set(["Ready", "Asleep"]);
// What does not come by then is shown as it is.
const WAIT_MS = 20_000;
// A gateway that joins changes nothing in the store.
const LOOK_EVERY_MS = 100;
const PENDING_WAIT_MS = 3_000;

/**
 * Tells of each instance that is in place, Ready or asleep; resolves when all have settled and a gateway knows it, or at the latest after 20 s.
 * @param isRouted every joined gateway has the tables in force, and there is one.
 */
export async function watchReady(
  ports: { readonly store: ClusterStore; readonly clock: Clock; readonly isRouted: () => boolean },
  told: (row: InstanceRow, readiness: Readiness) => void,
  signal: AbortSignal,
): Promise<Readiness> {
  const { store, clock, isRouted } = ports;
  const seenInPlace = new Set<string>();
  const startedAt = clock.monotonicMs();
  let wake = (): void => undefined;
  const watch = store.watch(() => wake());
  try {
    for (;;) {
      const changed = new AbortController();
      wake = () => changed.abort();
      const waitedMs = clock.monotonicMs() - startedAt;
      const readiness = await readReadiness(store, waitedMs);
      for (const row of readiness.rows.filter(
        (candidate) => IN_PLACE.has(candidate.instance.state) && !seenInPlace.has(candidate.instance.name),
      )) {
        seenInPlace.add(row.instance.name);
        told(row, readiness);
      }
      if ((readiness.isSettled && isRouted()) || waitedMs > WAIT_MS || signal.aborted) return readiness;
      await clock.sleep(LOOK_EVERY_MS, AbortSignal.any([changed.signal, signal]));
    }
  } finally {
    watch.stop();
  }
}

async function readReadiness(store: ClusterStore, waitedMs: number): Promise<Readiness> {
  const resources = (await Promise.all(INSTANCE_KINDS.map((kind) => readAll(store, kind)))).flat();
  const rows = instanceRowsOf(resources);
  const isLookedAt = resources.every((resource) => resource.status !== null);
  const isOnItsWay = rows.some(
    ({ instance }) => ON_ITS_WAY.has(instance.state) || (instance.state === "Pending" && waitedMs < PENDING_WAIT_MS),
  );
  return { rows, inPlaceCount: rows.filter(({ instance }) => IN_PLACE.has(instance.state)).length, isSettled: isLookedAt && !isOnItsWay };
}

async function readAll(store: ClusterStore, kind: Kind): Promise<readonly Resource[]> {
  const listed = await store.list(kind);
  return listed.ok ? listed.value.items : [];
}
