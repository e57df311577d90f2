import type { Epoch, Generation, GatewayId, InstanceName, KeyHash, KeyId, ServiceName, TenantId, Uid } from "../base/ids.ts";
import type { RouteTable } from "./route-table.ts";

export interface KeyEntry {
  readonly hash: KeyHash;
  readonly id: KeyId;
  readonly tenant: TenantId;
}

/** Control plane to gateway. After `welcome` everything is sent once as a whole, then only what changes. */
export type DownMessage =
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
  | { readonly type: "counts"; readonly services: readonly ServiceCounts[] };

/** Totals since the gateway started; the receiver takes differences. Sent each second. */
export interface ServiceCounts {
  readonly service: ServiceName;
  readonly requests: number;
  readonly failed: number;
  readonly inFlight: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
}
