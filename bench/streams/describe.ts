import type { FaultWindow } from "../failover/judge.ts";
import type { RequestRecord } from "../failover/request-record.ts";
import { endsByError } from "./judge-mix.ts";
import { cutBy } from "./judge-streams.ts";

const SHOWN_MAX = 8;

/** For people: streams that ended otherwise than they must, and the longest gaps of those that went on, each beside the fault before. */
export function describeFaults(records: readonly RequestRecord[], faults: readonly FaultWindow[]): readonly string[] {
  const cut = faults.map((fault) => ({ fault, streams: cutBy(records, fault) }));
  const count = cut.reduce((sum, { streams }) => sum + streams.length, 0);
  const lost = records.filter((record) => record.outcome !== "complete" && !(endsByError(record.kind) && record.outcome === "error-event"));
  const slowest = cut
    .flatMap(({ streams }, at) => streams.map(({ record, gapMs }) => ({ at, record, gapMs, beside: streams.length })))
    .filter(({ gapMs }) => Number.isFinite(gapMs))
    .toSorted((a, b) => b.gapMs - a.gapMs)
    .slice(0, SHOWN_MAX);
  return [
    `${faults.length} faults, ${count} streams in their middle, ${records.length} streams in all`,
    ...lost.slice(0, SHOWN_MAX).map((record) => describeLost(record, faults)),
    ...slowest.map(
      ({ at, record, gapMs, beside }) =>
        `slow: ${gapMs.toFixed(0)} ms at fault ${at + 1}, one of ${beside} (${record.kind}, prompt ${record.promptTokens}, ${record.tokenTimesMs.length} tokens), ${record.outcome}`,
    ),
  ];
}

function describeLost(
  { id, kind, outcome, note, instance, attempts, tokenTimesMs, arrivedAtMs, endedAtMs, promptTokens }: RequestRecord,
  faults: readonly FaultWindow[],
): string {
  const fault = faults.findLast(({ atMs }) => atMs <= endedAtMs);
  const since = (ms: number): string => (fault === undefined ? "?" : `${(ms - fault.atMs).toFixed(0)} ms`);
  return (
    `${outcome}: stream ${id} (${kind}, prompt ${promptTokens}) of ${instance}, attempts ${attempts}, ${tokenTimesMs.length} tokens, ${note}; ` +
    `arrived ${since(arrivedAtMs)} and ended ${since(endedAtMs)} after ${fault?.instance ?? "no fault"}`
  );
}
