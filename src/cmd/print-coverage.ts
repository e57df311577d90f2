import { renderCoverage, type Coverage } from "../simulator/coverage.ts";
import { EVENT_CLASSES } from "../simulator/ladder-event.ts";

/** What was seen, and of the fault classes also what was not. */
export function printCoverage(coverage: Coverage): void {
  process.stdout.write(renderCoverage(coverage, { "fault classes": EVENT_CLASSES.map(({ name }) => name) }));
}
