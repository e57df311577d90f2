import type { GpuApplicationMode } from "../api/fault.ts";
import type { EventClass, EventDraw } from "./ladder-event.ts";

/** From little more than a driver needs to longer than a cold start may wait. */
const TEARDOWN_MS = { min: 400, max: 12_000 };
const teardownMs = ({ next }: EventDraw): number => Math.round(TEARDOWN_MS.min + next() * (TEARDOWN_MS.max - TEARDOWN_MS.min));

const xid = (number: 13 | 31 | 94, mode: GpuApplicationMode): EventClass => ({
  name: `xid-${number}`,
  draw: () => ({ kind: "xid", mode }),
});

/** Sparser than all else together, which they must leave room for. */
export const GPU_FAULT_GAP_MEAN_MS = { min: 2_000, max: 15_000 };

/**
 * What GPUs and their drivers do to single engines. Beside the classes that every seed draws from, and drawn of a chance of their own: a seed
 * without them is what it always was.
 */
export const GPU_FAULT_CLASSES: readonly EventClass[] = [
  xid(13, "graphics_exception"),
  xid(31, "mmu_fault"),
  xid(94, "ecc_uncorrectable_contained"),
  {
    name: "driver-slow",
    draw: (chance) => {
      const gpu = chance.pick([null, 0, 1]);
      return { kind: "slow-teardown", node: chance.place.node, gpu, teardownMs: teardownMs(chance), forMs: chance.forMs };
    },
  },
  {
    name: "engine-killed-slow-driver",
    draw: (chance) => ({ kind: "die-slowly", teardownMs: teardownMs(chance), forMs: chance.forMs }),
  },
];
