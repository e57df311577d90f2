import { join } from "node:path";
import { identify, isAlive } from "../../adapters/process/process-identity.ts";
import { readRunRecord } from "../../adapters/process/run-record.ts";
import type { GatewayProcesses } from "../../ports/gateway-processes.ts";
import { holderOfPort } from "../port-holder.ts";
import type { StateDir } from "./state-dir.ts";

/** The gateways of this machine: the one on record, or one that was started by hand on our port. */
export async function gatewayLives(of: { readonly name: string; readonly port: number }, state: StateDir): Promise<GatewayProcesses> {
  const pid = await runningGateway(of, state);
  return {
    known: pid === null ? [] : [pid],
    watch(gatewayPid) {
      const identity = identify(gatewayPid);
      return () => identity !== null && isAlive(identity);
    },
  };
}

async function runningGateway({ name, port }: { readonly name: string; readonly port: number }, state: StateDir): Promise<number | null> {
  const record = await readRunRecord(join(state.runFolder, `${name}.json`));
  if (record !== null && record.pid !== null && record.startTicks !== null) {
    if (isAlive({ pid: record.pid, startTicks: record.startTicks })) return record.pid;
  }
  return port === 0 ? null : (holderOfPort(port)?.pid ?? null);
}
