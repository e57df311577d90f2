import { err, ok, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { GpuDriver, GpuDriverError } from "../../ports/gpu-driver.ts";
import { createSystemClock } from "../clock/system.ts";
import { createAccountClient } from "./account-client.ts";
import { parseObserveAnswer, type AccountAnswer, type AccountQuestion } from "./parse-account-message.ts";

/** A controller looks again soon: it must not stand still for an account that is away. */
const PATIENCE_MS = 1_000;

/** The simulated GPUs as the control plane sees them, over the account process's socket. DRIVER_UNAVAILABLE while it is away. */
export function connectAccountDriver(path: string, clock: Clock = createSystemClock()): GpuDriver & { close(): void } {
  const client = createAccountClient({ path, clock, patienceMs: PATIENCE_MS, greet: () => [] });
  const ask = async (question: AccountQuestion): Promise<Result<null, GpuDriverError>> => {
    const answer = await client.ask(question).answer;
    return answer.ok ? ok(null) : driverError(answer.error);
  };
  return {
    async observe(only) {
      const answer = await client.ask(only === undefined ? { ask: "observe" } : { ask: "observe", only }).answer;
      return answer.ok ? parseObserveAnswer(answer) : driverError(answer.error);
    },
    ensureInventory: (nodes) => ask({ ask: "inventory", nodes }),
    ensurePartition: (partition) => ask({ ask: "partition", partition }),
    removePartition: (partition) => ask({ ask: "unpartition", partition }),
    close: () => client.close(),
  };
}

function driverError(error: Extract<AccountAnswer, { ok: false }>["error"]): Result<never, GpuDriverError> {
  if (error.code === "GEOMETRY" || error.code === "IN_USE") return err({ code: error.code, reason: error.reason });
  return err({ code: "DRIVER_UNAVAILABLE", reason: "reason" in error ? error.reason : error.code });
}
