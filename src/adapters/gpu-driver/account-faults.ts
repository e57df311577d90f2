import type { GpuLost } from "../../api/fault.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import { createSystemClock } from "../clock/system.ts";
import { createAccountClient } from "./account-client.ts";
import type { LostGpu } from "./account-state.ts";
import { parseLostAnswer, type AccountQuestion } from "./parse-account-message.ts";

const PATIENCE_MS = 1_000;

export interface NotInjected {
  readonly code: "NOT_INJECTED";
  readonly reason: string;
}

/** Losses of the simulated GPUs, for drills and benches. Each ends by itself, also when nobody is left to end it. */
export interface GpuFaults {
  /** Engines on it end at once. A second loss replaces the first one's end. */
  lose(loss: GpuLost, forMs: number): Promise<Result<null, NotInjected>>;
  restore(at: Pick<GpuLost, "node" | "gpu">): Promise<Result<null, NotInjected>>;
  list(): Promise<Result<readonly LostGpu[], NotInjected>>;
  close(): void;
}

export function connectGpuFaults(path: string, clock: Clock = createSystemClock()): GpuFaults {
  const client = createAccountClient({ path, clock, patienceMs: PATIENCE_MS, greet: () => [] });
  const ask = async (question: AccountQuestion): Promise<Result<null, NotInjected>> => {
    const answer = await client.ask(question).answer;
    return answer.ok ? ok(null) : notInjected(answer.error);
  };
  return {
    lose: ({ node, gpu }, forMs) => ask({ ask: "lose-gpus", node, gpu, forMs }),
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
