import type { FleetIndex, PlacementShape } from "./fleet-index.ts";

/** What a policy says of one node. The caller owns and reuses it. */
export interface NodeVerdict {
  /** Higher is better. Of equal scores the node whose name comes first is always taken: never a random one, which breaks up the fleet. */
  score: number;
  /** For a shape that shares: the GPU it would get. */
  gpu: number;
}

/** Where a request goes, among the nodes that fit it. Placed one at a time, never moved. */
export interface ScoringPolicy {
  readonly name: string;
  /** Changes when the same state may now score otherwise: everything remembered is then void. */
  revision(): number;
  /** An arrival, before it is placed; told of each one, also of those that find no place. */
  observe(shape: PlacementShape): void;
  /** Depends only on the shape and on what is free on the node (`stateOf`), between two revisions. The node fits. */
  scoreNode(fleet: FleetIndex, node: number, shape: PlacementShape, verdict: NodeVerdict): void;
}

/** Of a policy that learns nothing. */
export const UNLEARNING = {
  revision: (): number => 0,
  observe(): void {},
} as const;

/** Full scale of CPU and GPUs of one node in the scores of the FGD paper. */
export const NODE_CPU_MILLI_MAX = 128_000;
export const NODE_GPU_MILLI_MAX = 8_000;
