import { oncePer } from "../base/once-per.ts";
import type { GpuNode } from "./gpu-node.ts";

/** Says which spot pool a node is of, where that is not its zone and its machine type. */
export const SPOT_POOL_LABEL = "inference.example.com/spot-pool";
/** The machine type, as Kubernetes and clouds label it. */
const MACHINE_LABEL = "node.kubernetes.io/instance-type";

/**
 * The spot capacity that is taken back together: the label's value, else zone and machine type (without that label, the GPUs). Clouds
 * sell and reclaim spot machines by type within a zone; what made the node (a node group, a Karpenter pool) spans several of those.
 * null = the node is not on spot, or its zone is not known: then nothing is held against it.
 */
export const spotPoolOf = oncePer(({ capacityType, labels, zone, gpus }: GpuNode): string | null => {
  if (capacityType !== "spot") return null;
  const named = labels[SPOT_POOL_LABEL];
  if (named !== undefined) return named;
  const machine =
    labels[MACHINE_LABEL] ?? [...Map.groupBy(gpus, ({ model }) => model)].map(([model, { length }]) => `${length}x${model}`).join("+");
  return zone === null ? null : `${zone}/${machine}`;
});
