import { renderCoverage, type Coverage } from "../simulator/coverage.ts";
import { GPU_FAULT_CLASSES } from "../simulator/gpu-fault-classes.ts";
import { EVENT_CLASSES } from "../simulator/ladder-event.ts";

/** What was seen, and of the fault classes also what was not. */
export function printCoverage(coverage: Coverage, hasGpuFaults: boolean): void {
  const classes = hasGpuFaults ? [...EVENT_CLASSES, ...GPU_FAULT_CLASSES] : EVENT_CLASSES;
  process.stdout.write(renderCoverage(coverage, { "fault classes": classes.map(({ name }) => name) }));
}
