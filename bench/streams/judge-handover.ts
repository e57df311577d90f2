import { atLeast, atMost, type Bar } from "../failover/report.ts";
import type { RequestRecord } from "../failover/request-record.ts";

/** Something that must be seen by nobody. */
export interface Disturbance {
  readonly kind: "reload" | "take-over";
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** The gateway was seen to have taken it up. */
  readonly isDone: boolean;
}

export interface HandoverRecords {
  /** Always so many in flight, on kept connections. */
  readonly streams: readonly RequestRecord[];
  /** Each on a connection of its own. */
  readonly arrivals: readonly RequestRecord[];
}

export interface HandoverMust {
  readonly reloads: number;
  readonly takeOvers: number;
  /** Gateway processes that run when all streams have ended and the old ones have had their time. */
  readonly gatewaysLeft: number;
}

const REFUSED = "ECONNREFUSED";

export function handoverBarsOf({ streams, arrivals }: HandoverRecords, all: readonly Disturbance[], must: HandoverMust): readonly Bar[] {
  const records = [...streams, ...arrivals];
  const count = (holds: (record: RequestRecord) => boolean): number => records.filter(holds).length;
  const done = (kind: Disturbance["kind"]): number => all.filter((one) => one.kind === kind && one.isDone).length;
  const metBy = (kind: Disturbance["kind"], among: readonly RequestRecord[]): number =>
    all.filter((one) => one.kind === kind && among.some((record) => isAcross(record, one))).length;
  const isRefused = ({ outcome, note }: RequestRecord): boolean => outcome === "no-answer" && note === REFUSED;
  return [
    atLeast("reloads", done("reload"), { min: must.reloads, unit: "reloads" }),
    atLeast("take-overs", done("take-over"), { min: must.takeOvers, unit: "take-overs" }),
    atLeast("take-overs that streams ran across", metBy("take-over", streams), { min: must.takeOvers, unit: "take-overs" }),
    atLeast("take-overs in which new connections were made", metBy("take-over", arrivals), { min: must.takeOvers, unit: "take-overs" }),
    atMost("refused connections", count(isRefused), { max: 0, unit: "requests" }),
    atMost(
      "reset, cut or unanswered",
      count((record) => ["no-answer", "truncated", "timeout", "error-event"].includes(record.outcome) && !isRefused(record)),
      { max: 0, unit: "requests" },
    ),
    atMost(
      "wrong answers",
      count(({ outcome }) => outcome === "wrong"),
      { max: 0, unit: "requests" },
    ),
    atMost(
      "error statuses",
      count(({ outcome }) => outcome === "error-status"),
      { max: 0, unit: "requests" },
    ),
    atMost("gateway processes at the end", must.gatewaysLeft, { max: 1, unit: "processes" }),
  ];
}

/** It was open at some moment of the disturbance. */
const isAcross = (record: RequestRecord, { startedAtMs, endedAtMs }: Disturbance): boolean =>
  record.arrivedAtMs <= endedAtMs && record.endedAtMs >= startedAtMs;
