import type { InstanceName } from "../base/ids.ts";
import type { InstanceStatus, ServiceStatus } from "../api/service-status.ts";
import { isRoutable } from "../routing/build-table.ts";
import type { DesiredInstance } from "./desired-instances.ts";
import type { Note } from "./add-history.ts";
import type { InstanceLook, Placement, ServiceLook } from "./instance-look.ts";

/** Who is ended next, to be started with what the config asks for now, or at another place. One at a time, warm before hot, the first hot last; never while another instance that could run is not at its place. */
export function rollsNext(
  desired: readonly DesiredInstance[],
  before: Pick<ServiceStatus, "instances">,
  facts: { readonly fingerprint: string; readonly placements: ReadonlyMap<InstanceName, Placement> },
): InstanceName | null {
  const recorded = new Map(before.instances.map((instance) => [instance.name, instance]));
  const isSteady = desired.every(({ name }) => isAtRest(recorded.get(name)) || facts.placements.get(name)?.kind === "refused");
  if (!isSteady) return null;
  const last = desired.toReversed().find(({ name }) => {
    const instance = recorded.get(name);
    const isOutdated = instance?.fingerprint !== facts.fingerprint;
    return isAtRest(instance) && (isOutdated || leavingOf(facts.placements.get(name)) !== null);
  });
  if (last === undefined || (last.level === "hot" && isUncovered(last.name, before, facts.fingerprint))) return null;
  // A changed config is its own service's wish, a move is another's: nobody goes unserved for that.
  const isMoved = recorded.get(last.name)?.fingerprint === facts.fingerprint;
  return isMoved && !isServedWithout(last.name, before) ? null : last.name;
}

/** Why the instance must go from where it is; null = it may stay, or is nowhere. */
export const leavingOf = (placement: Placement | undefined): string | null => (placement?.kind === "bound" ? placement.leaving : null);

/** Nobody else serves, and one that could is asleep: it is woken first. */
function isUncovered(name: InstanceName, before: Pick<ServiceStatus, "instances">, fingerprint: string): boolean {
  const others = before.instances.filter((instance) => instance.name !== name);
  const sleepers = others.filter(({ level, state }) => level === "warm" && state === "Asleep");
  return !others.some(({ state }) => isRoutable(state)) && sleepers.some((instance) => instance.fingerprint === fingerprint);
}

const isServedWithout = (name: InstanceName, { instances }: Pick<ServiceStatus, "instances">): boolean =>
  instances.some((instance) => instance.name !== name && isRoutable(instance.state));

const isAtRest = (instance: InstanceStatus | undefined): boolean => instance?.state === "Ready" || instance?.state === "Asleep";

/** What is said of an instance that is ended to be started anew. */
export function rollOf(
  { name, fingerprint }: InstanceStatus,
  { placement }: Pick<InstanceLook, "placement">,
  service: Pick<ServiceLook, "fingerprint">,
): { readonly message: string; readonly note: Note } {
  const leaving = leavingOf(placement);
  if (fingerprint !== service.fingerprint || leaving === null) {
    const why = "The config asks for another model, engine or arguments than it was started with.";
    return { message: "ends for the changed config", note: { what: `Rolls ${name}.`, why } };
  }
  return { message: `leaves its GPU: it ${leaving}`, note: { what: `Moves ${name}.`, why: `It ${leaving}.` } };
}
