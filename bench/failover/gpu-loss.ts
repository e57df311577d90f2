import { join } from "node:path";
import { connectGpuFaults } from "../../src/adapters/gpu-driver/account-faults.ts";
import { nodeName } from "../../src/base/ids.ts";
import { monotonicMs } from "./monotonic.ts";

/** They come back by themselves should the bench end before it gives them back. */
const LOST_AT_MOST_MS = 60_000;

export interface GpuLoss {
  readonly atMs: number;
  restore(): Promise<void>;
}

/** Loses every GPU of these nodes of the bench's inventory, at once. */
export async function loseGpus(dataDir: string, nodes: readonly string[]): Promise<GpuLoss> {
  const faults = connectGpuFaults(join(dataDir, "gpu.sock"));
  const lost = nodes.map((node) => ({ node: nodeName(node), gpu: null }));
  const atMs = monotonicMs();
  const answers = await Promise.all(lost.map((at) => faults.lose({ kind: "gpu-lost", mode: "fallen_off_bus", ...at }, LOST_AT_MOST_MS)));
  const refused = answers.find((answer) => !answer.ok);
  if (refused !== undefined && !refused.ok) throw new Error(`The GPU account loses no GPU: ${refused.error.reason}`);
  return {
    atMs,
    restore: async () => {
      await Promise.all(lost.map((at) => faults.restore(at)));
      faults.close();
    },
  };
}
