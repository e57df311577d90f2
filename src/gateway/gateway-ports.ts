import type { GatewayId } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { GatewayLink } from "../ports/gateway-link.ts";
import type { GatewayMemory } from "../ports/gateway-memory.ts";
import type { Host } from "../ports/host.ts";
import type { KeyDigest } from "../ports/key-digest.ts";
import type { Random } from "../ports/random.ts";
import type { Upstream } from "../ports/upstream.ts";

/** All that the data plane touches outside itself. */
export interface GatewayPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly host: Host;
  readonly upstream: Upstream;
  readonly link: GatewayLink;
  readonly memory: GatewayMemory;
  readonly keyDigest: KeyDigest;
  readonly eventLog: EventLog;
}

export interface GatewayOptions {
  readonly id: GatewayId;
  readonly pid: number;
}

// Enough for a 128k-token prompt as text several times over; its scan stays far below 50 ms.
export const BODY_BYTES_MAX = 4 * 1_048_576;
/** Request bodies in memory at once, all clients together. */
export const BODIES_BYTES_MAX = 256 * 1_048_576;
/** A whole answer is kept until it is complete, so that a death in its middle can be retried. */
export const ANSWER_BYTES_MAX = 8 * 1_048_576;
export const HOLD_COUNT_MAX = 1_000;
export const HOLD_BYTES_MAX = 64 * 1_048_576;
