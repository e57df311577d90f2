import { ASK_KINDS, type AskKind } from "../failover/ask-kind.ts";
import type { EngineModel, FaultWindow } from "../failover/judge.ts";
import { atLeast, atMost, type Bar } from "../failover/report.ts";
import type { RequestRecord } from "../failover/request-record.ts";
import { barsOf, cutBy, type CutStream, type StreamBars } from "./judge-streams.ts";

/** How answers of each kind outlive their engine: what cannot be continued exactly says so. */
const WAYS: Readonly<Record<AskKind, { readonly name: string; readonly way: string; readonly endsByError: boolean }>> = {
  plain: { name: "plain text", way: "continued", endsByError: false },
  tool: { name: "tools", way: "made again and the same", endsByError: false },
  json: { name: "JSON", way: "made again and the same", endsByError: false },
  choices: { name: "n > 1", way: "ended by an error event", endsByError: true },
  logprobs: { name: "log probabilities", way: "ended by an error event", endsByError: true },
};

export const endsByError = (kind: AskKind): boolean => WAYS[kind].endsByError;

/** Of a mix of kinds: nothing is wrong, cut off or lost without a word, and each kind goes on, or ends, in its own way. */
export function mixBarsOf(
  records: readonly RequestRecord[],
  faults: readonly FaultWindow[],
  of: { readonly bars: StreamBars; readonly model: EngineModel },
): readonly Bar[] {
  const gaps = barsOf(records, faults, { ...of, bars: { ...of.bars, isGapCounted: ({ kind }) => kind === "plain" } });
  const cut = faults.map((fault) => cutBy(records, fault));
  const mustEnd = (record: RequestRecord): boolean => WAYS[record.kind].endsByError && record.outcome === "error-event";
  const lost = records.filter((record) => record.outcome !== "complete" && !mustEnd(record));
  const count = (outcome: RequestRecord["outcome"]): number => records.filter((record) => record.outcome === outcome).length;
  return [
    atLeast("faults that met streams", cut.filter((streams) => streams.length > 0).length, { min: of.bars.faults, unit: "faults" }),
    atMost("spliced, wrong, lost, repeated or missing tokens", count("wrong"), { max: 0, unit: "streams" }),
    atMost("silent truncations", count("truncated"), { max: 0, unit: "streams" }),
    atMost("streams that neither were complete nor had to end by an error", lost.length, { max: 0, unit: "streams" }),
    ...ASK_KINDS.map((kind) => shareBar(kind, cut.flat())),
    ...gaps.filter(({ name }) => name.startsWith("gap ")),
  ];
}

/** Of the streams of a kind that a fault met in their middle: how many went on, or ended, in the way of the kind. */
function shareBar(kind: AskKind, cut: readonly CutStream[]): Bar {
  const { name, way, endsByError } = WAYS[kind];
  const met = cut.filter(({ record }) => record.kind === kind);
  // Whose last tokens were written when its engine died is whole, whatever kind it is.
  const inItsWay = met.filter(({ record: { outcome } }) => outcome === "complete" || (endsByError && outcome === "error-event"));
  const percent = met.length === 0 ? 0 : (100 * inItsWay.length) / met.length;
  return atLeast(`${name}: ${way}, of ${met.length} cut streams`, percent, { min: 100, unit: "%" });
}
