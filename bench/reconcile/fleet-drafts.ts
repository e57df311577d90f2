import type { ResourceDraft } from "../../src/api/resource.ts";
import { draft } from "../../src/simulator/world-resources.ts";

const GPUS_PER_NODE = 8;
const ZONES = 4;
/** Of each ten nodes, those that may be taken away; each zone's are of two pools. */
const SPOT_OF_TEN = 3;
const SPOT_POOLS_PER_ZONE = 2;

/** A kind of service; counts are of instances. Counts times `tensorParallelSize` are GPUs. */
interface Shape {
  readonly tier: "platinum" | "gold" | "silver";
  readonly tensorParallelSize: number;
  readonly weightsGb: number;
  readonly hot: number;
  readonly warm: number;
  readonly isWarmAsleep: boolean;
  readonly hasReserve: boolean;
}

/** Ten in turn: 2 platinum, 3 gold, 5 silver; three of them over several GPUs. */
const SHAPES: readonly Shape[] = [
  { tier: "platinum", tensorParallelSize: 1, weightsGb: 16, hot: 4, warm: 2, isWarmAsleep: false, hasReserve: true },
  { tier: "silver", tensorParallelSize: 1, weightsGb: 8, hot: 3, warm: 1, isWarmAsleep: true, hasReserve: false },
  { tier: "gold", tensorParallelSize: 1, weightsGb: 16, hot: 4, warm: 2, isWarmAsleep: true, hasReserve: true },
  { tier: "silver", tensorParallelSize: 1, weightsGb: 16, hot: 2, warm: 0, isWarmAsleep: false, hasReserve: true },
  { tier: "platinum", tensorParallelSize: 4, weightsGb: 140, hot: 2, warm: 1, isWarmAsleep: false, hasReserve: false },
  { tier: "silver", tensorParallelSize: 1, weightsGb: 8, hot: 6, warm: 0, isWarmAsleep: false, hasReserve: false },
  { tier: "gold", tensorParallelSize: 2, weightsGb: 70, hot: 3, warm: 1, isWarmAsleep: true, hasReserve: false },
  { tier: "silver", tensorParallelSize: 1, weightsGb: 24, hot: 2, warm: 1, isWarmAsleep: false, hasReserve: true },
  { tier: "gold", tensorParallelSize: 8, weightsGb: 240, hot: 2, warm: 0, isWarmAsleep: false, hasReserve: false },
  { tier: "silver", tensorParallelSize: 1, weightsGb: 12, hot: 4, warm: 1, isWarmAsleep: true, hasReserve: true },
];

export const fleetDrafts = (of: { readonly nodeCount: number; readonly serviceCount: number }): readonly ResourceDraft[] => [
  ...Array.from({ length: of.nodeCount }, (_, index) => nodeDraft(index)),
  ...Array.from({ length: of.serviceCount }, (_, index) => serviceDraft(index)),
];

const nodeNameOf = (index: number): string => `node-${`${index}`.padStart(4, "0")}`;

function nodeDraft(index: number): ResourceDraft {
  const zone = `az-${(index % ZONES) + 1}`;
  const isSpot = index % 10 < SPOT_OF_TEN;
  const spec = {
    capacityType: isSpot ? "spot" : "on-demand",
    hostMemory: "1024GB",
    links: { hostToGpu: "54GB", disk: "12GB", network: "11GB" },
    gpus: [{ model: "H100-80GB", count: GPUS_PER_NODE }],
  };
  const made = draft("GPUNode", nodeNameOf(index), spec, zone);
  const pool = `${zone}-pool-${Math.floor(index / 10) % SPOT_POOLS_PER_ZONE}`;
  return isSpot ? { ...made, labels: { ...made.labels, "inference.example.com/spot-pool": pool } } : made;
}

export function serviceDraft(index: number): ResourceDraft {
  const shape = SHAPES[index % SHAPES.length] ?? { ...SHAPES[0], tier: "silver" as const };
  const { tier, tensorParallelSize = 1, weightsGb = 16, hot = 1, warm = 0, isWarmAsleep = false, hasReserve = false } = shape;
  const name = `service-${`${index}`.padStart(3, "0")}`;
  const instanceGb = Math.ceil((weightsGb * 1.25) / tensorParallelSize) * tensorParallelSize;
  return draft("HotStandbyConfig", name, {
    tenant: `tenant-${index % 50}`,
    tier,
    model: {
      name: `model-${index}`,
      engine: "simulated",
      revision: "r1",
      weights: `${weightsGb}GB`,
      contextLength: 8_192,
      tensorParallelSize,
    },
    hotStandby: { gpuCount: hot * tensorParallelSize, memoryReserved: `${hot * instanceGb}GB` },
    warmStandby:
      warm === 0
        ? { gpuCount: 0 }
        : {
            gpuCount: warm * tensorParallelSize,
            memoryReserved: `${warm * instanceGb}GB`,
            rest: isWarmAsleep ? "asleep" : "resident",
          },
    coldStandby: hasReserve ? { gpuCount: tensorParallelSize, imageCache: true, memoryReserved: `${instanceGb}GB` } : { gpuCount: 0 },
    traffic: { mirrorPercent: 0 },
  });
}
