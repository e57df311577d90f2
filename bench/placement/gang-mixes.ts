import type { PlacementShape } from "../../src/placement/fleet-index.ts";
import { seeded } from "../failover/seeded.ts";
import { milliOf } from "./arrivals.ts";
import type { Life } from "./come-and-leave.ts";
import { LIFETIME_MAX_SECONDS } from "./departures.ts";
import type { Trace } from "./read-openb.ts";

/** CPU and host memory that an inference engine is given for each whole GPU, and at least. */
const CPU_MILLI_PER_GPU = 6_000;
const MEMORY_MIB_PER_GPU = 32_768;

/** Of a hundred requests: engines that share a GPU, that have one, and tensor-parallel ones over 2, 4 and 8 GPUs of one node. */
const INFERENCE: readonly (readonly [count: number, gpuCount: number, gpuMilli: number])[] = [
  [20, 1, 250],
  [20, 1, 500],
  [24, 1, 1_000],
  [16, 2, 1_000],
  [12, 4, 1_000],
  [8, 8, 1_000],
];

export const INFERENCE_SHAPES: readonly PlacementShape[] = INFERENCE.flatMap(([count, gpuCount, gpuMilli]) => {
  const gpus = (gpuCount * gpuMilli) / 1_000;
  const shape = { cpuMilli: CPU_MILLI_PER_GPU * gpus, memoryMib: MEMORY_MIB_PER_GPU * gpus, gpuCount, gpuMilli, models: [] };
  return Array.from({ length: count }, () => shape);
});

/** Each shape many times, with lifetimes of the trace's that know nothing of the shape: no list of gangs has times. */
export function livesOfShapes(shapes: readonly PlacementShape[], { lifetimesSeconds }: Trace): readonly Life<PlacementShape>[] {
  const random = seeded(LIFETIME_SEED);
  return Array.from({ length: LIVES }, (_, at) => {
    const asked = shapes[at % shapes.length];
    const seconds = lifetimesSeconds[Math.floor(random() * lifetimesSeconds.length)] ?? null;
    if (asked === undefined || seconds === null) throw new Error("Gangs need shapes, and a trace with times for their lifetimes.");
    return { asked, seconds: Math.min(Math.max(1, seconds), LIFETIME_MAX_SECONDS), weight: milliOf(asked) };
  });
}

const LIVES = 10_000;
const LIFETIME_SEED = 1;
