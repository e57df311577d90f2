import { formatPlacement } from "../api/mig-layout.ts";
import { formatBytes } from "../base/bytes.ts";
import type { CandidateReport } from "../placement/explain-candidates.ts";
import type { PlacementReport } from "../placement/explain-placement.ts";
import type { InstanceRequest, PlacedMember } from "../placement/placement-request.ts";
import { withoutControls } from "./explain.ts";
import { counted } from "./print-findings.ts";
import { formatTable, plainCell, type Cell, type Style, type Tone } from "./print-table.ts";

/** Of a fleet of many nodes the table shows so many of one kind; `-o json` shows all. */
const SHOWN_MAX = 8;
const TITLES = ["NODE", "VERDICT", "GPUS", "WHY"];
const TONES: Readonly<Record<CandidateReport["verdict"], Tone>> = { chosen: "good", possible: "plain", refused: "busy" };

/** Each instance with its place, and the nodes under it. */
export function formatPlacements(reports: readonly PlacementReport[], style: Style): string {
  if (reports.length === 0) return "No instance is asked for.\n";
  return `${reports.map((report) => formatReport(report, style)).join("\n")}\n${summary(reports)}\n`;
}

function formatReport({ request, outcome, candidates, notices }: PlacementReport, style: Style): string {
  const where =
    outcome.kind === "refused"
      ? "nowhere"
      : `${outcome.members.map(({ node, gpu }) => `${node}/${gpu}`).join(" ")}${shareOf(outcome.members)}${outcome.kind === "stands" ? ", where it stands" : ""}`;
  const title = withoutControls(`${request.instance} (${needsOf(request)}): ${where}`);
  const notes = notices.map(({ what, why }) => `  note: ${withoutControls(`${what} ${why}`)}\n`).join("");
  const room = outcome.kind !== "placed" && outcome.room !== null ? `  room: ${withoutControls(outcome.room)}\n` : "";
  return `${title}\n${notes}${room}${formatCandidates(candidates, style)}`;
}

function needsOf({ tier, level, memberBytes, isExclusive, isolation }: InstanceRequest): string {
  const each = formatBytes(Math.max(...memberBytes));
  const gpus = isExclusive ? counted(memberBytes.length, "whole GPU") : `a share of ${counted(memberBytes.length, "GPU")}`;
  const least = isExclusive || isolation === "none" ? "" : `, at least ${isolation} isolation`;
  return `${tier} ${level}, ${gpus} with ${each}${memberBytes.length > 1 ? " each" : ""}${least}`;
}

/** How the GPUs are cut for it; nothing where they are its own. */
function shareOf([first]: readonly PlacedMember[]): string {
  if (first === undefined || first.mode === "exclusive") return "";
  const { mode, mig, memoryBytes, computePercent } = first;
  if (mig === null) return ` by ${mode}, at most ${computePercent} % of it under contention`;
  return ` by MIG, ${formatPlacement(mig)}: ${formatBytes(memoryBytes)} and ${computePercent} % of its compute, its own`;
}

function formatCandidates(candidates: readonly CandidateReport[], style: Style): string {
  if (candidates.length === 0) return "";
  const shown = (["chosen", "possible", "refused"] as const).flatMap((verdict) => {
    const all = candidates.filter((candidate) => candidate.verdict === verdict);
    const left = all.length - SHOWN_MAX;
    const rows = all.slice(0, SHOWN_MAX).map(rowOf);
    return left > 0
      ? [...rows, [plainCell("..."), plainCell(verdict), plainCell(""), plainCell(`${left} more; -o json shows all.`)]]
      : rows;
  });
  const table = formatTable(TITLES, shown, style);
  return `${table
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n")}\n`;
}

const rowOf = ({ node, verdict, gpus, why }: CandidateReport): readonly Cell[] => [
  plainCell(node),
  { text: verdict, tone: TONES[verdict] },
  plainCell(gpus.join(" ")),
  plainCell(why),
];

function summary(reports: readonly PlacementReport[]): string {
  const count = (kind: PlacementReport["outcome"]["kind"]): number => reports.filter(({ outcome }) => outcome.kind === kind).length;
  return `${counted(reports.length, "instance")}: ${count("placed")} placed, ${count("stands")} where they stand, ${count("refused")} without a place. Nothing was changed.`;
}
