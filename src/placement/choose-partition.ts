import type { PartitionMode } from "../api/gpu-partition.ts";
import { TOOLKIT_LEAST } from "../api/container-toolkit.ts";
import { formatBytes } from "../base/bytes.ts";
import { err, ok, type Explanation, type Result } from "../base/result.ts";
import { chooseMigShare, type MigShare } from "./choose-mig-share.ts";
import { DEFAULT_PLANNING_LOSS_PERCENT, isolationRank, PARTITION_MODES, type PlanningLossPercent } from "./partition-modes.ts";
import type {
  CandidateGpu,
  GpuCut,
  ModeRefusal,
  ModeRefusalCode,
  PartitionRequirements,
  PartitionShare,
} from "./partition-requirements.ts";

export type ChosenShare = PartitionShare | MigShare;
/** One line for each mode: taken, possible but dearer, or refused. */
export type ModeVerdict = { readonly mode: PartitionMode; readonly why: string } & (
  | { readonly verdict: "chosen" | "dearer"; readonly cardRatio: number }
  | { readonly verdict: "refused"; readonly code: ModeRefusalCode }
);
export interface PartitionChoice {
  readonly share: ChosenShare;
  /** Only ever true of exclusive and MIG. */
  readonly isHard: boolean;
  /** In the order of PARTITION_MODES. */
  readonly verdicts: readonly ModeVerdict[];
}
export interface NoPartition {
  /** ISOLATION_UNAVAILABLE: no mode that would do can be used here; else what the nearest one lacks. */
  readonly code:
    | "ISOLATION_UNAVAILABLE"
    | "TENANTS_MIXED"
    | "NO_CAPACITY"
    | "TOO_MANY_HOLDERS"
    | "PERFORMANCE"
    | "GEOMETRY"
    | "GEOMETRY_UNKNOWN";
  readonly verdicts: readonly ModeVerdict[];
}

const MODES: readonly PartitionMode[] = ["exclusive", "mig", "vgpu", "mps", "time-slicing"];

/**
 * The mode that takes least of the card among those that isolate enough and leave enough compute, soft ones first where strong isolation is
 * not asked for; of equals the one that loses least, then the one that isolates more. Every mode gets a verdict with its arithmetic.
 */
export function choosePartition(
  needs: PartitionRequirements,
  gpu: CandidateGpu,
  loss: PlanningLossPercent = DEFAULT_PLANNING_LOSS_PERCENT,
): Result<PartitionChoice, NoPartition> {
  const answers = MODES.map((mode) => ({ mode, share: shareIn(mode, { needs, gpu }, loss) }));
  const best = cheapest(
    answers.map(({ share }) => share),
    { needs, loss },
  );
  const verdicts = answers.map(({ mode, share }): ModeVerdict => {
    if (!share.ok) return { mode, verdict: "refused", code: share.error.code, why: share.error.why() };
    const { cardRatio } = share.value;
    const verdict = share.value === best ? "chosen" : "dearer";
    return { mode, verdict, cardRatio, why: explainShare(share.value, { needs, gpu, lossPercent: loss[mode] }) };
  });
  if (best === null) return err({ code: codeOf(verdicts), verdicts });
  return ok({ share: best, isHard: PARTITION_MODES[best.mode].isHard, verdicts });
}

interface Wish {
  readonly needs: PartitionRequirements;
  readonly gpu: CandidateGpu;
}
interface Question extends Wish {
  readonly lossPercent: number;
}

/** What `choosePartition` takes, without its reasons: for whoever asks of many GPUs. null = nothing. */
export const cheapestShare = (wish: Wish, loss: PlanningLossPercent = DEFAULT_PLANNING_LOSS_PERCENT): ChosenShare | null =>
  cheapest(
    MODES.map((mode) => shareIn(mode, wish, loss)),
    { needs: wish.needs, loss },
  );

interface Preference {
  readonly needs: PartitionRequirements;
  readonly loss: PlanningLossPercent;
}

function cheapest(answers: readonly Result<ChosenShare, ModeRefusal>[], by: Preference): ChosenShare | null {
  let best: ChosenShare | null = null;
  for (const answer of answers) if (answer.ok && (best === null || compareShares(answer.value, best, by) < 0)) best = answer.value;
  return best;
}

