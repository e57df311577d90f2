import type { InstanceName } from "../base/ids.ts";
import type { EndpointAddress } from "./route-table.ts";

/** An engine that somebody else runs: fronted and probed, never started, slept or ended. */
export interface AttachedEngine {
  readonly name: InstanceName;
  /** As given: `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly address: EndpointAddress;
}
