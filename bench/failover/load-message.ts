import type { ChatTarget } from "./chat-call.ts";
import type { Mix } from "./mix.ts";
import type { Reference } from "./prompts.ts";
import type { RequestRecord } from "./request-record.ts";

/** Open: arrivals of a Poisson stream, whatever the answers do. Closed: so many in flight, always. */
export type Pace = { readonly kind: "open"; readonly ratePerSecond: number } | { readonly kind: "closed"; readonly inFlight: number };

export interface LoadOrder {
  readonly target: ChatTarget;
  readonly model: string;
  readonly mix: Mix;
  readonly pace: Pace;
  readonly seed: number;
  /** false = every request has a connection of its own. */
  readonly keepsAlive?: boolean;
  readonly references: readonly Reference[];
}

/** To the client process. */
export type LoadCommand = { readonly type: "start"; readonly order: LoadOrder } | { readonly type: "stop" };

/** From the client process; `progress` every 50 ms. */
export type LoadReport =
  | { readonly type: "listening" }
  | {
      readonly type: "progress";
      readonly records: readonly RequestRecord[];
      readonly sent: number;
      readonly inFlight: number;
      /** Every request that arrived earlier has ended. */
      readonly settledBeforeMs: number;
    }
  | { readonly type: "stopped" };
