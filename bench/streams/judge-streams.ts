import { modelledPrefillMs } from "../failover/engine-profile.ts";
import { placeOf, type EngineModel, type FaultWindow } from "../failover/judge.ts";
import { atLeast, atMost, type Bar } from "../failover/report.ts";
import type { RequestRecord } from "../failover/request-record.ts";
import { percentile } from "../failover/statistics.ts";

/** A stream that had begun at an engine when that engine failed. */
export interface CutStream {
  readonly record: RequestRecord;
  /** From the fault to the next token. Infinity = none came. */
  readonly gapMs: number;
}

export interface StreamBars {
  readonly faults: number;
  /** What its client may see at most of a gap, 99 in 100, beside what the next engine needs to read the prompt again. */
  readonly gapP99MaxMs: number;
  /** Whose gaps count; absent = all. The others are read again all the same, and waited for. */
  readonly isGapCounted?: (record: RequestRecord) => boolean;
}

/** The streams that a fault met in their middle. The gateway names an engine in the head alone: of one that moved before, that is its first. */
export const cutBy = (records: readonly RequestRecord[], fault: FaultWindow): readonly CutStream[] =>
  records
    .filter((record) => placeOf(record, fault) === "mid-stream")
    .map((record) => {
      const nextAtMs = record.tokenTimesMs.find((atMs) => atMs > fault.atMs);
      return { record, gapMs: nextAtMs === undefined ? Number.POSITIVE_INFINITY : nextAtMs - fault.atMs };
    })
    // What was all written, and only on its way to its client.
    .filter(({ record, gapMs }) => record.outcome !== "complete" || Number.isFinite(gapMs));

/** What the next engine reads again before the last of them has its next token: all their prompts, and what their clients were shown. */
function rereadMs(model: EngineModel, cut: readonly CutStream[]): number {
  const tokens = cut.reduce((sum, { record }) => sum + record.promptTokens + record.tokenTimesMs.length, 0);
  return modelledPrefillMs(model.profile, tokens, model.survivor);
}

export function barsOf(
  records: readonly RequestRecord[],
  faults: readonly FaultWindow[],
  of: { readonly bars: StreamBars; readonly model: EngineModel },
): readonly Bar[] {
  const cut = faults.map((fault) => cutBy(records, fault));
  const met = cut.filter((streams) => streams.length > 0).length;
  const all = cut.flatMap((streams) => {
    const queueMs = rereadMs(of.model, streams);
    const counted = streams.filter(({ record }) => of.bars.isGapCounted?.(record) ?? true);
    return counted.map(({ record, gapMs }) => ({ record, gapMs: Math.max(0, gapMs - queueMs) }));
  });
  const count = (outcome: RequestRecord["outcome"]): number => records.filter((record) => record.outcome === outcome).length;
  const incomplete = records.filter(({ outcome }) => outcome !== "complete").length;
  const contexts = [...new Set(records.map(({ promptTokens }) => sizeOf(promptTokens)))].toSorted((a, b) => a - b);
  return [
    atLeast("faults that met streams", met, { min: of.bars.faults, unit: "faults" }),
    atMost("streams that were not complete", incomplete, { max: 0, unit: "streams" }),
    atMost("wrong, lost, repeated or missing tokens", count("wrong"), { max: 0, unit: "streams" }),
    atMost("silent truncations", count("truncated"), { max: 0, unit: "streams" }),
    ...contexts.map((size) => {
      const gaps = all.filter(({ record }) => sizeOf(record.promptTokens) === size).map(({ gapMs }) => gapMs);
      return atMost(`gap less prefill and queue, p99, context ${size}`, percentile(gaps, 0.99), { max: of.bars.gapP99MaxMs, unit: "ms" });
    }),
  ];
}

/** The mix's own sizes; an engine counts some tokens of its template too. */
function sizeOf(promptTokens: number): number {
  return promptTokens < 1_000 ? 128 : promptTokens < 10_000 ? 2_048 : 16_384;
}