/** The share in this one mode. @errors with what stands in its way. */
export function shareIn(
  mode: PartitionMode,
  { needs, gpu }: Wish,
  loss: PlanningLossPercent = DEFAULT_PLANNING_LOSS_PERCENT,
): Result<ChosenShare, ModeRefusal> {
  const question = { needs, gpu, lossPercent: loss[mode] };
  const refusal = unsuitable(mode, question);
  if (refusal !== null) return err(refusal);
  if (mode === "mig") return chooseMigShare(question);
  return mode === "exclusive" ? wholeCard(question) : softShare(mode, question);
}

/** Why the mode is not for this instance, or not for this GPU as it is now. */
function unsuitable(mode: PartitionMode, { needs, gpu }: Question): ModeRefusal | null {
  const { isolation } = PARTITION_MODES[mode];
  if (isolationRank(isolation) < isolationRank(needs.isolation)) {
    return { code: "ISOLATION_UNAVAILABLE", why: () => `It isolates ${describe(mode)}; asked is ${needs.isolation}.` };
  }
  if (needs.isWholeGpu && mode !== "exclusive") return { code: "WHOLE_GPU_ASKED", why: () => "The instance wants its GPU for itself." };
  if (!gpu.modes.includes(mode))
    return { code: "NOT_OFFERED", why: () => `This GPU's driver offers ${gpu.modes.join(", ") || "no mode"}.` };
  const { cut } = gpu;
  if (cut !== null && !mayJoin(mode, cut)) return { code: "OTHER_MODE", why: () => `The GPU is ${describeCut(cut)} now.` };
  const mixed = tenantsMixed(needs, gpu);
  if (mixed !== null) return mixed;
  if (mode === "time-slicing" && !needs.mayBeOversold) {
    const why = (): string => "Nothing limits a neighbour's memory there; only an explicit class of bronze agrees to that.";
    return { code: "OPT_IN_NEEDED", why };
  }
  return null;
}

/** Whom it would meet there and must not; null = nobody. */
export function tenantsMixed({ tenant }: PartitionRequirements, { tenants, unsafeToolkit }: CandidateGpu): ModeRefusal | null {
  if (unsafeToolkit === null) return null;
  const others = [...tenants].filter((other) => other !== tenant);
  if (others.length === 0) return null;
  const whose = others[0] ?? "a process of no known tenant";
  const why = (): string =>
    `${whose} is on the GPU, and its node has NVIDIA Container Toolkit ${unsafeToolkit}: below ${TOOLKIT_LEAST} a container can reach its neighbours.`;
  return { code: "TENANTS_MIXED", why };
}

/** A GPU is in one mode at a time; what nobody promised keeps a card from being given whole, or cut. */
const mayJoin = (mode: PartitionMode, cut: GpuCut): boolean =>
  mode !== "exclusive" && (cut.mode === mode || (cut.mode === null && mode !== "mig"));

const describeCut = ({ mode }: GpuCut): string =>
  mode === null ? "in use by a process that was promised nothing" : mode === "exclusive" ? "held whole" : `cut by ${mode}`;

const describe = (mode: PartitionMode): string => {
  const { isolation, memory, faults } = PARTITION_MODES[mode];
  return `${isolation} (memory kept by ${memory}, faults ${faults})`;
};

function wholeCard({ needs, gpu }: Question): Result<PartitionShare, ModeRefusal> {
  if (needs.memoryBytes > gpu.memoryBytes) return err(noRoom(needs.memoryBytes, gpu.memoryBytes));
  return ok({ mode: "exclusive", memoryBytes: gpu.memoryBytes, computePercent: 100, cardRatio: 1 });
}

