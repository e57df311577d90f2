import { err, ok, type Result } from "../../base/result.ts";
import type { NodeName } from "../../base/ids.ts";
import type { Clock } from "../../ports/clock.ts";
import type { AccountError, GpuAccount, GpuEnd } from "../../ports/gpu-account.ts";
import { createSystemClock } from "../clock/system.ts";
import { createAccountClient, type AccountClient } from "./account-client.ts";
import type { GpuPlace } from "./gpu-losses.ts";
import type { AccountAnswer, AccountQuestion } from "./parse-account-message.ts";
import { shareComputeOver, type RemoteShare } from "./share-compute.ts";
import type { AccountHolder } from "./simulated.ts";

/** Longer than the account process takes to be started again. */
const PATIENCE_MS = 5_000;
const WATCH_AGAIN_MS = 1_000;

/**
 * The account as an engine process sees it, over a Unix socket. The connection is the process's life: when it ends, its bytes
 * are freed after the teardown delay. When the account process is started again, the connection and all holds are made again.
 */
export function connectGpuAccount(path: string, holder: AccountHolder, clock: Clock = createSystemClock()): GpuAccount & { close(): void } {
  const gpuHolds = new Map<string, AccountQuestion>();
  const closed = new AbortController();
  const hostHolds = new Map<string, AccountQuestion>();
  let share: RemoteShare | null = null;
  const client = createAccountClient({
    path,
    clock,
    patienceMs: PATIENCE_MS,
    greet: () => [{ ask: "open", ...holder }, ...hostHolds.values(), ...gpuHolds.values(), ...(share?.greeting() ?? [])],
  });

  async function hold(holds: Map<string, AccountQuestion>, key: string, question: AccountQuestion): Promise<Result<null, AccountError>> {
    const result = accountResult(await client.ask(question).answer);
    if (result.ok) holds.set(key, question);
    return result;
  }
  return {
    holdGpu: ({ node, gpu }, bytes, residence = "awake") =>
      hold(gpuHolds, `${node}/${gpu}`, { ask: "hold-gpu", node, gpu, bytes, isParked: residence === "parked" }),
    // Not made again after the account's restart: it was never promised.
    grabGpu: async ({ node, gpu }, bytes) => accountResult(await client.ask({ ask: "hold-gpu", node, gpu, bytes, isGrab: true }).answer),
    holdHost: (node: NodeName, bytes) => hold(hostHolds, node, { ask: "hold-host", node, bytes }),
    async transfer({ node, link }, bytes, signal) {
      if (signal.aborted) return BROKEN_OFF;
      const { id, answer } = client.ask({ ask: "transfer", node, link, bytes });
      const aborted = Promise.withResolvers<Result<null, AccountError>>();
      const abort = (): void => {
        client.withdraw(id);
        aborted.resolve(BROKEN_OFF);
      };
      signal.addEventListener("abort", abort, { once: true });
      const result = await Promise.race([answer.then(accountResult), aborted.promise]);
      signal.removeEventListener("abort", abort);
      return result;
    },
    watchLoss: (gpus, lost) => watchLoss(client, clock, { gpus, lost, closed: closed.signal }),
    shareCompute: (gpus, told) => {
      share?.stop();
      share = shareComputeOver(client, clock, { gpus, told });
      return share;
    },
    close: () => {
      share?.stop();
      closed.abort();
      client.close();
    },
  };
}

/** Asked again as long as the account is away: what it knows then counts. */
function watchLoss(
  client: AccountClient,
  clock: Clock,
  { gpus, lost, closed }: { readonly gpus: readonly GpuPlace[]; readonly lost: (end: GpuEnd) => void; readonly closed: AbortSignal },
): () => void {
  const stopped = new AbortController();
  const ended = AbortSignal.any([stopped.signal, closed]);
  let openId: number | null = null;
  const watch = async (): Promise<void> => {
    while (!ended.aborted) {
      const { id, answer } = client.ask({ ask: "watch-loss", gpus });
      openId = id;
      const result = await answer;
      if (ended.aborted) return;
      if (!result.ok && (result.error.code === "GPU_LOST" || result.error.code === "GPU_FAULT")) {
        const { node, gpu, mode } = result.error;
        return lost({ node, gpu, mode });
      }
      await clock.sleep(WATCH_AGAIN_MS, ended);
    }
  };
  void watch();
  return () => {
    stopped.abort();
    if (openId !== null) client.withdraw(openId);
  };
}

const BROKEN_OFF: Result<null, AccountError> = err({ code: "ACCOUNT_UNAVAILABLE", reason: "the transfer was broken off" });

function accountResult(answer: AccountAnswer): Result<null, AccountError> {
  if (answer.ok) return ok(null);
  // The last two answer questions that no engine asks.
  if (answer.error.code === "DRIVER_UNAVAILABLE" || answer.error.code === "GEOMETRY" || answer.error.code === "IN_USE")
    return err({ code: "ACCOUNT_UNAVAILABLE", reason: answer.error.reason });
  return err(answer.error);
}
