import type { Kind, Resource } from "../api/resource.ts";
import { INSTANCE_STATES } from "../api/service-status.ts";
import { TIER_TABLE } from "../api/tier-table.ts";
import { generation, instanceName, nodeName, partitionName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import type { InstanceRow } from "./instance-table.ts";
import { numberAt, objectsAt, textAt, valueAt } from "./json-at.ts";

const HOT_STANDBY_CONFIG: Kind = "HotStandbyConfig";
/** Kinds that have instances. */
export const INSTANCE_KINDS: readonly Kind[] = ["HotStandbyConfig", "AttachedEngine"];

/** A name chooses one instance, or all of one service. */
export const isWanted = (row: InstanceRow, name: string | null): boolean =>
  name === null || row.instance.name === name || row.service === name;

export const instanceJson = ({ service, instance }: InstanceRow): JsonObject => ({
  service,
  ...instance,
  members: instance.members.map((member) => ({ ...member })),
});

/** Services and attached engines as rows, in the order of their names and of the ladder. */
export function instanceRowsOf(resources: readonly Resource[]): readonly InstanceRow[] {
  return resources.flatMap((resource) => {
    if (resource.kind === "AttachedEngine") return [attachedRow(resource)];
    if (resource.kind !== "HotStandbyConfig") return [];
    return objectsAt(resource.status, "instances").map((instance) => ({ service: resource.name, instance: instanceOf(instance) }));
  });
}

function instanceOf(instance: JsonObject): InstanceRow["instance"] {
  return {
    name: instanceName(textAt(instance, "name") ?? ""),
    level: levelOf(textAt(instance, "level")),
    state: stateOf(textAt(instance, "state")),
    weight: numberAt(instance, "weight") ?? 0,
    members: objectsAt(instance, "members").map((member) => ({
      node: nodeName(textAt(member, "node") ?? ""),
      gpu: numberAt(member, "gpu") ?? 0,
      partition: partitionName(textAt(member, "partition") ?? ""),
    })),
    endpoint: textAt(instance, "endpoint"),
    pid: numberAt(instance, "pid"),
    generation: generation(numberAt(instance, "generation") ?? 0),
    message: textAt(instance, "message") ?? "",
  };
}

// Somebody else runs it: it has no GPU, process or generation that we know of.
function attachedRow(resource: Resource): InstanceRow {
  const { name, spec, status } = resource;
  return {
    service: textAt(status, "service") ?? "-",
    instance: {
      name: instanceName(name),
      level: "hot",
      state: stateOf(textAt(status, "state")),
      weight: numberAt(status, "weight") ?? 1,
      members: [],
      endpoint: textAt(spec, "url"),
      pid: null,
      generation: generation(numberAt(status, "generation") ?? 0),
      message: `attached: ${textAt(status, "message") ?? "not probed yet"}`,
    },
  };
}

const levelOf = (text: string | null): InstanceRow["instance"]["level"] => (text === "warm" || text === "cold" ? text : "hot");
const stateOf = (text: string | null): InstanceRow["instance"]["state"] => INSTANCE_STATES.find((state) => state === text) ?? "Pending";

/** The services that attached engines form, in the shape of those with a manifest, so that one table shows both. */
export function attachedServices(engines: readonly Resource[]): readonly Resource[] {
  const services = new Map<string, Resource[]>();
  for (const engine of engines) {
    const service = textAt(engine.status, "service");
    if (service !== null) services.set(service, [...(services.get(service) ?? []), engine]);
  }
  return [...services].flatMap(([name, members]) => {
    const [first] = members;
    if (first === undefined) return [];
    const states = members.map((member) => stateOf(textAt(member.status, "state")));
    const readyCount = states.filter((state) => state === "Ready").length;
    const status = {
      level: readyCount === 0 ? "degraded" : "hot",
      phase: readyCount === members.length ? "Normal" : readyCount === 0 ? "Degraded" : "Restoring",
      rto: { targetMs: TIER_TABLE.silver.rtoTargetMs },
      instances: states.map((state) => ({ state })),
    };
    const spec = { tenant: "default", tier: "silver", model: { name: valueAt(first.status, "model") } };
    return [{ ...first, kind: HOT_STANDBY_CONFIG, name, spec, status }];
  });
}
