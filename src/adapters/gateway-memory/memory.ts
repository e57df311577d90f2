import type { GatewayMemory, GatewaySnapshot } from "../../ports/gateway-memory.ts";

/** Keeps the snapshot as long as this object lives: hand it to the next simulated gateway for a restart. */
export function createMemoryGatewayMemory(): GatewayMemory {
  let kept: GatewaySnapshot | null = null;
  return {
    load: async () => kept,
    save: async (snapshot) => {
      kept = snapshot;
      return true;
    },
  };
}
