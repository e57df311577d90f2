import type { FailoverRecord } from "../api/failover-record.ts";
import { parseWall } from "../base/time.ts";
import { printExpectation } from "./print-scenario.ts";
import type { Expectation, LostKind, Scenario } from "./scenario.ts";
import {
  OUTCOMES,
  RTO_PHASES,
  type MoveReport,
  type RtoPhase,
  type ScenarioOutcome,
  type ScenarioReport,
  type ServiceReport,
  type Unmet,
} from "./scenario-report.ts";
import type { ServiceSeen } from "./scenario-watch.ts";
import type { WorldRequest } from "./world-client.ts";

/** All that a run has left behind. */
export interface Evidence {
  readonly requests: ReadonlyMap<string, readonly WorldRequest[]>;
  readonly seen: ReadonlyMap<string, ServiceSeen>;
  readonly records: readonly FailoverRecord[];
  /** The first event, or the start of the load. */
  readonly fromMs: number;
  readonly loadEndsAtMs: number;
  readonly wholeAfterMs: number | null;
  /** Why it is not whole; null = it is, or nobody waited. */
  readonly notWhole: string | null;
  /** What no file has to state: it must never be. */
  readonly troubles: readonly Unmet[];
}

/** Pure: the same evidence gives the same report, from whichever world it comes. */
export function judgeScenario(scenario: Scenario, evidence: Evidence, of: Pick<ScenarioReport, "name" | "world">): ScenarioReport {
  const outcomes = countOutcomes(scenario, evidence.requests);
  const services = scenario.services.map(({ name }) => serviceReport(name, evidence));
  const known = { evidence, outcomes, services };
  const unmet = [...evidence.troubles];
  for (const { planted, expectation } of scenario.expectations) {
    const found = whatElse(expectation, known);
    if (found !== null) unmet.push({ expected: printExpectation(expectation), planted, found });
  }
  const plantedCount = scenario.expectations.filter(({ planted }) => planted !== null).length;
  const isAsStated = unmet.length === plantedCount && unmet.every(({ planted }) => planted !== null);
  return {
    ...of,
    verdict: unmet.length === 0 ? "pass" : "fail",
    isAsStated,
    unmet,
    outcomes,
    services,
    wholeAfterMs: evidence.wholeAfterMs,
  };
}

interface Known {
  readonly evidence: Evidence;
  readonly outcomes: ScenarioReport["outcomes"];
  readonly services: readonly ServiceReport[];
}

/** @returns what was found instead; null = as expected. */
function whatElse(expectation: Expectation, { evidence, outcomes, services }: Known): string | null {
  if (expectation.kind === "no-lost") {
    const lost = OUTCOMES.filter((kind) => kind !== "complete" && outcomes[kind] > 0 && !isAllowed(kind, expectation.but));
    if (outcomes.complete === 0) return "nothing was answered";
    return lost.length === 0 ? null : lost.map((kind) => `${outcomes[kind]} ${kind}`).join(", ");
  }
  if (expectation.kind === "some") return outcomes[expectation.lost] > 0 ? null : "none";
  if (expectation.kind === "whole") return evidence.notWhole;
  const service = services.find(({ name }) => name === expectation.service);
  const seen = evidence.seen.get(expectation.service);
  if (service === undefined || seen === undefined) return "it was never seen";
  switch (expectation.kind) {
    case "rungs":
      return service.rungs.join(" ") === expectation.levels.join(" ") ? null : service.rungs.join(" ");
    case "recovery":
      return service.longestPauseMs <= expectation.maxMs ? null : `${service.longestPauseMs.toFixed(0)} ms`;
    case "wait":
      if (service.longestWaitMs === null) return "no stream was complete";
      return service.longestWaitMs <= expectation.maxMs ? null : `${service.longestWaitMs.toFixed(0)} ms`;
    case "failovers": {
      const count = service.moves.filter(isOwnFailover).length;
      return count === expectation.count ? null : `${count}`;
    }
    case "asleep":
      return seen.wasWoken ? "it was woken" : null;
    case "phase":
      return seen.phases.has(expectation.phase) ? null : [...seen.phases].join(", ");
    case "condition":
      return seen.conditions.has(expectation.type) ? null : `only ${[...seen.conditions].join(", ")}`;
  }
}

const isAllowed = (kind: ScenarioOutcome, but: readonly LostKind[]): boolean => but.some((one) => one === kind);

