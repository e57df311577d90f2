import type { LadderPlace, RecordPhase } from "../api/failover-record.ts";
import type { JsonObject } from "../base/json.ts";
import type { LostKind } from "./scenario.ts";

/** Ends of requests, as their clients saw them. `wrong`: another answer than its equals got. `unended`: still open at the end. */
export type ScenarioOutcome = "complete" | LostKind | "wrong" | "unended";
export const OUTCOMES: readonly ScenarioOutcome[] = ["complete", "refused", "error-events", "broken", "wrong", "unended"];

/** Of the RTO clock, in its order. */
export const RTO_PHASES = ["detected", "decided", "targetReady", "routed", "firstGoodToken", "redundant"] as const;
export type RtoPhase = (typeof RTO_PHASES)[number];

export interface MoveReport {
  readonly action: "failover" | "failback" | "resume";
  readonly from: LadderPlace;
  readonly to: LadderPlace | null;
  readonly cause: string;
  readonly requestedBy: "automatic" | "operator";
  readonly phase: RecordPhase;
  /** Milliseconds from the fault (from the decision where nobody told of one); null = has not happened. */
  readonly phasesMs: Readonly<Record<RtoPhase, number | null>>;
}

export interface ServiceReport {
  readonly name: string;
  readonly rungs: readonly LadderPlace[];
  readonly moves: readonly MoveReport[];
  /** Between two signs of life (a stream's first byte, a complete end), from the first event to the end of the load. */
  readonly longestPauseMs: number;
  /** Of a complete stream, for its first byte; null = there was none. */
  readonly longestWaitMs: number | null;
}

export interface Unmet {
  /** As the file says it. */
  readonly expected: string;
  /** Name of the planted bug that must break it; null = it should have held. */
  readonly planted: string | null;
  readonly found: string;
}

export interface ScenarioReport {
  readonly name: string;
  readonly world: "simulator" | "real";
  /** Whether every expectation holds, planted ones included. */
  readonly verdict: "pass" | "fail";
  /** The verdict that the file states: pass, or a fail at exactly what is planted. */
  readonly isAsStated: boolean;
  readonly unmet: readonly Unmet[];
  readonly outcomes: Readonly<Record<ScenarioOutcome, number>>;
  readonly services: readonly ServiceReport[];
  /** From the end of the load and of the last fault; null = it was not waited for, or not within the bound. */
  readonly wholeAfterMs: number | null;
}

/** For people: a line for the run, and one for each thing worth a look. */
export function formatScenarioReport({
  name,
  world,
  verdict,
  isAsStated,
  unmet,
  outcomes,
  services,
  wholeAfterMs,
}: ScenarioReport): string {
  const counts = OUTCOMES.filter((kind) => outcomes[kind] > 0).map((kind) => `${outcomes[kind]} ${kind}`);
  const stated = isAsStated ? "as stated" : "NOT as stated";
  return [
    `${isAsStated ? "ok  " : "FAIL"} ${name} (${world}): ${verdict}, ${stated}; ${counts.join(", ")}`,
    ...unmet.map(({ expected, planted, found }) => `     ${planted === null ? "not met" : `planted ${planted}`}: ${expected}: ${found}`),
    ...services.flatMap(formatService),
    ...(wholeAfterMs === null ? [] : [`     whole after ${wholeAfterMs.toFixed(0)} ms`]),
    "",
  ].join("\n");
}

function formatService({ name, rungs, moves, longestPauseMs, longestWaitMs }: ServiceReport): readonly string[] {
  const wait = longestWaitMs === null ? "" : `, longest wait ${longestWaitMs.toFixed(0)} ms`;
  return [
    `     ${name}: ${rungs.join(" > ")}; longest pause ${longestPauseMs.toFixed(0)} ms${wait}`,
    ...moves.map(({ from, to, action, cause, phase, phasesMs }) => {
      const reached = RTO_PHASES.flatMap((one) => (phasesMs[one] === null ? [] : [`${one} ${phasesMs[one]}`]));
      return `       ${action} ${from} > ${to ?? "?"} (${cause}, ${phase}): ${reached.join(", ")} ms`;
    }),
  ];
}

export const scenarioReportJson = (report: ScenarioReport): JsonObject => ({
  ...report,
  unmet: report.unmet.map((one) => ({ ...one })),
  outcomes: { ...report.outcomes },
  services: report.services.map((service) => ({
    ...service,
    rungs: [...service.rungs],
    moves: service.moves.map((move) => ({ ...move, phasesMs: { ...move.phasesMs } })),
  })),
});
