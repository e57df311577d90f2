import { MIG_GPUS, MIG_PROFILES, MIG_SHAPES, type MigGpu } from "../api/mig-geometry.ts";
import { DEFAULT_PLANNING_LOSS_PERCENT, PARTITION_MODES } from "./partition-modes.ts";

/** docs/reference/partition-modes.md: the ways to cut a GPU, from the same tables that the allocator chooses by. */
export const renderModeReference = (): string => `${[INTRODUCTION, modes(), profiles(), cards()].join("\n\n")}\n`;

const INTRODUCTION = `# Ways to cut a GPU

Written by \`node scripts/make-mode-reference.ts\` from src/placement and src/api; a test says that it is current.
\`tidegate place --dry-run\` says which of them an instance gets, and why not the others: the least costly that isolates as much as its \`isolation\` asks.`;

const MODES = ["exclusive", "mig", "vgpu", "mps", "time-slicing"] as const;

function modes(): string {
  const rows = MODES.map((mode) => {
    const traits = PARTITION_MODES[mode];
    return row([
      mode,
      `${traits.isolation}${traits.isHard ? ", hard" : ""}`,
      `${DEFAULT_PLANNING_LOSS_PERCENT[mode]} %`,
      traits.flexibility,
      traits.faults,
      `${traits.memory} / ${traits.compute}`,
      traits.maxHolders === null ? "no limit known" : `${traits.maxHolders}`,
      traits.limits,
      traits.changesWhileRunning,
      traits.enforcedBy,
    ]);
  });
  return [
    "## Modes",
    "",
    "Hard: memory, compute and faults are all kept apart by hardware. Faults *shared*: one holder's can end all. Memory / compute: who keeps a holder within its share.",
    "The loss is a planning default of this project's model, not a measurement.",
    "",
    table(
      ["mode", "isolation", "loss", "flexibility", "faults", "memory / compute", "holders", "limits", "while holders run", "enforced by"],
      rows,
    ),
  ].join("\n");
}

function profiles(): string {
  const rows = MIG_PROFILES.map((profile) => {
    const { computeSlices, memorySlices, starts, maxCount } = MIG_SHAPES[profile];
    return row([profile, `${computeSlices} of 7`, `${memorySlices} of 8`, starts.join(", "), `${maxCount}`]);
  });
  return [
    "## MIG profiles",
    "",
    "The same on every card below. `1g+me` has the media engines, `1g-double` twice the memory of a 1g.",
    "",
    table(["profile", "compute slices", "memory slices", "legal starts", "at most"], rows),
  ].join("\n");
}

function cards(): string {
  const heads = MIG_PROFILES.filter((profile) => profile !== "1g+me");
  const rows = MIG_GPUS.map((gpu) => row([gpu.models.join(", "), gpu.starts, ...heads.map((profile) => figure(gpu, profile))]));
  return [
    "## Cards",
    "",
    "Name, MiB and multiprocessors of each profile. Starts *inferred*: nobody has read them from that card. Figures for plans and simulated cards: a real card is read.",
    "",
    table(["model", "starts", ...heads], rows),
  ].join("\n");
}

function figure({ figures }: MigGpu, profile: keyof MigGpu["figures"]): string {
  const { name, memoryMiB, multiprocessors } = figures[profile];
  return memoryMiB === null ? `${name}: not verified` : `${name}: ${memoryMiB}, ${multiprocessors ?? "?"}`;
}

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const table = (heads: readonly string[], rows: readonly string[]): string => [row(heads), row(heads.map(() => "---")), ...rows].join("\n");