const isOwnFailover = ({ action, requestedBy, phase }: MoveReport): boolean =>
  action === "failover" && requestedBy === "automatic" && phase !== "Advised" && phase !== "Refused";

function countOutcomes(scenario: Scenario, requests: Evidence["requests"]): Readonly<Record<ScenarioOutcome, number>> {
  const counts = { complete: 0, refused: 0, "error-events": 0, broken: 0, wrong: 0, unended: 0 };
  for (const [service, ofService] of requests) {
    const known = new KnownAnswers(revisionCount(scenario, service));
    for (const { ask, outcome, text } of ofService) {
      // Whoever goes away is told nothing.
      if (outcome === "left") continue;
      if (outcome === "open") counts.unended += 1;
      else if (outcome === "error-event") counts["error-events"] += 1;
      else if (outcome !== "complete") counts[outcome] += 1;
      else counts[known.isRight(ask, text) ? "complete" : "wrong"] += 1;
    }
  }
  return counts;
}

/** Each revision of a model has an answer of its own. */
const revisionCount = ({ events }: Scenario, service: string): number =>
  1 + events.filter(({ event }) => event.kind === "set" && event.service === service && event.setting.kind === "revision").length;

/** Equal questions get equal answers; the first ones that are heard count as right. */
class KnownAnswers {
  readonly #perAskMax: number;
  readonly #byAsk = new Map<string, Set<string>>();

  constructor(perAskMax: number) {
    this.#perAskMax = perAskMax;
  }

  isRight(ask: string, text: string): boolean {
    const known = this.#byAsk.get(ask) ?? new Set();
    this.#byAsk.set(ask, known);
    if (known.size < this.#perAskMax) known.add(text);
    return known.has(text);
  }
}

function serviceReport(name: string, { requests, seen, records, fromMs, loadEndsAtMs }: Evidence): ServiceReport {
  const own = requests.get(name) ?? [];
  const complete = own.filter(({ outcome }) => outcome === "complete");
  const waitsMs = complete.flatMap(({ isStream, startedAtMs, firstByteAtMs }) =>
    isStream && firstByteAtMs !== null ? [firstByteAtMs - startedAtMs] : [],
  );
  const moves = records
    .filter(({ service, status }) => service === name && status !== null)
    .toSorted((left, right) => orderOf(left) - orderOf(right));
  return {
    name,
    rungs: seen.get(name)?.rungs ?? [],
    moves: moves.flatMap(moveReport),
    longestPauseMs: own.length === 0 ? 0 : longestPauseMs(complete, fromMs, loadEndsAtMs),
    longestWaitMs: waitsMs.length === 0 ? null : Math.max(...waitsMs),
  };
}

/** Advised and refused ones were never made, and come last. */
const orderOf = ({ status }: FailoverRecord): number => status?.epoch ?? Number.MAX_SAFE_INTEGER;

function longestPauseMs(complete: readonly WorldRequest[], fromMs: number, untilMs: number): number {
  const signs = complete
    .flatMap(({ isStream, firstByteAtMs, endedAtMs }) => [isStream ? firstByteAtMs : null, endedAtMs])
    .filter((atMs) => atMs !== null)
    .filter((atMs) => atMs > fromMs && atMs < untilMs);
  const times = [...signs.toSorted((left, right) => left - right), untilMs];
  return Math.max(...times.map((atMs, index) => atMs - (times[index - 1] ?? fromMs)));
}

function moveReport({ action, from, to, cause, requestedBy, status }: FailoverRecord): readonly MoveReport[] {
  if (status === null) return [];
  const { clock, phase } = status;
  const startMs = atMsOf(clock.fault) ?? atMsOf(clock.detected) ?? atMsOf(clock.decided);
  const phasesMs: Record<RtoPhase, number | null> = {
    detected: null,
    decided: null,
    targetReady: null,
    routed: null,
    firstGoodToken: null,
    redundant: null,
  };
  for (const one of RTO_PHASES) {
    const reachedMs = atMsOf(clock[one]);
    phasesMs[one] = reachedMs === null || startMs === null ? null : reachedMs - startMs;
  }
  return [{ action, from, to, cause, requestedBy, phase, phasesMs }];
}

const atMsOf = (instant: string | null): number | null => (instant === null ? null : parseWall(instant));
