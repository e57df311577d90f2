import type { KeyEntry } from "../api/link-message.ts";
import type { RouteTable } from "../api/route-table.ts";

/** What a gateway needs to serve when it starts alone. */
export interface GatewaySnapshot {
  readonly stateId: string;
  readonly tables: readonly RouteTable[];
  readonly keys: readonly KeyEntry[];
}

/** The gateway's own file: replaced as a whole, atomically, mode 0600. */
export interface GatewayMemory {
  /** null = none yet, or unreadable (a torn or foreign file is never half used). */
  load(): Promise<GatewaySnapshot | null>;
  /** Writes happen one at a time; only the newest waiting snapshot is kept. Rejects never; a full disk is reported by `false`. */
  save(snapshot: GatewaySnapshot): Promise<boolean>;
}
