import { identify, isAlive } from "../../adapters/process/process-identity.ts";
import type { GatewayProcesses } from "../../ports/gateway-processes.ts";
import { runningGateway } from "./keep-gateway.ts";
import type { StateDir } from "./state-dir.ts";

/** The gateways of this machine: the one on record, or one that was started by hand on our port. */
export async function gatewayLives(of: { readonly name: string; readonly port: number }, state: StateDir): Promise<GatewayProcesses> {
  const running = await runningGateway(of, state);
  return {
    known: running === null ? [] : [running.pid],
    watch(pid) {
      const identity = identify(pid);
      return () => identity !== null && isAlive(identity);
    },
  };
}
