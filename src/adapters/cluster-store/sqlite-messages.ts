import type { Kind, Resource } from "../../api/resource.ts";
import type { Uid, WallMs } from "../../base/ids.ts";
import type { Result } from "../../base/result.ts";
import type { Listing, StoreError } from "../../ports/cluster-store.ts";
import type { Change } from "./decide-change.ts";

/** Why a state file could not be opened; nothing was changed in it. */
export type StoreOpenError =
  /** Another process has it open; `holderPid` is null when that process left no word. */
  | { readonly code: "LOCKED"; readonly path: string; readonly holderPid: number | null; readonly reason: string }
  /** Damaged, or not ours. Never replaced silently: it is the only copy of the state. */
  | { readonly code: "CORRUPT"; readonly path: string; readonly reason: string }
  /** Sound, but not usable here: no permission, no space, written by a newer version. */
  | { readonly code: "UNUSABLE"; readonly path: string; readonly reason: string };

/** What the store's worker is asked. Uids are drawn by the caller, one for each change, so that the worker needs no chance. */
export type StoreQuestion =
  | { readonly ask: "get"; readonly kind: Kind; readonly name: string }
  | { readonly ask: "list"; readonly kind: Kind }
  | { readonly ask: "apply"; readonly changes: readonly Change[]; readonly uids: readonly Uid[]; readonly at: WallMs }
  | { readonly ask: "close" };

export interface Applied {
  readonly written: readonly Resource[];
  readonly changed: readonly { readonly kind: Kind; readonly name: string }[];
}

/** One answer form for each question, so that the caller needs no cast. */
export type StoreAnswer =
  | { readonly answer: "get"; readonly result: Result<Resource, StoreError> }
  | { readonly answer: "list"; readonly result: Result<Listing, StoreError> }
  | { readonly answer: "apply"; readonly result: Result<Applied, StoreError> }
  | { readonly answer: "close" };

export interface ToStoreWorker {
  readonly id: number;
  readonly question: StoreQuestion;
}
export type FromStoreWorker =
  | { readonly type: "opened" }
  | { readonly type: "refused"; readonly error: StoreOpenError }
  | { readonly type: "answered"; readonly id: number; readonly answer: StoreAnswer };
