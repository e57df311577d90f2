import { fenceSpec, parseFence } from "../api/parse-lease.ts";
import type { Kind, Resource, ResourceDraft } from "../api/resource.ts";
import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore, StoreChange, StoreError } from "../ports/cluster-store.ts";
import type { Lease } from "./hold-lease.ts";

/** What a leader's writes must find unchanged in the store. It is no part of the lease, which changes with each renewal. */
export interface Fence {
  readonly draft: ResourceDraft;
  readonly version: string;
}

const KIND: Kind = "Lease";
const AGAIN_MS = 50;

/**
 * Makes the store refuse what earlier terms still write: the version that they name is gone.
 * @returns null = the lease was lost meanwhile, or a newer term has been here.
 */
export async function raiseFence(
  ports: { readonly store: ClusterStore; readonly clock: Clock },
  name: string,
  lease: Lease,
): Promise<Fence | null> {
  const draft = { kind: KIND, name, labels: {}, annotations: {}, spec: fenceSpec(lease.term) };
  while (lease.isHeld()) {
    const got = await ports.store.get(KIND, name);
    if (got.ok && parseFence(got.value) > lease.term) return null;
    const isNew = !got.ok && got.error.code === "NOT_FOUND";
    if (!lease.isHeld()) return null;
    const raised = isNew ? await ports.store.create(draft) : got.ok ? await ports.store.writeSpec(draft, got.value.version) : got;
    if (raised.ok) return { draft, version: raised.value.version };
    await ports.clock.sleep(AGAIN_MS, lease.lost);
  }
  return null;
}

/** Every write is one with the look at the fence: the store itself refuses a leader that it has seen the end of. */
export function fencedStore(store: ClusterStore, fence: Fence): ClusterStore {
  // As it stands there already: changes nothing, wakes nobody, and is CONFLICT when the version is another.
  const look: StoreChange = { verb: "put", draft: fence.draft, version: fence.version };
  const apply: ClusterStore["applyAll"] = async (changes) => {
    const applied = await store.applyAll([...changes, look]);
    if (applied.ok) return ok(applied.value.slice(0, -1));
    return err(isOfFence(applied.error, fence) ? DEPOSED : applied.error);
  };
  const single = async (change: StoreChange): Promise<Result<Resource, StoreError>> => {
    const applied = await apply([change]);
    if (!applied.ok) return applied;
    const [written] = applied.value;
    assert(written !== undefined, "a write of one object gives that object");
    return ok(written);
  };
  return {
    get: (kind, name) => store.get(kind, name),
    list: (kind) => store.list(kind),
    create: (draft) => single({ verb: "put", draft, version: null }),
    writeSpec: (draft, version) => single({ verb: "put", draft, version }),
    writeStatus: ({ kind, name }, status, version) => single({ verb: "status", kind, name, status, version }),
    async remove(kind, name) {
      const applied = await apply([{ verb: "remove", kind, name }]);
      return applied.ok ? ok(null) : applied;
    },
    applyAll: apply,
    watch: (listener) => store.watch(listener),
    close: () => store.close(),
  };
}

const isOfFence = (error: StoreError, { draft }: Fence): boolean =>
  (error.code === "CONFLICT" || error.code === "NOT_FOUND") && error.kind === KIND && error.name === draft.name;

const DEPOSED: StoreError = { code: "UNAVAILABLE", applied: "no", reason: "another control plane leads by now" };
