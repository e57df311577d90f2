import type { Kind, Resource, ResourceDraft } from "../../api/resource.ts";
import { assert, unreachable } from "../../base/assert.ts";
import type { Uid, WallMs } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { isSameJson } from "../../base/same-json.ts";
import type { StoreChange, StoreError } from "../../ports/cluster-store.ts";
import { copyJson } from "./copy-json.ts";

/** Every write that a store knows, one form for all adapters. */
export type Change =
  | { readonly verb: "create"; readonly draft: ResourceDraft }
  | { readonly verb: "write-spec"; readonly draft: ResourceDraft; readonly version: string }
  | { readonly verb: "write-status"; readonly kind: Kind; readonly name: string; readonly status: JsonObject; readonly version: string }
  | { readonly verb: "remove"; readonly kind: Kind; readonly name: string };

/** What a store adds to a written object. */
export interface Stamp {
  readonly version: string;
  readonly uid: Uid;
  readonly at: WallMs;
}

export const changeOf = (change: StoreChange): Change => {
  if (change.verb === "remove") return change;
  if (change.verb === "status") {
    const { kind, name, status, version } = change;
    return { verb: "write-status", kind, name, status, version };
  }
  if (change.version === null) return { verb: "create", draft: change.draft };
  return { verb: "write-spec", draft: change.draft, version: change.version };
};

export const targetOf = (change: Change): { readonly kind: Kind; readonly name: string } =>
  change.verb === "create" || change.verb === "write-spec" ? change.draft : change;

/**
 * The object after `change`, or null when it is removed. The same object (identical) = nothing changes:
 * a write of what is there already keeps the version, as Kubernetes does, so that no loop wakes itself.
 */
export function decideChange(current: Resource | null, change: Change, stamp: Stamp): Result<Resource | null, StoreError> {
  const { kind, name } = targetOf(change);
  if (change.verb === "create") {
    if (current !== null) return err({ code: "ALREADY_EXISTS", kind, name });
    return ok({ ...written(change.draft), uid: stamp.uid, version: stamp.version, generation: 1, createdAt: stamp.at, status: null });
  }
  if (current === null) return err({ code: "NOT_FOUND", kind, name });
  if (change.verb === "remove") return ok(null);
  if (change.version !== current.version) return err({ code: "CONFLICT", kind, name });
  switch (change.verb) {
    case "write-spec": {
      const isSpecSame = isSameJson(current.spec, change.draft.spec);
      if (isSpecSame && isSameJson(current.labels, change.draft.labels) && isSameJson(current.annotations, change.draft.annotations)) {
        return ok(current);
      }
      return ok({ ...current, ...written(change.draft), version: stamp.version, generation: current.generation + (isSpecSame ? 0 : 1) });
    }
    case "write-status":
      if (current.status !== null && isSameJson(current.status, change.status)) return ok(current);
      return ok({ ...current, status: copyJson(change.status), version: stamp.version });
    default:
      return unreachable(change, "decideChange");
  }
}

const written = (draft: ResourceDraft): ResourceDraft => ({
  kind: draft.kind,
  name: draft.name,
  labels: Object.freeze({ ...draft.labels }),
  annotations: Object.freeze({ ...draft.annotations }),
  spec: copyJson(draft.spec),
});

/** The one resource that a single write gives. */
export function only(applied: Result<readonly Resource[], StoreError>): Result<Resource, StoreError> {
  if (!applied.ok) return applied;
  const [resource] = applied.value;
  assert(resource !== undefined, "a write of one object gives that object");
  return ok(resource);
}
