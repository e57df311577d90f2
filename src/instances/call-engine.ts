import { copyOf, joinBytes } from "../base/bytes.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { Clock } from "../ports/clock.ts";
import type { CallFailure, Upstream, UpstreamRequest } from "../ports/upstream.ts";

/** What every control call to an engine needs. */
export interface EnginePorts {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Names this state to its engines: they end themselves when nobody claims them. */
  readonly claim: string;
}

export interface EngineAnswer {
  readonly status: number;
  readonly text: string;
}
export type EngineCallError =
  | { readonly code: CallFailure["code"] }
  /** `isLate`: our own timer came late, so the silence proves nothing. */
  | { readonly code: "TIMEOUT"; readonly isLate: boolean }
  | { readonly code: "TOO_LARGE" }
  | { readonly code: "CANCELLED" };

const CLAIM_HEADER = "x-tidegate-claim";
/** Metrics pages of real engines stay under 1 MiB. */
const ANSWER_BYTES_MAX = 4 * 1_048_576;
/** A timer later than that says more of us than of the engine. */
const LATE_MS = 200;

/** One whole answer of an engine, with the claim header; never retried. */
export function callEngine(
  ports: EnginePorts,
  to: EndpointAddress,
  request: UpstreamRequest,
  limits: { readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<Result<EngineAnswer, EngineCallError>> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(err({ code: "CANCELLED" }));
    const startedMs = ports.clock.monotonicMs();
    let status = 0;
    const parts: Buffer[] = [];
    let receivedBytes = 0;
    const settle = (result: Result<EngineAnswer, EngineCallError>): void => {
      timer.cancel();
      signal.removeEventListener("abort", cancel);
      resolve(result);
    };
    const giveUp = (error: EngineCallError): void => {
      call.abort();
      settle(err(error));
    };
    const cancel = (): void => giveUp({ code: "CANCELLED" });
    const call = ports.upstream.call(
      to,
      { ...request, headers: [...request.headers, CLAIM_HEADER, ports.claim] },
      {
        head: (answered) => {
          status = answered;
        },
        data: (lent) => {
          receivedBytes += lent.byteLength;
          if (receivedBytes > ANSWER_BYTES_MAX) return giveUp({ code: "TOO_LARGE" });
          parts.push(copyOf(lent));
        },
        end: () => settle(ok({ status, text: joinBytes(parts).toString("utf8") })),
        failed: ({ code }) => settle(err({ code })),
      },
    );
    const timer = ports.clock.after(limits.timeoutMs, () => {
      giveUp({ code: "TIMEOUT", isLate: ports.clock.monotonicMs() - startedMs > limits.timeoutMs + LATE_MS });
    });
    signal.addEventListener("abort", cancel, { once: true });
  });
}
