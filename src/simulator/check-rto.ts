import type { FailoverRecord } from "../api/failover-record.ts";
import { parseWall } from "../base/time.ts";
import type { Violation } from "./checker.ts";
import type { ServiceView } from "./ladder-view.ts";
import type { WorldRequest } from "./world-client.ts";

/** What a gateway measures and what its client sees lie a network apart, and gateways make their clocks from ages. */
const DURATION_SLACK_MS = 200;
const CLOCK_SLACK_MS = 2_000;

export interface RtoEvidence {
  readonly service: ServiceView;
  readonly records: readonly FailoverRecord[];
  readonly requests: readonly WorldRequest[];
  readonly atMs: number;
  /** Virtual time = wall time less this. */
  readonly wallOffsetMs: number;
}

/** No recovery time and no loss is reported that no client has seen. */
export function judgeRto({ service, records, requests, atMs, wallOffsetMs }: RtoEvidence): readonly Violation[] {
  const found: Pick<Violation, "whom" | "what">[] = [];
  const worstMs = service.status?.rto.worstMs ?? 0;
  const longestMs = Math.max(0, ...requests.map((request) => durationMs(request, atMs)));
  if (worstMs > longestMs + DURATION_SLACK_MS)
    found.push({ whom: service.name, what: `its worst RTO is ${worstMs} ms, and no client waited longer than ${longestMs} ms` });
  for (const { name, service: of, status } of records) {
    if (of !== service.name || status === null) continue;
    const faultMs = status.clock.fault === null ? null : parseWall(status.clock.fault);
    if (faultMs === null) continue;
    const fromMs = faultMs - wallOffsetMs - CLOCK_SLACK_MS;
    const rtoMs = status.rtoMs ?? 0;
    // Who came while the loss lasted belongs to it, however late: its wait counts from its arrival.
    const lastedMs = [status.clock.firstGoodToken, status.clock.redundant].flatMap((time) =>
      time === null ? [] : (parseWall(time) ?? []),
    );
    const untilMs = Math.max(faultMs + rtoMs, ...lastedMs) - wallOffsetMs + CLOCK_SLACK_MS;
    const near = requests.filter(({ startedAtMs, endedAtMs }) => startedAtMs <= untilMs && (endedAtMs ?? atMs) >= fromMs);
    if (rtoMs > DURATION_SLACK_MS && !near.some((request) => durationMs(request, atMs) >= rtoMs - DURATION_SLACK_MS))
      found.push({ whom: name, what: `its RTO is ${rtoMs} ms, and no client of that time waited so long` });
    const lostCount = requests.filter(({ outcome }) => outcome !== "complete").length;
    if (status.affected.lost > lostCount)
      found.push({ whom: name, what: `${status.affected.lost} were lost, and clients saw ${lostCount}` });
  }
  return found.map((wrong) => ({ atMs, checker: "rto-seen", ...wrong }));
}

const durationMs = ({ startedAtMs, endedAtMs }: WorldRequest, nowMs: number): number => (endedAtMs ?? nowMs) - startedAtMs;
