import type { DegradedStep, HotStandbyConfig, Level } from "../api/hot-standby-config.ts";
import type { GpuPartition, UnplacedPartition } from "../api/gpu-partition.ts";
import type { InstanceStatus, ServiceStatus } from "../api/service-status.ts";
import { formatBytes } from "../base/bytes.ts";
import { formatDuration } from "../base/time.ts";
import { waitMs } from "../failover/decide-failback.ts";
import { whyHeld } from "../failover/move-budget.ts";
import { isRoutable, isWakeable } from "../routing/build-table.ts";

/** One rung for people: what stands there, and what it needs before it can serve. */
export interface RungDescription {
  readonly rung: Level | "degraded";
  readonly isHere: boolean;
  readonly stands: string;
  readonly needs: string;
}

interface Ladder {
  readonly config: HotStandbyConfig;
  readonly status: ServiceStatus;
  readonly partitions: readonly (GpuPartition | UnplacedPartition)[];
}

/** From the top; rungs that the config does not ask for are left out. */
export function describeLadder(ladder: Ladder): readonly RungDescription[] {
  const { config, status } = ladder;
  const levels: readonly Level[] = [
    "hot",
    ...(config.warm === null ? [] : ["warm" as const]),
    ...(hasCold(ladder) ? ["cold" as const] : []),
  ];
  return [
    ...levels.map((level) => ({
      rung: level,
      isHere: status.level === level,
      stands: standing(level, ladder),
      needs: needed(level, ladder),
    })),
    {
      rung: "degraded",
      isHere: status.level === "degraded",
      stands: config.degraded.map(formatStep).join(", then ") || "refuse at once",
      needs: "nothing: what requests get when no rung serves",
    },
  ];
}

const hasCold = ({ config, status }: Ladder): boolean => config.cold !== null || status.level === "cold";
const onLevel = ({ status }: Ladder, level: Level): readonly InstanceStatus[] =>
  status.instances.filter((instance) => instance.level === level);

function standing(level: Level, ladder: Ladder): string {
  const instances = onLevel(ladder, level).map(({ name, state }) => `${name} ${state}`);
  if (level !== "cold" || instances.length > 0) return instances.join(", ") || "nothing yet";
  const reserved = ladder.partitions.filter((partition) => /-cold-\d+$/.test(partition.instance));
  const bound = reserved.flatMap((partition) =>
    partition.node === null ? [] : [`${formatBytes(partition.memoryBytes)} on ${partition.node}/${partition.gpu}`],
  );
  if (bound.length > 0) return `reserved: ${bound.join(", ")}`;
  return reserved.length > 0 ? "its bytes are asked for, and not found yet" : "no bytes of its own: a dead instance restarts in its place";
}

function needed(level: Level, ladder: Ladder): string {
  const { config, status } = ladder;
  const instances = onLevel(ladder, level);
  if (instances.some((instance) => isRoutable(instance.state))) return "nothing: it takes requests now";
  const held = whyHeld(status.failovers, config.failoverPolicy);
  if (level === "hot") return "the control plane: it restarts what is dead";
  if (instances.some((instance) => isWakeable(instance, status))) {
    return held === null ? "a wake: a gateway does it by itself" : `a wake, which an operator must ask for (${held})`;
  }
  if (instances.some((instance) => instance.state === "Asleep")) {
    return "the control plane: a wake cannot be verified yet, or the last one failed";
  }
  if (instances.some((instance) => instance.state === "Waking")) return "its wake to end";
  if (level === "warm" || instances.length > 0) return "the control plane: it loads, or is restarted";
  // A restart in place is no activation: Hold does not stop it.
  if (config.cold === null || config.cold.memoryReservedBytes === 0) {
    return `the control plane: what is dead loads ${formatBytes(config.model.weightsBytes)} again`;
  }
  const load = `the control plane: a cold start that loads ${formatBytes(config.model.weightsBytes)}`;
  return held === null ? load : `${load}, which an operator must ask for (${held})`;
}

function formatStep(step: DegradedStep): string {
  switch (step.kind) {
    case "queue":
      return `queue up to ${formatDuration(step.upToMs)}`;
    case "model":
      return `model ${step.name} in its service's free room`;
    case "shed":
      return "503 with Retry-After";
  }
}

/** The step that a failback is at, what comes after it, and what makes the next one wait; null = there is nothing to say. */
export function describeFailback({ config, status }: Pick<Ladder, "config" | "status">): string | null {
  const { step, undone } = status.failback;
  const { stepsPercent } = config.failoverPolicy.failback;
  if (step !== null) {
    const later = stepsPercent.filter((percent) => percent > step.percent);
    const next = later.length === 0 ? "then hot has it all" : `then ${later.join(", ")} %`;
    return `${step.percent} % of new requests go to hot since ${step.since}, ${next}`;
  }
  if (undone === null) return null;
  const wait = formatDuration(waitMs(config, { ...status, openMove: null }));
  return `${undone.count} did not last, the last at ${undone.at}; before the next hot must be well for ${wait}`;
}

/** What gateways do by themselves while no controller answers, and what waits for it: from what stands there now. */
export function withoutControlPlane(ladder: Ladder): { readonly holds: readonly string[]; readonly waits: readonly string[] } {
  const { config, status } = ladder;
  const held = whyHeld(status.failovers, config.failoverPolicy);
  const names = (instances: readonly InstanceStatus[]): string => instances.map((instance) => instance.name).join(", ");
  const ready = status.instances.filter((instance) => isRoutable(instance.state));
  const wakeable = status.instances.filter((instance) => isWakeable(instance, status));
  const hotReady = ready.filter((instance) => instance.level === "hot");
  const lower = ready.filter((instance) => instance.level !== "hot");
  return {
    holds: [
      "requests are served from what is Ready, the dead are left out",
      ...(hotReady.length > 1 ? [`spill between ${names(hotReady)}`] : []),
      ...(lower.length > 0 ? [`overflow and failover to ${names(lower)}`] : []),
      ...(wakeable.length > 0 && held === null ? [`wake of ${names(wakeable)}`] : []),
    ],
    waits: [
      "restart of the dead",
      "cold start",
      "failback",
      "moves that an operator asks for",
      ...(wakeable.length > 0 && held !== null ? [`wake of ${names(wakeable)} (${held})`] : []),
    ],
  };
}
