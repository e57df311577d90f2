import type { EjectionCause } from "../api/link-message.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { InstanceName } from "../base/ids.ts";
import type { EngineDeath } from "../routing/poison.ts";

/** A death as the gateway keeps it. An engine that answers afterwards was not dead: then it is disproved. */
export interface DeathRecord {
  readonly death: EngineDeath;
  readonly instance: InstanceName;
  readonly address: EndpointAddress;
  readonly cause: EjectionCause;
  isDisproved: boolean;
  /** Whether the engine was asked after its death; who waits for the answer stands in `waiting`. */
  asked: "no" | "asking" | "yes";
  readonly waiting: (() => void)[];
  /** Bytes of bodies that were noted for it. */
  notedBytes: number;
}

/** A death with a certain request in flight there. */
export interface DeathUnderRequest {
  readonly record: DeathRecord;
  readonly hasStepped: boolean;
}
