import type { Kind, Resource } from "../../api/resource.ts";
import { uid } from "../../base/ids.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ClusterStore, Listing, StoreError } from "../../ports/cluster-store.ts";
import { changeOf, decideChange, only, targetOf, type Change } from "./decide-change.ts";
import { createListings } from "./listings.ts";
import { createWatchers } from "./watchers.ts";

const CLOSED: StoreError = { code: "UNAVAILABLE", applied: "no", reason: "the store is closed" };

/** Lives and dies with the process. Uids and versions are counted, so that one seed gives one history. */
export function createMemoryStore(clock: Pick<Clock, "wallMs">): ClusterStore {
  const stored = new Map<string, Resource>();
  const listings = createListings();
  const watchers = createWatchers();
  let isClosed = false;
  let revision = 0;
  let created = 0;

  function apply(changes: readonly Change[]): Result<readonly Resource[], StoreError> {
    if (isClosed) return err(CLOSED);
    const after = new Map<string, Resource | null>();
    const results: Resource[] = [];
    for (const [index, change] of changes.entries()) {
      const { kind, name } = targetOf(change);
      const key = keyOf(kind, name);
      const pending = after.get(key);
      const current = pending === undefined ? (stored.get(key) ?? null) : pending;
      const stamp = { version: `${revision + index + 1}`, uid: countedUid(created + index + 1), at: clock.wallMs() };
      const decided = decideChange(current, change, stamp);
      if (!decided.ok) return decided;
      if (decided.value !== current) after.set(key, decided.value === null ? null : Object.freeze(decided.value));
      if (decided.value !== null) results.push(decided.value);
    }
    revision += changes.length;
    created += changes.length;
    for (const [key, resource] of after) {
      if (resource === null) stored.delete(key);
      else stored.set(key, resource);
    }
    const changed = changes.map(targetOf).filter(({ kind, name }) => after.has(keyOf(kind, name)));
    for (const target of changed) {
      listings.changed(target, stored.get(keyOf(target.kind, target.name)) ?? null);
    }
    void Promise.resolve(changed).then((told) => watchers.tell(told));
    return ok(results);
  }

  const single = async (change: Change): Promise<Result<Resource, StoreError>> => only(apply([change]));
  return {
    async get(kind, name) {
      if (isClosed) return err(CLOSED);
      const found = stored.get(keyOf(kind, name));
      return found === undefined ? err({ code: "NOT_FOUND", kind, name }) : ok(found);
    },
    list: async (kind) => (isClosed ? err(CLOSED) : ok(listings.of(kind) ?? listings.replace(kind, listingOf(kind, stored.values())))),
    create: (draft) => single({ verb: "create", draft }),
    writeSpec: (draft, version) => single({ verb: "write-spec", draft, version }),
    writeStatus: ({ kind, name }, status, version) => single({ verb: "write-status", kind, name, status, version }),
    async remove(kind, name) {
      const removed = apply([{ verb: "remove", kind, name }]);
      return removed.ok ? ok(null) : removed;
    },
    applyAll: async (changes) => apply(changes.map(changeOf)),
    watch: (listener) => watchers.watch(listener),
    async close() {
      isClosed = true;
      watchers.stopAll();
    },
  };
}

function listingOf(kind: Kind, stored: Iterable<Resource>): Listing {
  const items = [...stored].filter((resource) => resource.kind === kind);
  return { items: Object.freeze(items.toSorted((left, right) => (left.name < right.name ? -1 : 1))), ageMs: 0 };
}

const keyOf = (kind: Kind, name: string): string => `${kind}/${name}`;

/** In the form of a version 4 UUID, as Kubernetes shows them. */
const countedUid = (count: number): Resource["uid"] => uid(`00000000-0000-4000-8000-${count.toString(16).padStart(12, "0")}`);
