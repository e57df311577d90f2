import { nodeName, type NodeName } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { Resource } from "../api/resource.ts";

// A store gives the same object until it is written: what a look reads again has mostly been read before.

type ReadConfig = ReturnType<typeof parseHotStandbyConfig>;
const configsBySpec = new WeakMap<Resource["spec"], { readonly of: Resource; readonly config: ReadConfig }>();

/** A status that is written leaves the spec as it was: the same config, and all that was made of it, stays good. */
export const readConfig = oncePer((resource: Resource): ReadConfig => {
  const known = configsBySpec.get(resource.spec);
  if (known !== undefined && known.of.name === resource.name && known.of.annotations === resource.annotations) return known.config;
  const config = parseHotStandbyConfig(resource);
  configsBySpec.set(resource.spec, { of: resource, config });
  return config;
});
export const readPartition = oncePer((resource: Resource) => parseGpuPartition(resource));

/** Of a resource's `status`. */
export const readStatus = oncePer((status: NonNullable<Resource["status"]>) => parseServiceStatus(status));

/** Of a whole listing; those that cannot be read are left out. */
export const readNodes = oncePer((items: readonly Resource[]): ReadonlyMap<NodeName, GpuNode> => {
  const nodes = items.flatMap((resource) => {
    const node = readNode(resource);
    return node.ok ? [[nodeName(resource.name), node.value] as const] : [];
  });
  return new Map(nodes);
});
const readNode = oncePer((resource: Resource) => parseGpuNode(resource));

/** Of those that are in one. */
export const zonesOf = oncePer(
  (nodes: ReadonlyMap<NodeName, GpuNode>): ReadonlyMap<NodeName, string> =>
    new Map([...nodes].flatMap(([node, { zone }]) => (zone === null ? [] : [[node, zone] as const]))),
);
