import { OUTCOMES, RTO_PHASES, type MoveReport, type ScenarioReport, type RtoPhase } from "./scenario-report.ts";

/** How far two worlds may lie apart in one run each: load and faults meet by chance. */
export const TOLERANCE = {
  /** Of a phase of the RTO clock: whichever of the two is more. */
  phaseMs: 750,
  phaseRatio: 0.5,
  /** Of the share of requests that end in one way: a fault meets some streams, or a few more. */
  outcomeRatio: 0.1,
} as const;

/** @returns where the two reports differ by more than the tolerance; empty = the worlds agree. */
export function compareReports(simulated: ScenarioReport, real: ScenarioReport): readonly string[] {
  const differences: string[] = [];
  if (simulated.verdict !== real.verdict) differences.push(`verdict: ${simulated.verdict} in the simulator, ${real.verdict} for real`);
  const unmetOf = ({ unmet }: ScenarioReport): string => unmet.map(({ expected }) => expected).join("; ") || "nothing";
  if (unmetOf(simulated) !== unmetOf(real)) differences.push(`not met: ${unmetOf(simulated)} in the simulator, ${unmetOf(real)} for real`);
  for (const kind of OUTCOMES) {
    const [left, right] = [shareOf(simulated, kind), shareOf(real, kind)];
    if (Math.abs(left - right) > TOLERANCE.outcomeRatio)
      differences.push(`${kind}: ${percent(left)} of the requests in the simulator, ${percent(right)} for real`);
  }
  for (const { name, rungs, moves } of simulated.services) {
    const other = real.services.find((service) => service.name === name);
    if (other === undefined) {
      differences.push(`${name}: not there for real`);
      continue;
    }
    if (rungs.join(" ") !== other.rungs.join(" "))
      differences.push(`${name}, rungs: ${rungs.join(" > ")} in the simulator, ${other.rungs.join(" > ")} for real`);
    differences.push(...compareMoves(name, moves, other.moves));
  }
  return differences;
}

/** A gateway's times: where no request was on an engine as it died, nobody took them. That is chance, in each world its own. */
const BY_REQUESTS: readonly RtoPhase[] = ["detected", "firstGoodToken"];

function compareMoves(service: string, simulated: readonly MoveReport[], real: readonly MoveReport[]): readonly string[] {
  const kindsOf = (moves: readonly MoveReport[]): string =>
    moves.map(({ action, from, to }) => `${action} ${from} > ${to ?? "?"}`).join(", ");
  if (kindsOf(simulated) !== kindsOf(real))
    return [`${service}, moves: ${kindsOf(simulated) || "none"} in the simulator, ${kindsOf(real) || "none"} for real`];
  return simulated.flatMap((move, index) =>
    RTO_PHASES.flatMap((phase) => {
      const [left, right] = [move.phasesMs[phase], real[index]?.phasesMs[phase] ?? null];
      if (isNear(left, right)) return [];
      if (BY_REQUESTS.includes(phase) && (left === null || right === null)) return [];
      const shown = (valueMs: number | null): string => (valueMs === null ? "never" : `${valueMs} ms`);
      return [`${service}, ${move.from} > ${move.to ?? "?"}, ${phase}: ${shown(left)} in the simulator, ${shown(right)} for real`];
    }),
  );
}

function isNear(leftMs: number | null, rightMs: number | null): boolean {
  if (leftMs === null || rightMs === null) return leftMs === rightMs;
  return Math.abs(leftMs - rightMs) <= Math.max(TOLERANCE.phaseMs, TOLERANCE.phaseRatio * Math.max(Math.abs(leftMs), Math.abs(rightMs)));
}

function shareOf({ outcomes }: ScenarioReport, kind: (typeof OUTCOMES)[number]): number {
  const total = OUTCOMES.reduce((sum, one) => sum + outcomes[one], 0);
  return total === 0 ? 0 : outcomes[kind] / total;
}

const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
