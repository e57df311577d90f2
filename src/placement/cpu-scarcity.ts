import { fillEvenly } from "./fill-evenly.ts";
import { WHOLE_GPU_MILLI, type NodeKind, type PlacementShape } from "./fleet-index.ts";
import type { ShapeShare } from "./workload-mix.ts";

/**
 * For each kind of node, how much more of it the requests for several GPUs would take, if the whole fleet were asked for, than they would
 * if only GPUs and models counted, 0..1: above zero where they can go nowhere else, as other nodes have too little CPU even when empty.
 * Requests for one GPU find such room on any node that is partly free.
 */
export function cpuScarcityOfKinds(shares: readonly ShapeShare[], kinds: readonly NodeKind[]): readonly number[] {
  const capacityMilli = kinds.map(({ gpuCount, nodeCount }) => gpuCount * nodeCount * WHOLE_GPU_MILLI);
  const totalMilli = capacityMilli.reduce((sum, milli) => sum + milli, 0);
  const askedMilli = shares.reduce((sum, { shape, share }) => sum + share * shape.gpuCount * shape.gpuMilli, 0);
  const taken = (isLarge: (kind: NodeKind, shape: PlacementShape) => boolean): readonly number[] => {
    const demands = new Map<string, { readonly choices: readonly number[]; milli: number }>();
    for (const { shape, share } of shares) {
      if (shape.gpuCount < 2) continue;
      const choices = [...kinds.keys()].filter((index) => {
        const kind = kinds[index];
        return kind !== undefined && isNamed(kind, shape) && isLarge(kind, shape);
      });
      const entry = demands.get(choices.join(" ")) ?? { choices, milli: 0 };
      entry.milli += (share * shape.gpuCount * shape.gpuMilli * totalMilli) / askedMilli;
      demands.set(choices.join(" "), entry);
    }
    return fillEvenly([...demands.values()], capacityMilli);
  };
  const byGpus = taken((kind, shape) => kind.gpuCount >= shape.gpuCount);
  const byCpu = taken((kind, shape) => kind.gpuCount >= shape.gpuCount && kind.cpuMilli >= shape.cpuMilli);
  return byCpu.map((ratio, index) => Math.max(0, ratio - (byGpus[index] ?? 0)));
}

const isNamed = ({ model }: NodeKind, { models }: PlacementShape): boolean => models.length === 0 || models.includes(model);