/** A share that is accounted for: bytes, and a least share of compute that is enlarged by what the mode loses. */
function softShare(mode: "vgpu" | "mps" | "time-slicing", { needs, gpu, lossPercent }: Question): Result<PartitionShare, ModeRefusal> {
  const used = gpu.cut === null || gpu.cut.mode === "mig" || gpu.cut.mode === "exclusive" ? null : gpu.cut;
  const { maxHolders } = PARTITION_MODES[mode];
  if (maxHolders !== null && used !== null && used.holderCount >= maxHolders) {
    return err({ code: "TOO_MANY_HOLDERS", why: () => `It has ${used.holderCount} holders of at most ${maxHolders}.` });
  }
  const freeBytes = gpu.memoryBytes - (used?.usedBytes ?? 0);
  if (needs.memoryBytes > freeBytes) return err(noRoom(needs.memoryBytes, freeBytes));
  const askedPercent = (needs.leastComputePercent * 100) / (100 - lossPercent);
  const freePercent = 100 - (used?.promisedPercent ?? 0);
  if (askedPercent > freePercent) {
    const why = (): string =>
      `To leave ${needs.leastComputePercent} % after ${lossPercent} % of loss it needs ${round(askedPercent)} % of the card; ${round(freePercent)} % are not promised.`;
    return err({ code: "PERFORMANCE", why });
  }
  const cardRatio = Math.max(needs.memoryBytes / gpu.memoryBytes, askedPercent / 100);
  return ok({ mode, memoryBytes: needs.memoryBytes, computePercent: needs.ceilingPercent, cardRatio });
}

const noRoom = (neededBytes: number, freeBytes: number): ModeRefusal => ({
  code: "NO_CAPACITY",
  why: () => `It needs ${formatBytes(neededBytes)}; ${formatBytes(freeBytes)} are free.`,
});

const compareShares = (one: ChosenShare, other: ChosenShare, { needs, loss }: Preference): number =>
  Number(isFixed(one, needs)) - Number(isFixed(other, needs)) ||
  one.cardRatio - other.cardRatio ||
  loss[one.mode] - loss[other.mode] ||
  isolationRank(PARTITION_MODES[other.mode].isolation) - isolationRank(PARTITION_MODES[one.mode].isolation) ||
  MODES.indexOf(one.mode) - MODES.indexOf(other.mode);

/** A hard share cannot use what its neighbours leave idle: taken where that isolation is asked for, or nothing else is there. */
const isFixed = ({ mode }: ChosenShare, { isolation }: PartitionRequirements): boolean =>
  PARTITION_MODES[mode].isHard && isolation !== "strong";

function explainShare(share: ChosenShare, { needs, gpu, lossPercent }: Question): string {
  const { mode } = share;
  const place = "profileName" in share ? ` as ${share.profileName} at slice ${share.placement.start}` : "";
  const kept = PARTITION_MODES[share.mode].isHard ? "hard" : "soft";
  const fixed = mode === "mig" && isFixed(share, needs) ? " Its compute is fixed, which nobody asked for." : "";
  return `It takes ${round(share.cardRatio * 100)} % of the card${place}: ${formatBytes(share.memoryBytes)} of ${formatBytes(gpu.memoryBytes)}, ${kept}, with ${lossPercent} % of compute planned as lost.${fixed}`;
}

/** The nearest mode lacks room or compute; only where none is suitable at all is it the isolation. */
function codeOf(verdicts: readonly ModeVerdict[]): NoPartition["code"] {
  const codes = new Set(verdicts.flatMap((verdict) => (verdict.verdict === "refused" ? [verdict.code] : [])));
  const nearest = ["GEOMETRY", "PERFORMANCE", "NO_CAPACITY", "TOO_MANY_HOLDERS", "GEOMETRY_UNKNOWN", "TENANTS_MIXED"] as const;
  return nearest.find((code) => codes.has(code)) ?? "ISOLATION_UNAVAILABLE";
}

/** What was chosen and what it leaves out, or why nothing was. */
export function explainChoice(choice: Result<PartitionChoice, NoPartition>): Explanation {
  const lines = (of: readonly ModeVerdict[]): string => of.map(({ mode, why }) => `${mode}: ${why}`).join(" ");
  if (!choice.ok) {
    const next = "Use another GPU, ask for less isolation, memory or compute, or offer another mode on this one.";
    return { what: "No mode gives this instance its share of this GPU.", why: lines(choice.error.verdicts), next };
  }
  const { share, isHard, verdicts } = choice.value;
  const what = `The share is cut by ${share.mode}${isHard ? "" : "; it is not hard"}.`;
  const next = isHard ? "Nothing." : `Who keeps it: ${PARTITION_MODES[share.mode].enforcedBy}.`;
  return {
    what,
    why: lines(verdicts.toSorted((one, other) => Number(other.verdict === "chosen") - Number(one.verdict === "chosen"))),
    next,
  };
}

const round = (value: number): number => Number(value.toFixed(1));
