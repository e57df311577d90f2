import { assert } from "../base/assert.ts";
import type { Random } from "../ports/random.ts";
import { createDraw, type ScheduledEvent } from "./draw-schedule.ts";
import { EVENT_CLASSES, type LadderEvent, type Place } from "./ladder-event.ts";

export interface OutageFault {
  readonly className: string;
  readonly scheduled: ScheduledEvent;
  /** What it broke stays broken: nobody starts an engine without the store. */
  readonly isLasting: boolean;
  /** The instance that it meets; null = whom its aim says. */
  readonly target: string | null;
}

/** After these everything serves as before, without the control plane's help. */
const PASSING = [
  "engine-paused",
  "engine-hangs",
  "engine-slow",
  "stream-stalls",
  "some-5xx",
  "all-5xx",
  "stream-truncated",
  "stream-reset",
  "control-plane-killed-before-a-write",
  "gateway-killed",
  "planes-cut",
  "engine-cut-off",
  "gateway-cut-off",
  "link-slow",
  "link-loses",
  "link-cuts",
  "client-link-slow",
  "clients-gone",
] as const;
const LASTING = [
  "all-hot-killed",
  "engine-killed",
  "engines-killed",
  "engine-frozen",
  "garbage-after-wake",
  "failed-wake",
  "slow-wake",
  "gpu-lost",
  "node-lost",
  "zone-lost",
] as const;
/** Every hot engine of a service with a standby ends; the standby wakes well. */
export const ALL_HOT_KILLED: LadderEvent = { kind: "bad-wake", fault: { kind: "slow-wake", factor: 1 }, forMs: 1_000 };

/** The only hot engine of a service without a move left ends while its sleeper lives: nobody may wake that one. */
const UNGRANTED = "ungranted-hot-killed";

/** Every class of the fault table that has a meaning while nothing can be stored. */
export const OUTAGE_CLASSES: readonly string[] = [...PASSING, UNGRANTED, ...LASTING];

/** A platform that nobody mends bears few of them; classes take turns over the seeds. */
const LASTING_PER_SEED = 4;
/** The passing ones come while all engines live. */
const PASSING_SHARE = 0.7;
/** Room for a burst before and the recovery after. */
const MARGIN_MS = 60_000;

export interface Outage {
  readonly seed: number;
  readonly places: readonly [Place, ...Place[]];
  readonly outageMs: number;
  /** The only hot instance of a service without a move left. */
  readonly ungrantedHot: string;
  /** How many of the passing classes it has; without it: all. */
  readonly passing?: number;
}

/**
 * All that happens in one outage, in order of time after its start: each passing class once; then, while its sleeper still lives, what no
 * grant covers; and some lasting ones at its end.
 */
export function drawOutage(random: Random, outage: Outage): readonly OutageFault[] {
  const { seed, places, outageMs, ungrantedHot, passing = PASSING.length } = outage;
  const lasting = Array.from(
    { length: LASTING_PER_SEED },
    (_, at) => LASTING[(seed * LASTING_PER_SEED + at) % LASTING.length] ?? LASTING[0],
  );
  const draw = createDraw(random, places);
  const names = [...shuffled(PASSING, random).slice(0, passing), UNGRANTED, ...shuffled(lasting, random)];
  const split = outageMs * PASSING_SHARE;
  return names.map((className, at) => {
    const isLasting = at >= passing;
    const slot = isLasting
      ? { fromMs: split, widthMs: (outageMs - split) / (LASTING_PER_SEED + 1), at: at - passing }
      : { fromMs: 0, widthMs: split / passing, at };
    const roomMs = Math.max(0, slot.widthMs - 2 * MARGIN_MS);
    const atMs = slot.fromMs + slot.at * slot.widthMs + MARGIN_MS + random.next() * roomMs;
    const scheduled = { index: at + 1, className, atMs, event: eventOf(className, draw), aim: random.next() };
    return { className, isLasting, target: className === UNGRANTED ? ungrantedHot : null, scheduled };
  });
}

function eventOf(className: string, draw: ReturnType<typeof createDraw>): LadderEvent {
  if (className === "all-hot-killed") return ALL_HOT_KILLED;
  if (className === UNGRANTED) return { kind: "kill", count: 1 };
  const found = EVENT_CLASSES.find(({ name }) => name === className);
  assert(found !== undefined, `${className} is a class of events`);
  return found.draw(draw());
}

/** Fisher and Yates. */
function shuffled<Item>(items: readonly Item[], random: Random): readonly Item[] {
  const left = [...items];
  return items.flatMap(() => left.splice(Math.floor(random.next() * left.length), 1));
}
