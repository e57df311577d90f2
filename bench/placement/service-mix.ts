import type { FleetNode, PlacementShape } from "../../src/placement/fleet-index.ts";
import type { ServiceMember } from "../../src/placement/place-apart.ts";

const ZONES = 4;
const GPU_GB = 80;
const CPU_MILLI_PER_GPU = 12_000;
const MEMORY_MIB_PER_GPU = 131_072;
/** Of an engine that has its GPU alone, and of any other. */
const WHOLE_CPU_MILLI = 8_000;
const PART_CPU_MILLI = 3_000;
const MEMORY_MIB_PER_GB = 1_024;

export type Service = readonly ServiceMember[];

/** GB of the GPUs that the services of one tier share, by what their models need; each as often as the others. */
const GOLD_WARM_GB = [16, 24, 32];
const SILVER_GB = [10, 16, 24, 32, 48];
/** Of ten services two are platinum, three gold, five silver. */
const PLATINUM_COUNT = 6;
const GOLD_COUNT = 9;
const SILVER_COUNT = 15;

const whole = (level: ServiceMember["level"]): ServiceMember => ({ level, shape: shapeOf(GPU_GB, WHOLE_CPU_MILLI) });
const part = (level: ServiceMember["level"], gb: number): ServiceMember => ({ level, shape: shapeOf(gb, PART_CPU_MILLI) });

function shapeOf(gb: number, cpuMilli: number): PlacementShape {
  return { cpuMilli, memoryMib: gb * MEMORY_MIB_PER_GB, gpuCount: 1, gpuMilli: Math.ceil((1_000 * gb) / GPU_GB), models: [] };
}

/** Platinum: two hot and one warm alone on their GPUs, 40 GB kept free. Gold: one hot alone, one warm that shares, 20 GB. Silver: one that shares. */
export const SERVICES: readonly Service[] = [
  ...repeat(PLATINUM_COUNT, () => [whole("hot"), whole("hot"), whole("warm"), part("cold", 40)]),
  ...repeat(GOLD_COUNT, (at) => [whole("hot"), part("warm", GOLD_WARM_GB[at % GOLD_WARM_GB.length] ?? GPU_GB), part("cold", 20)]),
  ...repeat(SILVER_COUNT, (at) => [part("hot", SILVER_GB[at % SILVER_GB.length] ?? GPU_GB)]),
];

function repeat(count: number, make: (at: number) => Service): readonly Service[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

export interface ZonedNode extends FleetNode {
  readonly zone: string;
}

/** Every fourth node has four GPUs, the others eight. */
export function zonedNodes(count: number): readonly ZonedNode[] {
  return Array.from({ length: count }, (_, index) => {
    const gpuCount = Math.floor(index / ZONES) % 4 === 3 ? 4 : 8;
    return {
      name: `node-${1_000 + index}`,
      zone: `zone-${index % ZONES}`,
      model: "H100",
      gpuCount,
      cpuMilli: CPU_MILLI_PER_GPU * gpuCount,
      memoryMib: MEMORY_MIB_PER_GPU * gpuCount,
    };
  });
}
