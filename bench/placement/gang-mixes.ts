import type { PlacementShape } from "../../src/placement/fleet-index.ts";
import { seeded } from "../failover/seeded.ts";
import { milliOf } from "./arrivals.ts";
import type { Life } from "./come-and-leave.ts";
import { LIFETIME_MAX_SECONDS } from "./departures.ts";
import type { Trace } from "./read-openb.ts";

/** CPU and host memory of an inference engine, for each whole GPU. */
const CPU_MILLI_PER_GPU = 6_000;
const MEMORY_MIB_PER_GPU = 32_768;

type Row = readonly [count: number, gpuCount: number, gpuMilli: number];

/** Tensor-parallel engines over 2, 4 and 8 GPUs of one node, and those that have one GPU; of a hundred requests. */
const WHOLE: readonly Row[] = [
  [24, 1, 1_000],
  [16, 2, 1_000],
  [12, 4, 1_000],
  [8, 8, 1_000],
];

/** Beside them engines that share a GPU, by what their models take of it: parts that do not add up to a whole one, and parts that always do. */
const SHARED: Readonly<Record<string, readonly Row[]>> = {
  inference: [
    [10, 1, 200],
    [12, 1, 300],
    [10, 1, 450],
    [8, 1, 650],
  ],
  quarters: [
    [20, 1, 250],
    [20, 1, 500],
  ],
};

/** Mixes of inference engines, by name. */
export const INFERENCE_MIXES: readonly (readonly [name: string, shapes: readonly PlacementShape[]])[] = Object.entries(SHARED).map(
  ([name, shared]) => [name, [...shared, ...WHOLE].flatMap(shapesOf)],
);

function shapesOf([count, gpuCount, gpuMilli]: Row): readonly PlacementShape[] {
  const gpus = (gpuCount * gpuMilli) / 1_000;
  const shape = { cpuMilli: CPU_MILLI_PER_GPU * gpus, memoryMib: MEMORY_MIB_PER_GPU * gpus, gpuCount, gpuMilli, models: [] };
  return Array.from({ length: count }, () => shape);
}

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
