import { FIELDS, type WrittenKind } from "./field-catalogue.ts";
import type { Field } from "./field.ts";
import { GPU_MODELS } from "./gpu-models.ts";
import { PROBLEM_CODES, WARNING_CODES } from "./problem.ts";
import { QOS_TABLE } from "./qos-table.ts";
import { TIER_TABLE } from "./tier-table.ts";
import { formatDuration } from "../base/time.ts";
import { formatBytes } from "../base/bytes.ts";

/** docs/reference/fields.md: every field of a manifest, from the same table that messages are made of. */
export function renderFieldReference(): string {
  const kinds: readonly WrittenKind[] = ["HotStandbyConfig", "GPUNode", "ReservationMap"];
  return `${[INTRODUCTION, tiers(), qosClasses(), ...kinds.map(kindSection), quantities(), codes()].join("\n\n")}\n`;
}

const INTRODUCTION = `# Fields of manifests

Written by \`node scripts/make-field-reference.ts\` from src/api; a test says that it is current.
Unknown fields are errors. A field marked *not yet* is read, checked and kept, and has no effect in this version: \`tidegate validate\` says so too.`;

function kindSection(kind: WrittenKind): string {
  const rows = FIELDS[kind].map(fieldRow);
  return [
    `## ${HEADINGS[kind]}`,
    "",
    ...INTRODUCTIONS[kind],
    "| field | form | example | absent | meaning |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

const HEADINGS: Readonly<Record<WrittenKind, string>> = {
  HotStandbyConfig: "HotStandbyConfig",
  GPUNode: "GPUNode",
  ReservationMap: "ConfigMap standby-gpu-reservation",
};
const INTRODUCTIONS: Readonly<Record<WrittenKind, readonly string[]>> = {
  HotStandbyConfig: [],
  GPUNode: [],
  ReservationMap: [
    'Of the namespace kube-system; any other ConfigMap is refused. Its fields stand in the YAML text under `data["reservation.yaml"]`. A',
    "HotStandbyConfig wins: the reservation fills levels that it does not write. `absent` is what holds where neither says anything.",
    "",
  ],
};

function fieldRow({ path, form, example, fallback, meaning, effect }: Field): string {
  const absent = fallback ?? "**required**";
  const text = `${meaning}${effect === "notYet" ? " *Not yet.*" : ""}`;
  return `| ${[`\`${path}\``, form, `\`${example}\``, absent, text].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function tiers(): string {
  const rows = Object.entries(TIER_TABLE).map(([tier, { hot, warm, coldReservedBytes, rtoTargetMs }]) => {
    const sharing = (isShared: boolean): string => (isShared ? "shared" : "exclusive");
    const warmText = warm === null ? "none" : `${warm.instanceCount}, ${sharing(warm.isShared)}, lend ${warm.lend}`;
    const cold = coldReservedBytes === 0 ? "none" : formatBytes(coldReservedBytes);
    return `| ${tier} | ${hot.instanceCount}, ${sharing(hot.isShared)} | ${warmText} | ${cold} | ${formatDuration(rtoTargetMs)} |`;
  });
  return [
    "## Tiers",
    "",
    "An absent level takes the row of the tier; `gpuCount: 0` takes a level away.",
    "",
    "| tier | hot instances | warm instances | cold reserve | RTO |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function qosClasses(): string {
  const rows = Object.entries(QOS_TABLE).map(
    ([name, row]) => `| ${name} | ${row.computePercent} % | ${row.memoryCapBytes / 2 ** 30} GiB |`,
  );
  return [
    "## QoS classes",
    "",
    "On shared GPUs only. The memory cap holds where the class is written out. Compute is shared by these figures as weights among those that work;",
    "nobody gets more than its ceiling while others want the rest, and who works alone has the whole card ([measured](../shares-bench.md)).",
    "",
    "| class | ceiling of compute | memory cap of a GPU |",
    "| --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function quantities(): string {
  return [
    "## Quantities, durations, GPU models",
    "",
    "- Bytes: `80GB` = `80G` = 80 x 10^9, `80Gi` = 80 x 2^30; also `K KB Ki M MB Mi T TB Ti B`. The unit is always written.",
    "- Durations: `5s`, `1m30s`, `500ms`, `1h`: whole numbers, largest unit first.",
    `- GPU models end in their memory: ${GPU_MODELS.map((model) => `\`${model}\``).join(", ")}, or any other name of that form.`,
  ].join("\n");
}

function codes(): string {
  const list = (of: readonly string[]): string => of.map((code) => `\`${code}\``).join(", ");
  return `## Codes\n\nProblems: ${list(PROBLEM_CODES)}.\n\nWarnings: ${list(WARNING_CODES)}.`;
}
