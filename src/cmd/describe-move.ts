import type { FailoverRecord, RtoClock } from "../api/failover-record.ts";
import { parseFailoverRecord } from "../api/parse-failover-record.ts";
import type { Resource } from "../api/resource.ts";
import { parseWall } from "../base/time.ts";

/** The newest move of a service that was made; null = it never moved. */
export function lastMoveOf(records: readonly Resource[], service: string): FailoverRecord | null {
  const newestFirst = records.toSorted((one, other) => other.createdAt - one.createdAt);
  for (const resource of newestFirst) {
    const record = parseFailoverRecord(resource);
    if (!record.ok || record.value.service !== service || record.value.action === "resume") continue;
    const phase = record.value.status?.phase ?? "Requested";
    if (phase === "Running" || phase === "Completed" || phase === "Failed") return record.value;
  }
  return null;
}

const POINTS: readonly (readonly [keyof RtoClock, string])[] = [
  ["fault", "t0 fault"],
  ["detected", "t1 detected"],
  ["decided", "t2 decided"],
  ["targetReady", "t3 target ready"],
  ["routed", "t4 routed"],
  ["firstGoodToken", "t5 first good token"],
  ["redundant", "t6 redundant"],
];

/** Lines for people: what moved and why, the clock as offsets from its first point, and what it cost. */
export function formatMove(record: FailoverRecord): readonly string[] {
  const { status } = record;
  if (status === null) return [];
  const to = record.to ?? "the next rung";
  const head = `${record.name}: ${record.action} ${record.from} -> ${to}, cause ${record.cause}, by ${record.requestedBy}, ${status.phase}`;
  const { rtoMs, capacityRtoMs, mttrrMs, affected } = status;
  const times = [
    rtoMs === null ? "recovery time not measured" : `recovery ${formatMs(rtoMs)}`,
    ...(capacityRtoMs === null ? [] : [`capacity back after ${formatMs(capacityRtoMs)}`]),
    ...(mttrrMs === null ? [] : [`redundancy back after ${formatMs(mttrrMs)}`]),
  ];
  return [
    head,
    ...(status.reason === "" ? [] : [status.reason]),
    formatClock(status.clock),
    `${affected.requests} requests affected, ${affected.lost} lost; ${times.join(", ")}`,
  ].filter((line) => line !== "");
}

/** A planned move has no fault: then the offsets count from its decision. */
function formatClock(clock: RtoClock): string {
  const known = POINTS.flatMap(([point, title]) => {
    const text = clock[point];
    const at = text === null ? null : parseWall(text);
    return at === null ? [] : [{ title, at, text: text ?? "" }];
  });
  const [first] = known;
  if (first === undefined) return "";
  return known
    .map(({ title, at, text }) => (at === first.at && title === first.title ? `${title} ${text}` : `${title} ${signedMs(at - first.at)}`))
    .join(", ");
}

const formatMs = (ms: number): string => `${Math.round(ms)} ms`;
const signedMs = (ms: number): string => `${ms < 0 ? "-" : "+"}${formatMs(Math.abs(ms))}`;
