import type { InstanceName } from "../base/ids.ts";
import type { InstanceStatus, ServiceStatus } from "../api/service-status.ts";
import { isRoutable } from "../routing/build-table.ts";
import type { DesiredInstance } from "./desired-instances.ts";
import type { Placement } from "./instance-look.ts";

/** One at a time, warm before hot, the first hot last; never while another instance that could run is not at its place. */
export function rollsNext(
  desired: readonly DesiredInstance[],
  before: ServiceStatus,
  facts: { readonly fingerprint: string; readonly placements: ReadonlyMap<InstanceName, Placement> },
): InstanceName | null {
  const recorded = new Map(before.instances.map((instance) => [instance.name, instance]));
  const isSteady = desired.every(({ name }) => isAtRest(recorded.get(name)) || facts.placements.get(name)?.kind === "refused");
  if (!isSteady) return null;
  const last = desired.toReversed().find(({ name }) => {
    const instance = recorded.get(name);
    return isAtRest(instance) && instance?.fingerprint !== facts.fingerprint;
  });
  if (last === undefined || (last.level === "hot" && isUncovered(last.name, before, facts.fingerprint))) return null;
  return last.name;
}

/** Nobody else serves, and one that could is asleep: it is woken first. */
function isUncovered(name: InstanceName, before: ServiceStatus, fingerprint: string): boolean {
  const others = before.instances.filter((instance) => instance.name !== name);
  const sleepers = others.filter(({ level, state }) => level === "warm" && state === "Asleep");
  return !others.some(({ state }) => isRoutable(state)) && sleepers.some((instance) => instance.fingerprint === fingerprint);
}

const isAtRest = (instance: InstanceStatus | undefined): boolean => instance?.state === "Ready" || instance?.state === "Asleep";
