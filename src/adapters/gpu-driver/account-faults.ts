import { err, ok, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { GpuFaults, NotInjected } from "../../ports/gpu-faults.ts";
import { createSystemClock } from "../clock/system.ts";
import { createAccountClient } from "./account-client.ts";
import type { LostGpu } from "./account-state.ts";
import { parseLostAnswer, type AccountQuestion } from "./parse-account-message.ts";

const PATIENCE_MS = 1_000;

/** Faults by the account process's socket. */
export interface AccountFaults extends GpuFaults {
  list(): Promise<Result<readonly LostGpu[], NotInjected>>;
  close(): void;
}

export function connectGpuFaults(path: string, clock: Clock = createSystemClock()): AccountFaults {
  const client = createAccountClient({ path, clock, patienceMs: PATIENCE_MS, greet: () => [] });
  const ask = async (question: AccountQuestion): Promise<Result<null, NotInjected>> => {
    const answer = await client.ask(question).answer;
    return answer.ok ? ok(null) : notInjected(answer.error);
  };
  return {
    lose: ({ node, gpu, mode }, forMs) => ask({ ask: "lose-gpus", node, gpu, mode, forMs }),
    fail: ({ node, gpu, mode, instance }) => ask({ ask: "fail-application", node, gpu, mode, instance }),
    slow: ({ node, gpu, teardownMs }, forMs) => ask({ ask: "slow-teardown", node, gpu, teardownMs, forMs }),
    restore: ({ node, gpu }) => ask({ ask: "restore-gpus", node, gpu }),
    async list() {
      const answer = parseLostAnswer(await client.ask({ ask: "list-lost" }).answer);
      return answer.ok ? answer : notInjected(answer.error);
    },
    close: () => client.close(),
  };
}

const notInjected = (error: { readonly code: string; readonly reason?: string }): Result<never, NotInjected> =>
  err({ code: "NOT_INJECTED", reason: error.reason ?? error.code });
