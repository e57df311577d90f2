import { isJsonObject } from "../base/json.ts";
import { isRoutable } from "../routing/build-table.ts";
import { INSTANCE_STATES } from "../api/service-status.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";

/** null = the store answers and every service is served by an instance; else what is missing, for people. */
export async function missingService(store: ClusterStore): Promise<string | null> {
  const listed = await store.list("HotStandbyConfig");
  if (!listed.ok) return "the store does not answer";
  for (const { name, status } of listed.value.items) {
    if (status === null) return `no controller has looked at ${name} yet`;
    // The level is where traffic belongs, which may still be waking.
    if (!isServed(status["instances"])) return `${name} is served by no instance`;
  }
  return null;
}

const ROUTABLE: ReadonlySet<unknown> = new Set(INSTANCE_STATES.filter(isRoutable));

const isServed = (instances: unknown): boolean =>
  Array.isArray(instances) && instances.some((instance) => isJsonObject(instance) && ROUTABLE.has(instance["state"]));
