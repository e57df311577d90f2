import { OURS, type PolicyName } from "./policies.ts";
import type { Published } from "./published.ts";
import type { RunOutcome } from "./run-trace.ts";

/** One policy on one trace, a run for each seed in the same order. */
export interface PolicyRuns {
  readonly trace: string;
  readonly policy: PolicyName;
  readonly runs: readonly RunOutcome[];
}

export interface PlacementRow {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  readonly must: string;
  readonly pass: boolean;
}

/** What no policy may miss on the default trace: the paper's best seed of FGD, rounded up. */
const DEFAULT_ALLOCATION_MIN = 95.4;
/** How far a published policy may be off here: other random generator, so other orders of arrival. */
const HARNESS_OFF_MAX: Readonly<Record<string, number>> = { random: 0.3, "best-fit": 0.6, fgd: 0.6 };
/** Where our own FGD comes this close to the published one, ours must beat that as well. */
const COMPARABLE_OFF_MAX = 0.3;
const DECISIONS_PER_SECOND_MIN = 10_000;

/** Allocation at 100 % load and what it must be; the last ones are of all traces together. */
export function judgeRuns(all: readonly PolicyRuns[], published: Published): readonly PlacementRow[] {
  const rows = all.flatMap((one) => {
    const fgd = all.find(({ trace, policy }) => trace === one.trace && policy === "fgd");
    return [allocationRow(one, fgd, published), ...(one.policy === OURS && fgd !== undefined ? pairedRows(one, fgd) : [])];
  });
  return [...rows, ...speedRows(all), ...checkRows(all)];
}

/** In the order of the runs; NaN = the arrivals never came to that load. */
const allocationsOf = ({ runs }: PolicyRuns): readonly number[] => runs.map(({ at }) => at[100].allocation ?? Number.NaN);

export const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function allocationRow(one: PolicyRuns, fgd: PolicyRuns | undefined, published: Published): PlacementRow {
  const value = meanOf(allocationsOf(one));
  const row = { name: `allocation ${one.trace} ${one.policy}`, value, unit: "%" };
  if (one.policy === OURS) {
    const leastOf = [one.trace === "default" ? DEFAULT_ALLOCATION_MIN : 0];
    if (fgd !== undefined) {
      const own = meanOf(allocationsOf(fgd));
      const theirs = published(one.trace, "fgd", 100);
      leastOf.push(own);
      if (theirs !== null && Math.abs(own - theirs) <= COMPARABLE_OFF_MAX) leastOf.push(theirs);
    }
    const least = Math.max(...leastOf);
    return { ...row, must: `> ${least.toFixed(2)}`, pass: value > least };
  }
  const theirs = published(one.trace, one.policy, 100);
  const offMax = HARNESS_OFF_MAX[one.policy];
  if (one.trace === "default" && theirs !== null && offMax !== undefined)
    return { ...row, must: `${theirs} +- ${offMax}`, pass: Math.abs(value - theirs) <= offMax };
  return { ...row, must: theirs === null ? "reported" : `reported; published ${theirs}`, pass: Number.isFinite(value) };
}

/** Same orders of arrival, so each seed can be compared. */
function pairedRows(ours: PolicyRuns, fgd: PolicyRuns): readonly PlacementRow[] {
  const theirs = allocationsOf(fgd);
  const gains = allocationsOf(ours).map((value, at) => value - (theirs[at] ?? Number.NaN));
  const least = Math.min(...gains);
  const mean = meanOf(gains);
  return [
    { name: `gain over own fgd ${ours.trace}, mean of seeds`, value: mean, unit: "points", must: "> 0", pass: mean > 0 },
    {
      name: `gain over own fgd ${ours.trace}, worst seed`,
      value: least,
      unit: "points",
      must: ours.trace === "default" ? ">= 0" : "reported",
      pass: ours.trace === "default" ? least >= 0 : Number.isFinite(least),
    },
  ];
}

/** Of the runs whose allocation stands above. */
function speedRows(all: readonly PolicyRuns[]): readonly PlacementRow[] {
  const ours = all.filter(({ policy }) => policy === OURS).flatMap(({ runs }) => runs);
  if (ours.length === 0) return [];
  const slowest = Math.min(...ours.map(({ decisionsPerSecond }) => decisionsPerSecond));
  const p99Us = Math.max(...ours.map(({ decisionP99Us }) => decisionP99Us));
  return [
    {
      name: `decisions per second ${OURS}, slowest run`,
      value: slowest,
      unit: "per second",
      must: `>= ${DECISIONS_PER_SECOND_MIN}`,
      pass: slowest >= DECISIONS_PER_SECOND_MIN,
    },
    { name: `decision p99 ${OURS}, slowest run`, value: p99Us, unit: "us", must: "reported", pass: Number.isFinite(p99Us) },
  ];
}

function checkRows(all: readonly PolicyRuns[]): readonly PlacementRow[] {
  const violations = all.flatMap(({ runs }) => runs).reduce((sum, run) => sum + run.violations, 0);
  return [{ name: "over-commits and wrong models, all runs", value: violations, unit: "places", must: "<= 0", pass: violations === 0 }];
}
