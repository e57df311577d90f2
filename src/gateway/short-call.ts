import { copyOf, joinBytes } from "../base/bytes.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { Clock } from "../ports/clock.ts";
import type { CallFailure, Upstream, UpstreamRequest } from "../ports/upstream.ts";

export type ShortAnswer =
  | { readonly kind: "answer"; readonly status: number; readonly body: string }
  | { readonly kind: "timeout" }
  | { readonly kind: "failed"; readonly failure: CallFailure };

const BODY_BYTES_MAX = 1_048_576;

/** A small question to an engine with a deadline; `done` is called exactly once. A body over 1 MiB counts as no answer. */
export function shortCall(
  ports: { readonly clock: Clock; readonly upstream: Upstream },
  to: EndpointAddress,
  ask: { readonly request: UpstreamRequest; readonly timeoutMs: number; done(answer: ShortAnswer): void },
): void {
  let isDone = false;
  let status = 0;
  let bytes = 0;
  const parts: Buffer[] = [];
  const finish = (answer: ShortAnswer): void => {
    if (isDone) return;
    isDone = true;
    timer.cancel();
    ask.done(answer);
  };
  const call = ports.upstream.call(to, ask.request, {
    head: (answered) => {
      status = answered;
    },
    data: (lent) => {
      bytes += lent.length;
      if (bytes <= BODY_BYTES_MAX) {
        parts.push(copyOf(lent));
        return;
      }
      call.abort();
      finish({ kind: "timeout" });
    },
    end: () => finish({ kind: "answer", status, body: joinBytes(parts).toString("utf8") }),
    failed: (failure) => finish({ kind: "failed", failure }),
  });
  const timer = ports.clock.after(ask.timeoutMs, () => {
    call.abort();
    finish({ kind: "timeout" });
  });
}
