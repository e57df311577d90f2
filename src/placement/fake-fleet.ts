import { createFleetIndex, type FleetIndex } from "./fleet-index.ts";

/** So many nodes of eight GPUs of one model, in the order of their names. */
export const fakeEights = (count: number): FleetIndex =>
  createFleetIndex(
    Array.from({ length: count }, (_, index) => ({
      name: `node-${1_000 + index}`,
      model: "H100",
      gpuCount: 8,
      cpuMilli: 96_000,
      memoryMib: 1_000,
    })),
    { boundMax: 100 },
  );
