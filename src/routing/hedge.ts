import type { RouteTable } from "../api/route-table.ts";
import { endpointKey, type EndpointKey } from "./health.ts";
import { chooseEndpoint, onlyOf, readyEndpoints, type Choice, type LadderView } from "./ladder.ts";
import { prefillMs } from "./patience.ts";

/** Sooner it is no help: a step of a full batch, a tick of ours and a second dispatch take as long. */
export const HEDGE_FLOOR_MS = 250;
/** Until so many first tokens were seen nobody knows what is usual. */
export const HEDGE_SAMPLES_MIN = 20;
/** What is usual varies: one in twenty is later than p95 on a good day, and must not cost a second call. */
const USUAL_FACTOR = 1.5;
const SAMPLES_MAX = 256;

/** How long first tokens of one service took beyond the reading of their prompts: the newest few hundred. */
export class FirstTokenWaits {
  readonly #samplesMs = new Float64Array(SAMPLES_MAX);
  #seen = 0;

  add(tookMs: number, promptTokens: number): void {
    this.#samplesMs[this.#seen % SAMPLES_MAX] = Math.max(0, tookMs - prefillMs(promptTokens));
    this.#seen += 1;
  }

  /** After so long a first token is late enough to ask another engine too; null = too few were seen. */
  hedgeAfterMs(promptTokens: number): number | null {
    const count = Math.min(this.#seen, SAMPLES_MAX);
    if (count < HEDGE_SAMPLES_MIN) return null;
    const p95Ms = this.#samplesMs.slice(0, count).sort()[Math.ceil(count * 0.95) - 1] ?? 0;
    return Math.max(HEDGE_FLOOR_MS, USUAL_FACTOR * p95Ms) + prefillMs(promptTokens);
  }
}

export type HedgeRefusal = "tier" | "budget" | "overload" | "panic" | "no-room";

/** What to do about a first token that is late. */
export type LateAttempt =
  | { readonly kind: "hedge"; readonly choice: Choice }
  /** It waits on where it is. */
  | { readonly kind: "stay"; readonly why: HedgeRefusal };

export interface HedgeBudgets {
  /** The soft-retry budget has room, and what real failures need stays in it. */
  readonly canHedge: boolean;
  /** Others of this service wait for room. */
  readonly isQueueAhead: boolean;
}

/**
 * May a request whose first token is late be sent to another engine as well? Platinum alone, and only what costs nobody anything: within the
 * budget, while most engines are in, to one that is well and has room.
 */
export function decideHedge(
  { tried }: { readonly tried: readonly EndpointKey[] },
  table: RouteTable,
  view: LadderView & { readonly budgets: HedgeBudgets },
): LateAttempt {
  const { health, woken, budgets } = view;
  if (table.tier !== "platinum") return stay("tier");
  if (!budgets.canHedge) return stay("budget");
  if (budgets.isQueueAhead) return stay("overload");
  const ready = readyEndpoints(table, woken);
  if (ready.filter((one) => health.ejectionOf(one) === null).length * 2 < ready.length) return stay("panic");
  const others = onlyOf(table, (one) => !tried.includes(endpointKey(one)) && !health.isDoubted(one));
  const choice = chooseEndpoint(others, view, tried);
  return choice === null || choice.isCrowded ? stay("no-room") : { kind: "hedge", choice };
}

const stay = (why: HedgeRefusal): LateAttempt => ({ kind: "stay", why });
