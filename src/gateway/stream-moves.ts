import type { MonotonicMs } from "../base/ids.ts";
import type { CounterHandle, HistogramHandle, Metric, MetricRegistry } from "../base/metric.ts";
import type { ClientRequest } from "./client-request.ts";
import { RECOVERY_SECONDS, type Outcome } from "./gateway-metrics.ts";
import type { StreamPast, WayOn } from "./stream-past.ts";

/** Counts what became of streams that had begun. */
export class StreamMoves {
  readonly #ends: Metric<CounterHandle>;
  readonly #seconds: Metric<HistogramHandle>;

  constructor(registry: MetricRegistry) {
    this.#ends = registry.counter(
      "tidegate_stream_ends_total",
      "Streams that had begun, by how they ended: undisturbed, gone on at another instance from ids or made again (restart), client-gone, or an error and why nobody went on.",
      ["service", "how"],
    );
    this.#seconds = registry.histogram(
      "tidegate_stream_move_seconds",
      "Of streams that lost their instance: until their client read on, by how they went on.",
      ["service", "how"],
      RECOVERY_SECONDS,
    );
  }

  lost({ past }: ClientRequest, now: MonotonicMs): void {
    past.lostAt ??= now;
  }

  /** Another engine begins to go on with it. */
  begun({ past }: ClientRequest, how: WayOn): void {
    past.movedBy = how;
    // Its tokens are made once more, and told once.
    if (how === "restart") past.tokens = 0;
  }

  /** Its client reads on. */
  wentOn({ past, desk }: ClientRequest, now: MonotonicMs): void {
    if (past.lostAt === null || past.movedBy === null) return;
    this.#seconds.with(desk.service, past.movedBy).observe((now - past.lostAt) / 1_000);
    past.lostAt = null;
  }

  settled({ parsed, hasFirstByte, past, desk }: ClientRequest, outcome: Outcome): void {
    if (parsed.isStream && hasFirstByte) this.#ends.with(desk.service, endOf(past, outcome)).add(1);
  }
}

function endOf({ movedBy, refusal }: StreamPast, outcome: Outcome): string {
  if (outcome === "client-gone") return "client-gone";
  if (outcome === "stream-error") return `error-${refusal ?? "no-instance"}`;
  return movedBy ?? "undisturbed";
}
