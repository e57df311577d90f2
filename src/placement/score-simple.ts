import { fullestGpu, isShared, WHOLE_GPU_MILLI, type FleetIndex, type PlacementShape } from "./fleet-index.ts";
import { NODE_CPU_MILLI_MAX, NODE_GPU_MILLI_MAX, UNLEARNING, type ScoringPolicy } from "./scoring-policy.ts";

/** Least left of CPU and GPUs together, in hundredths of the largest node, as the FGD paper's Best-Fit. */
export const BEST_FIT: ScoringPolicy = {
  name: "best-fit",
  ...UNLEARNING,
  scoreNode(fleet, node, shape, verdict) {
    verdict.score = Math.trunc(100 * (1 - leftRatio(fleet, node, shape) / 2));
    verdict.gpu = isShared(shape) ? fullestGpu(fleet, node, shape) : -1;
  },
};

/** Most left: load is spread, and everything is broken up. */
export const SPREAD: ScoringPolicy = {
  name: "spread",
  ...UNLEARNING,
  scoreNode(fleet, node, shape, verdict) {
    verdict.score = leftRatio(fleet, node, shape);
    verdict.gpu = isShared(shape) ? emptiestGpu(fleet, node, shape) : -1;
  },
};

/** A GPU in use before a free one, that on a node in use before one on a free node. The paper's Packing, with its coarse steps. */
export const BINPACK: ScoringPolicy = {
  name: "binpack",
  ...UNLEARNING,
  scoreNode(fleet, node, shape, verdict) {
    verdict.gpu = isShared(shape) ? fullestGpu(fleet, node, shape) : -1;
    verdict.score = shape.gpuCount === 0 ? 0 : packedness(fleet, node, shape, verdict.gpu);
  },
};

/** Shared GPUs 50..100, free ones of a used node 33..50, of a free node below. */
function packedness(fleet: FleetIndex, node: number, shape: PlacementShape, gpu: number): number {
  const gpuCount = fleet.gpuCountOf[node] ?? 0;
  if (fleet.freeMilliOf[node] === gpuCount * WHOLE_GPU_MILLI) return Math.max(33 - gpuCount, gpuCount);
  const gpuFreeMilli = gpu < 0 ? WHOLE_GPU_MILLI : (fleet.freeGpuMilli[node * fleet.gpuStride + gpu] ?? 0);
  if (gpuFreeMilli === WHOLE_GPU_MILLI) return Math.max(50 - shape.gpuCount, 33);
  return Math.max(100 - Math.trunc(Math.trunc((gpuFreeMilli * 100) / WHOLE_GPU_MILLI) / 10), 50);
}

/** What the node would have left, of the largest node's CPU and GPUs; 0..2. */
function leftRatio(fleet: FleetIndex, node: number, shape: PlacementShape): number {
  const cpuMilli = (fleet.freeCpuMilli[node] ?? 0) - shape.cpuMilli;
  const gpuMilli = (fleet.freeMilliOf[node] ?? 0) - shape.gpuCount * shape.gpuMilli;
  return cpuMilli / NODE_CPU_MILLI_MAX + gpuMilli / NODE_GPU_MILLI_MAX;
}

function emptiestGpu(fleet: FleetIndex, node: number, shape: PlacementShape): number {
  let best = -1;
  let bestFree = shape.gpuMilli - 1;
  for (let gpu = 0; gpu < (fleet.gpuCountOf[node] ?? 0); gpu++) {
    const free = fleet.freeGpuMilli[node * fleet.gpuStride + gpu] ?? 0;
    if (free <= bestFree) continue;
    best = gpu;
    bestFree = free;
  }
  return best;
}
