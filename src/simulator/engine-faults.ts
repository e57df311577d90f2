import type { Fault, FaultKind } from "../api/fault.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import { NO_CUTS, type AnswerCuts } from "./engine-answer.ts";

/** The faults that are on now, each until its time is over. One of a kind: a second replaces the first. */
export interface EngineFaults {
  set(fault: Fault, forMs: number): void;
  clear(): void;
  has(kind: FaultKind): boolean;
  readonly isHung: boolean;
  readonly slowFactor: number;
  readonly slowWakeFactor: number;
  /** Bytes on each GPU that it holds beyond its partition. */
  readonly grabbedBytes: number;
  readonly cuts: AnswerCuts;
  /** Counts one new request; true for exactly the share of them that must fail. */
  failsRequest(): boolean;
}

/** @param onChange called after each change, expiry included, with the kinds that changed. */
export function createEngineFaults(clock: Clock, onChange: (kinds: readonly FaultKind[]) => void): EngineFaults {
  const active = new Map<FaultKind, { readonly fault: Fault; readonly timer: Timer }>();
  let failureShare = 0;

  const find = <Kind extends FaultKind>(kind: Kind): Extract<Fault, { kind: Kind }> | null => {
    const fault = active.get(kind)?.fault;
    return fault !== undefined && isOfKind(fault, kind) ? fault : null;
  };
  const expire = (kind: FaultKind): void => {
    active.delete(kind);
    onChange([kind]);
  };

  return {
    set: (fault, forMs) => {
      active.get(fault.kind)?.timer.cancel();
      active.set(fault.kind, { fault, timer: clock.after(forMs, () => expire(fault.kind)) });
      onChange([fault.kind]);
    },
    clear: () => {
      const kinds = [...active.keys()];
      for (const { timer } of active.values()) timer.cancel();
      active.clear();
      onChange(kinds);
    },
    has: (kind) => active.has(kind),
    get isHung() {
      return active.has("hang");
    },
    get slowFactor() {
      return find("slow")?.factor ?? 1;
    },
    get slowWakeFactor() {
      return find("slow-wake")?.factor ?? 1;
    },
    get grabbedBytes() {
      return find("grabs-memory")?.bytes ?? 0;
    },
    get cuts() {
      return {
        ...NO_CUTS,
        stallAfterTokens: find("stall")?.afterTokens ?? null,
        truncateAfterTokens: find("truncate")?.afterTokens ?? null,
        resetAfterTokens: find("reset")?.afterTokens ?? null,
      };
    },
    failsRequest: () => {
      failureShare += find("error-ratio")?.ratio ?? 0;
      if (failureShare < 1) return false;
      failureShare -= 1;
      return true;
    },
  };
}

const isOfKind = <Kind extends FaultKind>(fault: Fault, kind: Kind): fault is Extract<Fault, { kind: Kind }> => fault.kind === kind;
