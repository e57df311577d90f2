import type { WallMs } from "../base/ids.ts";
import { parseWall } from "../base/time.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { gpuKey, type Quarantine } from "./instance-look.ts";

/** A GPU blamed for failed starts is tried again after that long; a lost one when the driver sees it well, a slow one when it has freed its dead. */
export const QUARANTINE_MS = 60_000;

/** Which GPUs the service still keeps away from. */
export function keepQuarantined(
  before: ServiceStatus,
  world: {
    readonly lostGpus: ReadonlySet<string> | null;
    readonly slowGpus: ReadonlySet<string> | null;
    readonly specGeneration: number;
    readonly wallMs: WallMs;
  },
): ServiceStatus["quarantined"] {
  return before.quarantined.filter((entry) => {
    if (entry.reason === "SlowTeardown") return world.slowGpus === null || world.slowGpus.has(gpuKey(entry));
    if (entry.reason === "GpuLost") return world.lostGpus === null || world.lostGpus.has(gpuKey(entry));
    // Another config may start where the last one could not.
    if (before.observedGeneration !== world.specGeneration) return false;
    const since = parseWall(entry.since);
    return since !== null && world.wallMs - since < QUARANTINE_MS;
  });
}

export const quarantineEntry = ({ node, gpu, reason }: Quarantine, since: string): ServiceStatus["quarantined"][number] => ({
  node,
  gpu,
  reason,
  since,
});
