import { assert } from "../base/assert.ts";
import type { Random } from "../ports/random.ts";
import { EVENT_CLASSES, type EventClass, type EventDraw, type LadderEvent, type Place } from "./ladder-event.ts";

/** Stands alone: without the others it happens at the same time, and chooses whom it meets by the same number. */
export interface ScheduledEvent {
  /** From 1, in order of time; names it in `--events`. */
  readonly index: number;
  readonly className: string;
  /** After the load's start. */
  readonly atMs: number;
  readonly event: LadderEvent;
  /** 0 <= x < 1: whom it meets. */
  readonly aim: number;
}

/** Short enough that one fault meets another's recovery, and in other worlds long enough that it does not. */
const GAP_MEAN_MS = { min: 1_000, max: 5_000 };
const GAP_MIN_MS = 200;
const USUAL: Drawn = { classes: EVENT_CLASSES, gapMeanMs: GAP_MEAN_MS };
const FOR_MS = { min: 1_000, max: 15_000 };
/** Share of the classes that a world has at all: faults that come together often are seen only where others are absent. */
const SHARE = { min: 0.15, max: 1 };

interface DrawnWorld {
  readonly places: readonly [Place, ...Place[]];
  readonly loadMs: number;
}

/** What happens to one world, all of it drawn ahead: which classes it has and how often, when, and what (swarm testing, Groce 2012). */
export function drawSchedule(
  chance: Random,
  { places, loadMs }: DrawnWorld,
  { classes, gapMeanMs: gapsMs }: Drawn = USUAL,
): readonly ScheduledEvent[] {
  const draw = createDraw(chance, places);
  const weights = drawWeights(chance, classes);
  const gapMeanMs = between(chance, gapsMs);
  const schedule: ScheduledEvent[] = [];
  for (let atMs = nextGapMs(chance, gapMeanMs); atMs < loadMs; atMs += nextGapMs(chance, gapMeanMs)) {
    const { name, draw: drawEvent } = pickWeighted(chance, weights);
    schedule.push({ index: schedule.length + 1, className: name, atMs: Math.round(atMs), event: drawEvent(draw()), aim: chance.next() });
  }
  return schedule;
}

/** What is drawn, and how far apart on average in the densest world and in the sparsest. */
interface Drawn {
  readonly classes: readonly EventClass[];
  readonly gapMeanMs: { readonly min: number; readonly max: number };
}

/** Two schedules of one world, numbered anew. */
export const mergeSchedules = (one: readonly ScheduledEvent[], other: readonly ScheduledEvent[]): readonly ScheduledEvent[] =>
  [...one, ...other].toSorted((left, right) => left.atMs - right.atMs).map((scheduled, at) => ({ ...scheduled, index: at + 1 }));

type Weighted = { readonly of: EventClass; readonly weight: number };

function drawWeights(chance: Random, classes: readonly EventClass[]): readonly Weighted[] {
  const share = between(chance, SHARE);
  const drawn = classes.map((of) => ({ of, isOn: chance.next() < share, weight: 1 + Math.floor(chance.next() * 8) }));
  const on = drawn.filter(({ isOn }) => isOn);
  return on.length > 0 ? on : drawn;
}

function pickWeighted(chance: Random, weights: readonly Weighted[]): Weighted["of"] {
  let rest = chance.next() * weights.reduce((sum, { weight }) => sum + weight, 0);
  const found = weights.find(({ weight }) => (rest -= weight) < 0) ?? weights.at(-1);
  assert(found !== undefined, "a world has a class of events");
  return found.of;
}

/** Drawn evenly. */
export const between = (chance: Random, { min, max }: { readonly min: number; readonly max: number }): number =>
  min + chance.next() * (max - min);
const nextGapMs = (chance: Random, meanMs: number): number => GAP_MIN_MS - Math.log(1 - chance.next()) * meanMs;

/** What a class of events draws its event with. */
export const createDraw =
  (chance: Random, places: readonly [Place, ...Place[]]): (() => EventDraw) =>
  () => {
    const pick = <Item>(items: readonly [Item, ...Item[]]): Item => items[Math.floor(chance.next() * items.length)] ?? items[0];
    return { next: () => chance.next(), pick, place: pick(places), forMs: Math.round(between(chance, FOR_MS)) };
  };
