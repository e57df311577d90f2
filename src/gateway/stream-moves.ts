import type { MonotonicMs } from "../base/ids.ts";
import type { ClientRequest } from "./client-request.ts";
import type { ContinueRefusal, GoingOn } from "./continue-stream.ts";
import type { GatewayMetrics, Outcome } from "./gateway-metrics.ts";

/** What a stream has been through since its first byte. */
export interface StreamPast {
  /** How it went on, at last; null = its first engine serves it. */
  movedBy: GoingOn["kind"] | null;
  /** Since when its client waits for another engine's word; null = it does not. */
  lostAt: MonotonicMs | null;
  /** Why nobody can go on with it; null = somebody could, if there is one. */
  refusal: ContinueRefusal | null;
}

export const newStreamPast = (): StreamPast => ({ movedBy: null, lostAt: null, refusal: null });

/** Counts what became of streams that had begun. */
export class StreamMoves {
  readonly #metrics: GatewayMetrics;

  constructor(metrics: GatewayMetrics) {
    this.#metrics = metrics;
  }

  lost({ past }: ClientRequest, now: MonotonicMs): void {
    past.lostAt ??= now;
  }

  /** Another engine begins to go on with it. */
  begun({ past }: ClientRequest, how: GoingOn["kind"]): void {
    past.movedBy = how;
  }

  /** Its client reads on. */
  wentOn({ past, desk }: ClientRequest, now: MonotonicMs): void {
    if (past.lostAt === null || past.movedBy === null) return;
    this.#metrics.streamMove.with(desk.service, past.movedBy).observe((now - past.lostAt) / 1_000);
    past.lostAt = null;
  }

  settled({ parsed, hasFirstByte, past, desk }: ClientRequest, outcome: Outcome): void {
    if (!parsed.isStream || !hasFirstByte) return;
    this.#metrics.streamEnds.with(desk.service, endOf(past, outcome)).add(1);
  }
}

function endOf({ movedBy, refusal }: StreamPast, outcome: Outcome): string {
  if (outcome === "client-gone") return "client-gone";
  if (outcome === "stream-error") return `error-${refusal ?? "no-instance"}`;
  return movedBy ?? "undisturbed";
}
