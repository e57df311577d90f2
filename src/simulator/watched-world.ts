import { assert } from "../base/assert.ts";
import type { LadderWatch } from "./ladder-checks.ts";
import type { LadderView } from "./ladder-view.ts";
import type { World } from "./world.ts";

/** A world and who looks at it while time passes there. */
export interface WatchedWorld {
  readonly world: Pick<World, "clock">;
  readonly watch: LadderWatch;
}

/** Lets so much time pass, with a look after every step; nothing for no time or less. */
export async function passWatched({ world, watch }: WatchedWorld, forMs: number, lookEveryMs: number): Promise<void> {
  const untilMs = world.clock.monotonicMs() + forMs;
  for (let leftMs = forMs; leftMs > 0; leftMs = untilMs - world.clock.monotonicMs()) {
    await world.clock.advance(Math.min(lookEveryMs, leftMs));
    await watch.look();
  }
}

/** Looks until it is so. @returns false = it is not, after `limitMs`. */
export async function waitWatched(
  { world, watch }: WatchedWorld,
  { limitMs, lookEveryMs }: { readonly limitMs: number; readonly lookEveryMs: number },
  isTrue: (view: LadderView) => boolean | Promise<boolean>,
): Promise<boolean> {
  const untilMs = world.clock.monotonicMs() + limitMs;
  while (world.clock.monotonicMs() < untilMs) {
    const view = await watch.look();
    if (view !== null && (await isTrue(view))) return true;
    await world.clock.advance(lookEveryMs);
  }
  return false;
}

/** What is there now; the truth's store answers whatever faults stand before the control plane's. */
export async function lookNow({ watch }: Pick<WatchedWorld, "watch">): Promise<LadderView> {
  const view = await watch.look();
  assert(view !== null, "the world's store answers those who only look");
  return view;
}
