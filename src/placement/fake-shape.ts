import type { PlacementShape } from "./fleet-index.ts";

/** A request for one whole GPU, but for `over`. */
export const fakeShape = (over: Partial<PlacementShape>): PlacementShape => ({
  cpuMilli: 4_000,
  memoryMib: 8_192,
  gpuCount: 1,
  gpuMilli: 1_000,
  models: [],
  ...over,
});
