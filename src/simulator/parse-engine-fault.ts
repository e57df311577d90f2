import type { Fault, FaultKind } from "../api/fault.ts";
import { FAULT_KINDS, GRABBED_BYTES_MAX } from "../api/fault.ts";
import { isJsonObject, type JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { badRequest, type EngineError } from "./engine-error.ts";

/** A fault and how long it lasts. */
export interface FaultOrder {
  readonly fault: Fault;
  readonly forMs: number;
}

const FOR_MS_MAX = 24 * 3_600_000;
/** Each kind's number, and its range. */
const NUMBERS: Readonly<Partial<Record<FaultKind, readonly [name: string, low: number, high: number]>>> = {
  stall: ["afterTokens", 0, 1_000_000],
  truncate: ["afterTokens", 0, 1_000_000],
  reset: ["afterTokens", 0, 1_000_000],
  slow: ["factor", 1, 1_000],
  "slow-wake": ["factor", 1, 1_000],
  "error-ratio": ["ratio", 0, 1],
  "grabs-memory": ["bytes", 1, GRABBED_BYTES_MAX],
};

/** `{"fault": Fault, "forMs": number}`. */
export function parseFaultOrder(body: JsonObject): Result<FaultOrder, EngineError> {
  const { fault, forMs } = body;
  if (typeof forMs !== "number" || !(forMs > 0 && forMs <= FOR_MS_MAX)) {
    return err(badRequest(`forMs must be more than 0 and at most ${FOR_MS_MAX}.`, "forMs"));
  }
  const kind = isJsonObject(fault) ? fault["kind"] : undefined;
  const known = FAULT_KINDS.find((one) => one === kind);
  if (!isJsonObject(fault) || known === undefined) {
    return err(badRequest(`fault.kind must be one of ${FAULT_KINDS.join(", ")}.`, "fault.kind"));
  }
  const number = NUMBERS[known];
  if (number === undefined) return ok({ fault: { kind: known } as Fault, forMs });
  const [name, low, high] = number;
  const value = fault[name];
  if (typeof value !== "number" || !(value >= low && value <= high)) {
    return err(badRequest(`fault.${name} must be a number from ${low} to ${high}.`, `fault.${name}`));
  }
  return ok({ fault: { kind: known, [name]: value } as Fault, forMs });
}
