import type { JsonObject } from "../base/json.ts";
import type { Uid, WallMs } from "../base/ids.ts";

export const API_VERSION = "inference.example.com/v1";

/** Every kind that is stored. `AttachedEngine` and `ApiKey` have no manifest form yet. */
export const KINDS = [
  "HotStandbyConfig",
  "GPUNode",
  "GPUPartition",
  "GPURelocation",
  "FailoverRecord",
  "ApiKey",
  "AttachedEngine",
  "ReservationMap",
  "Lease",
] as const;
export type Kind = (typeof KINDS)[number];

/** Path segment of a kind, as in `/apis/inference.example.com/v1/hotstandbyconfigs`. */
export const PLURALS: Readonly<Record<Kind, string>> = {
  HotStandbyConfig: "hotstandbyconfigs",
  GPUNode: "gpunodes",
  GPUPartition: "gpupartitions",
  GPURelocation: "gpurelocations",
  FailoverRecord: "failoverrecords",
  ApiKey: "apikeys",
  AttachedEngine: "attachedengines",
  ReservationMap: "reservationmaps",
  Lease: "leases",
};

/** One stored object, as written: defaults are applied by the kind's parser at each read. */
export interface Resource {
  readonly kind: Kind;
  readonly name: string;
  readonly uid: Uid;
  /** Changes at every write that changes something; opaque; the token of compare-and-set. */
  readonly version: string;
  /** Grows by one when the spec changes, never by a status write. */
  readonly generation: number;
  readonly createdAt: WallMs;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: JsonObject;
  readonly status: JsonObject | null;
}

/** What a user writes: a resource before it is stored. */
export type ResourceDraft = Pick<Resource, "kind" | "name" | "labels" | "annotations" | "spec">;

/** Kubernetes form. `type` is unique in its list. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase, stable: what programs compare. */
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}
