import type { Fault } from "../api/fault.ts";
import type { InstanceName } from "../base/ids.ts";
import type { Result } from "../base/result.ts";

/** Injects faults into engines. A fault ends by itself after `forMs`: the dead man of every drill. */
export interface FaultInjector {
  ensure(
    target: InstanceName,
    fault: Fault,
    forMs: number,
  ): Promise<Result<null, { readonly code: "NOT_INJECTED"; readonly reason: string }>>;
  remove(target: InstanceName): Promise<void>;
}
