import type { Epoch, Generation, GatewayId, InstanceName, KeyHash, KeyId, ServiceName, TenantId, Uid } from "../base/ids.ts";
import type { AlertCounters } from "./alert-counters.ts";
import type { Level } from "./hot-standby-config.ts";
import type { RouteTable } from "./route-table.ts";

export interface KeyEntry {
  readonly hash: KeyHash;
  readonly id: KeyId;
  readonly tenant: TenantId;
}

/**
 * Control plane to gateway. After `welcome` everything is sent once as a whole, then only what changes. `term` is its sender's, as a
 * leader: a gateway that has heard of a newer one drops it. Absent = 0, older than all.
 */
export type DownMessage = DownWord & { readonly term?: number | undefined };
type DownWord =
  | { readonly type: "welcome"; readonly stateId: string }
  | { readonly type: "table"; readonly table: RouteTable }
  | { readonly type: "table-removed"; readonly uid: Uid }
  /** The whole key index: small, replaced at once. */
  | { readonly type: "keys"; readonly keys: readonly KeyEntry[] }
  /** Ends the first round: a gateway drops tables of its memory that were not repeated. */
  | { readonly type: "synced" };

export type EjectionCause = "refused" | "reset" | "cut" | "5xx" | "silent" | "no-progress" | "stall" | "malformed";

/** Gateway to control plane. */
export type UpMessage =
  | { readonly type: "hello"; readonly gateway: GatewayId; readonly pid: number; readonly address: string }
  | { readonly type: "ack"; readonly uid: Uid; readonly epoch: Epoch; readonly revision: number }
  | {
      readonly type: "ejected";
      readonly service: ServiceName;
      readonly instance: InstanceName;
      readonly uid: Uid;
      readonly generation: Generation;
      readonly cause: EjectionCause;
      /** Age of the observation when sent, so that clocks need not agree. */
      readonly ageMs: number;
    }
  | RungActivated
  | Episode
  | { readonly type: "counts"; readonly services: readonly ServiceCounts[] };

/** A gateway woke an instance, or could not. Repeated after each `synced` until a table says the same. */
export interface RungActivated {
  readonly type: "rung-activated";
  readonly service: ServiceName;
  readonly instance: InstanceName;
  readonly uid: Uid;
  readonly generation: Generation;
  /** lost = nobody above could serve; saturated = overflow, suspected = all that serve may be lost soon: neither is a failover. */
  readonly because: "lost" | "saturated" | "suspected";
  readonly outcome: "awake" | "failed";
  /** For people: why it failed; empty when it is awake. */
  readonly reason: string;
  readonly ageMs: number;
}

/**
 * One loss as one gateway saw it, measured on its own steady clock: from the first endpoint of the serving rung that was lost with
 * requests on it until its last affected request has its next good token. Sent when it changes, repeated after `synced`; newer replaces older.
 */
export interface Episode {
  readonly type: "episode";
  readonly service: ServiceName;
  /** Of the table under which it began. */
  readonly uid: Uid;
  readonly epoch: Epoch;
  /** Counts episodes of this service at this gateway. */
  readonly number: number;
  /** The instance whose loss began it, and how it was seen. */
  readonly instance: InstanceName;
  readonly cause: EjectionCause;
  readonly from: Level;
  /** Rung of the first good token afterwards; null before. */
  readonly to: Level | null;
  /** Ages when sent, so that clocks need not agree; null = has not happened. */
  readonly faultAgeMs: number;
  readonly detectedAgeMs: number;
  /** The instance that answered first was usable (a wake was verified, or it was Ready all along). */
  readonly targetReadyAgeMs: number | null;
  readonly firstGoodTokenAgeMs: number | null;
  /** The last of its requests was settled; null = it is not over. */
  readonly endedAgeMs: number | null;
  /** Requests in flight on the lost, or first tried there afterwards, or held for want of anybody. */
  readonly affected: number;
  readonly lost: number;
  /** Largest wait of an affected request: from the fault, or its arrival if later, to its next good token. null = none has one yet. */
  readonly rtoMs: number | null;
  readonly isOver: boolean;
}

/** Totals since the gateway started; the receiver takes differences. Sent each second. */
export interface ServiceCounts {
  readonly service: ServiceName;
  readonly requests: number;
  readonly failed: number;
  readonly inFlight: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Of first tokens in the last second; null = there were none. */
  readonly firstTokenP99Ms: number | null;
  /** null = a gateway of another version, which counts otherwise: nothing is judged by it. */
  readonly alertCounters: AlertCounters | null;
  /** The part of it that went to hot while traffic belonged to a rung below: what a failback's steps are judged by. */
  readonly returned: ReturnedCounts;
}

export interface ReturnedCounts {
  /** Sent there, first or again. */
  readonly requests: number;
  /** Failed there, also where another instance answered them afterwards. */
  readonly failed: number;
  /** As of the service. */
  readonly firstTokenP99Ms: number | null;
}

export const NONE_RETURNED: ReturnedCounts = { requests: 0, failed: 0, firstTokenP99Ms: null };
