import type { Clock } from "../../ports/clock.ts";
import type { ComputeShare, ComputeTerms } from "../../ports/gpu-account.ts";
import type { AccountClient } from "./account-client.ts";
import { parseTermsAnswer, type ComputeQuestion } from "./parse-compute-message.ts";
import type { GpuPlace } from "./gpu-losses.ts";

const WATCH_AGAIN_MS = 1_000;

export interface RemoteShare extends ComputeShare {
  /** What a new connection has to know. */
  greeting(): readonly ComputeQuestion[];
}

/** An engine's part in the compute, over the account's socket. Asked again as long as the account is away: what was heard last holds meanwhile. */
export function shareComputeOver(
  client: AccountClient,
  clock: Clock,
  { gpus, told }: { readonly gpus: readonly GpuPlace[]; readonly told: (terms: ComputeTerms | null) => void },
): RemoteShare {
  const ended = new AbortController();
  let known: ComputeTerms | null = null;
  let last: Extract<ComputeQuestion, { ask: "tell-use" }> | null = null;
  let openId: number | null = null;
  const watch = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const { id, answer } = client.ask({ ask: "watch-terms", gpus, known });
      openId = id;
      const result = parseTermsAnswer(await answer);
      if (ended.signal.aborted) return;
      if (!result.ok) {
        await clock.sleep(WATCH_AGAIN_MS, ended.signal);
        continue;
      }
      known = result.value;
      told(known);
    }
  };
  void watch();
  return {
    tell: (use) => {
      last = { ask: "tell-use", ...use };
      client.tell(last);
    },
    // Before its questions, which are said again only then: it has no part yet, so the account begins with this.
    greeting: () => (last === null ? [] : [{ ask: "watch-terms", gpus, known }, last]),
    stop: () => {
      ended.abort();
      if (last !== null) client.tell({ ...last, isBusy: false });
      if (openId !== null) client.withdraw(openId);
    },
  };
}
