import type { GpuPartition, UnplacedPartition } from "../api/gpu-partition.ts";
import type { FailoverRecord } from "../api/failover-record.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { Resource } from "../api/resource.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { formatPlacement } from "../api/mig-layout.ts";
import { formatBytes } from "../base/bytes.ts";
import { formatDuration } from "../base/time.ts";
import { isBudgetSpent, tellBudget } from "../failover/error-budget.ts";
import { whyHeld } from "../failover/move-budget.ts";
import { PARTITION_MODES } from "../placement/partition-modes.ts";
import { describeFailback, describeLadder, withoutControlPlane } from "./describe-ladder.ts";
import { formatMove } from "./describe-move.ts";
import { withoutControls } from "./explain.ts";
import { INSTANCE_TITLES, instanceCells } from "./instance-table.ts";
import { formatTable, plainCell, type Cell, type Style } from "./print-table.ts";

export interface Description {
  readonly resource: Resource;
  readonly config: HotStandbyConfig;
  /** null = no controller has looked at it yet. */
  readonly status: ServiceStatus | null;
  readonly partitions: readonly (GpuPartition | UnplacedPartition)[];
  /** The last move that was made; null = none. */
  readonly lastMove: FailoverRecord | null;
  readonly notCovered: readonly string[];
  readonly style: Style;
}

/** Sections for people, the state first and the reasons after it. */
export function formatDescription(description: Description): string {
  const sections = [
    summary(description),
    section("Ladder", ladder(description)),
    section("Instances", instances(description)),
    section("Reserved", reserved(description)),
    section("Conditions", conditions(description)),
    section("GPUs set aside", quarantined(description)),
    section("What happened, newest last", history(description)),
    section("Last move", description.lastMove === null ? "" : formatMove(description.lastMove).map(withoutControls).join("\n")),
    section("While the control plane is away", whileAway(description)),
    section("What the promise does not cover today", description.notCovered.map((line) => `- ${line}`).join("\n")),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

const section = (title: string, body: string): string => (body === "" ? "" : `${title}:\n${indented(body)}`);
const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");

function summary({ resource, config, status }: Description): string {
  const { model, failoverPolicy: policy } = config;
  const tier = `${config.tier}${config.isTierInferred ? ` (inferred from rtoTarget ${formatDuration(policy.rtoTargetMs)})` : ""}`;
  const rows: (readonly [string, string])[] = [
    ["Service", `${config.name}, tenant ${config.tenant}, tier ${tier}`],
    [
      "Model",
      `${model.name} ${model.revision} on ${model.engine}, weights ${formatBytes(model.weightsBytes)}, context ${model.contextLength} tokens`,
    ],
    ["Promise", promise(config)],
  ];
  if (status === null) rows.push(["State", "no controller has looked at it yet"]);
  else {
    const behind =
      status.observedGeneration === resource.generation
        ? ""
        : ` (generation ${resource.generation} is not taken up yet, ${status.observedGeneration} is)`;
    const { lastMs, worstMs } = status.rto;
    const pinned = status.pinned === null ? "" : " (pinned there by an operator)";
    const held = whyHeld(status.failovers, policy);
    rows.push([
      "State",
      `${status.phase}, belongs to ${status.level}${pinned}, epoch ${status.epoch}, revision ${status.revision}${behind}`,
    ]);
    const failback = describeFailback({ config, status });
    if (failback !== null) rows.push(["Failback", failback]);
    rows.push([
      "Failovers",
      `${status.failovers.inWindow} of at most ${status.failovers.max} in ${formatDuration(policy.windowMs)}${held === null ? "" : `; held: ${held}`}`,
    ]);
    rows.push(["Recovery", lastMs === null ? "none measured yet" : `last ${lastMs} ms, worst ${worstMs ?? lastMs} ms`]);
    rows.push([
      "Budget",
      `${tellBudget(status.errorBudget, config.tier)}${isBudgetSpent(status.errorBudget, config.tier) ? "; spent" : ""}`,
    ]);
  }
  return rows.map(([title, text]) => `${`${title}:`.padEnd(11)}${withoutControls(text)}`).join("\n");
}

function promise(config: HotStandbyConfig): string {
  const { isAutomatic, rtoTargetMs } = config.failoverPolicy;
  const mode = isAutomatic ? "" : "; advise mode: moves are recorded, not made (autoFailover: false)";
  return `served again within ${formatDuration(rtoTargetMs)}${mode}`;
}

function ladder({ config, status, partitions, style }: Description): string {
  if (status === null) return "";
  const rows = describeLadder({ config, status, partitions }).map(({ rung, isHere, stands, needs }): readonly Cell[] => [
    plainCell(isHere ? `> ${rung}` : `  ${rung}`),
    plainCell(stands),
    plainCell(needs),
  ]);
  return formatTable(["  RUNG", "WHAT STANDS THERE", "WHAT IT NEEDS"], rows, style);
}

function whileAway({ config, status, partitions }: Description): string {
  if (status === null) return "";
  const { holds, waits } = withoutControlPlane({ config, status, partitions });
  return withoutControls(`goes on: ${holds.join("; ")}`).concat("\n", withoutControls(`waits:   ${waits.join("; ")}`));
}

function instances({ config, status, style }: Description): string {
  if (status === null || status.instances.length === 0) return "none yet";
  return formatTable(
    INSTANCE_TITLES.slice(1),
    status.instances.map((instance) => instanceCells({ service: config.name, instance }).slice(1)),
    style,
  );
}

function reserved({ partitions, style }: Description): string {
  if (partitions.length === 0) return "";
  const rows = partitions.map((partition): readonly Cell[] => [
    plainCell(partition.instance),
    plainCell(partition.node === null ? "-" : `${partition.node}/${partition.gpu}`),
    plainCell(partition.mig === null ? partition.mode : `${partition.mode} ${formatPlacement(partition.mig)}`),
    plainCell(formatBytes(partition.memoryBytes)),
    plainCell(PARTITION_MODES[partition.mode].memory),
    { text: partition.phase, tone: partition.phase === "Bound" ? "good" : "busy" },
    plainCell(partition.node === null ? `${partition.refusal.what} ${partition.refusal.why} ${partition.refusal.next}` : ""),
  ]);
  return formatTable(["FOR", "GPU", "MODE", "MEMORY", "KEPT BY", "PHASE", "WHY NOT"], rows, style);
}

function conditions({ status, style }: Description): string {
  if (status === null || status.conditions.length === 0) return "";
  const rows = status.conditions.map(({ type, status: value, reason, lastTransitionTime, message }) =>
    [type, value, reason, lastTransitionTime, message].map(plainCell),
  );
  return formatTable(["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], rows, style);
}

const quarantined = ({ status }: Description): string =>
  (status?.quarantined ?? []).map(({ node, gpu, reason, since }) => withoutControls(`${node}/${gpu} since ${since}: ${reason}`)).join("\n");

const history = ({ status }: Description): string =>
  (status?.history ?? []).map(({ at, what, why }) => withoutControls(`${at}  ${what} ${why}`).trimEnd()).join("\n");
