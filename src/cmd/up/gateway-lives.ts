import { join } from "node:path";
import { identify, isAlive } from "../../adapters/process/process-identity.ts";
import { formerOf } from "../../adapters/process/record-successor.ts";
import { readRunRecordNow } from "../../adapters/process/run-record.ts";
import type { GatewayProcesses } from "../../ports/gateway-processes.ts";
import { runningGateway } from "./keep-gateway.ts";
import type { StateDir } from "./state-dir.ts";

/** No process has it: stands for one whose start is on record and whose pid is not yet. */
const BEING_STARTED = 0;

/** The gateways of this machine: the one on record, each time the one that took its place, and one that was started by hand on our port. */
export async function gatewayLives(of: { readonly name: string; readonly port: number }, state: StateDir): Promise<GatewayProcesses> {
  const before = await runningGateway(of, state);
  const recordPath = join(state.runFolder, `${of.name}.json`);
  const recorded = (): number | null => {
    const record = readRunRecordNow(recordPath);
    if (record === null) return null;
    const { pid, startTicks } = record;
    if (pid === null || startTicks === null) return BEING_STARTED;
    return isAlive({ pid, startTicks }) ? pid : null;
  };
  return {
    running() {
      const pids = new Set<number>();
      if (before !== null && isAlive(before)) pids.add(before.pid);
      const now = recorded();
      if (now !== null) pids.add(now);
      const record = readRunRecordNow(recordPath);
      // What gave its place away goes on by its own tables until its streams have ended.
      if (record !== null) for (const { pid } of formerOf(record)) pids.add(pid);
      return [...pids];
    },
    watch(pid) {
      if (pid === BEING_STARTED) return () => recorded() === BEING_STARTED;
      const identity = identify(pid);
      return () => identity !== null && isAlive(identity);
    },
  };
}
