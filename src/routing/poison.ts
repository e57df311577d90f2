import type { EjectionCause } from "../api/link-message.ts";
import type { MonotonicMs, ServiceName } from "../base/ids.ts";
import type { EndpointKey } from "./health.ts";

/** Deaths so near to each other have one cause, and it is no request, which runs in one engine at a time: a zone, a rack, an injected fault. */
export const ONE_FAULT_MS = 100;

/** The death of one engine as one gateway saw it. */
export interface EngineDeath {
  readonly engine: EndpointKey;
  readonly service: ServiceName;
  /** Its node, or the host of an engine that has none. */
  readonly machine: string;
  readonly zone: string | null;
  /** It died between `at`, its last sign of life, and `seenAt`. A reset tells the moment, silence does not. */
  readonly at: MonotonicMs;
  readonly seenAt: MonotonicMs;
}

/** A death with a certain request in flight there. */
export interface DeathUnder extends EngineDeath {
  /** The engine made at least one step after the request began there: a request that has only just come cannot be what killed it. */
  readonly hasStepped: boolean;
}

/** Every death that a gateway saw since `since`; what was before is not known, and blames nobody. */
interface DeathHistory {
  readonly since: MonotonicMs;
  readonly deaths: readonly EngineDeath[];
}

/**
 * May the request be what killed its engines?
 * The last of `deaths` (oldest first, all of this request's body) must have come after a step of its own, and an earlier one must share
 * neither machine nor zone with it. A death that came together with that of an engine under which the body did not run counts for nothing.
 */
export function isPoison(deaths: readonly DeathUnder[], history: DeathHistory): boolean {
  const last = deaths.at(-1);
  if (last === undefined || deaths.length < 2 || !last.hasStepped) return false;
  // Two of its own may follow each other fast: a request that kills at its first step is back after milliseconds.
  const own = new Set(deaths.map(({ engine }) => engine));
  const others = history.deaths.filter(({ engine }) => !own.has(engine));
  const isAlone = (death: EngineDeath): boolean =>
    death.at - ONE_FAULT_MS >= history.since && !others.some((other) => mayBeOneFault(other, death));
  if (!isAlone(last)) return false;
  return deaths.slice(0, -1).some((earlier) => isAlone(earlier) && !sharesPlace(earlier, last));
}

/** Does an ejection for this cause mean that what was in flight there was in flight at a death? */
export function meansDeath(cause: EjectionCause): boolean {
  switch (cause) {
    // A closed port while a request is open there: the process is gone.
    case "refused":
    case "reset":
    case "cut":
    case "silent":
    case "no-progress":
      return true;
    // It answers, only badly.
    case "5xx":
    case "malformed":
    case "stall":
      return false;
  }
}

const mayBeOneFault = (a: EngineDeath, b: EngineDeath): boolean => a.at - b.seenAt <= ONE_FAULT_MS && b.at - a.seenAt <= ONE_FAULT_MS;

const sharesPlace = (a: EngineDeath, b: EngineDeath): boolean => a.machine === b.machine || (a.zone !== null && a.zone === b.zone);
