import { assert } from "../base/assert.ts";
import { createLadderEyes } from "./ladder-view.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import type { World } from "./world.ts";

const STEP_MS = 100;

/** Lets time pass until every service is as it was configured; throws with the reason when that takes longer. */
export async function untilWhole(world: World, withinMs = 60_000): Promise<void> {
  const eyes = createLadderEyes(world, []);
  const untilMs = world.clock.monotonicMs() + withinMs;
  for (;;) {
    const view = await eyes.look();
    const reasons = view === null ? ["Nothing is stored."] : view.services.map((service) => whyNotWhole(service, view.records));
    const reason = reasons.find((one) => one !== null);
    if (reason === undefined) return;
    assert(world.clock.monotonicMs() < untilMs, `whole in time, but ${reason}`);
    await world.clock.advance(STEP_MS);
  }
}
