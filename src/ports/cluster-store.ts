import type { JsonObject } from "../base/json.ts";
import type { Result } from "../base/result.ts";
import type { Kind, Resource, ResourceDraft } from "../api/resource.ts";

export type StoreError =
  | { readonly code: "CONFLICT"; readonly kind: Kind; readonly name: string }
  | { readonly code: "NOT_FOUND"; readonly kind: Kind; readonly name: string }
  | { readonly code: "ALREADY_EXISTS"; readonly kind: Kind; readonly name: string }
  /** `unknown`: the write may or may not be there; look again before acting. */
  | { readonly code: "UNAVAILABLE"; readonly applied: "no" | "unknown"; readonly reason: string };

export interface Listing {
  readonly items: readonly Resource[];
  /** How old this knowledge is at most; 0 for a store that answers itself. */
  readonly ageMs: number;
}

/** Only says "look": at least once per change, names only, may repeat, may merge. */
export type WatchListener = (change: { readonly kind: Kind; readonly name: string }) => void;

/**
 * The only durable state. Promises no more than Kubernetes does. What it gives out is frozen, and one object for each version: an object
 * that was not written is the same one at every read, and so is the list of a kind of which none was.
 */
export interface ClusterStore {
  get(kind: Kind, name: string): Promise<Result<Resource, StoreError>>;
  list(kind: Kind): Promise<Result<Listing, StoreError>>;
  create(draft: ResourceDraft): Promise<Result<Resource, StoreError>>;
  /** Replaces labels, annotations and spec; generation + 1 when the spec differs. CONFLICT when `version` is not the stored one. */
  writeSpec(draft: ResourceDraft, version: string): Promise<Result<Resource, StoreError>>;
  /** Replaces the status only. CONFLICT when `version` is not the stored one. */
  writeStatus(
    of: { readonly kind: Kind; readonly name: string },
    status: JsonObject,
    version: string,
  ): Promise<Result<Resource, StoreError>>;
  remove(kind: Kind, name: string): Promise<Result<null, StoreError>>;
  /**
   * All or nothing: every change or none, each checked as its single form would be.
   * `version: null` = create.
   */
  applyAll(changes: readonly StoreChange[]): Promise<Result<readonly Resource[], StoreError>>;
  watch(listener: WatchListener): { stop(): void };
  close(): Promise<void>;
}
export type StoreChange =
  | { readonly verb: "put"; readonly draft: ResourceDraft; readonly version: string | null }
  | { readonly verb: "status"; readonly kind: Kind; readonly name: string; readonly status: JsonObject; readonly version: string }
  | { readonly verb: "remove"; readonly kind: Kind; readonly name: string };
