import type { GpuNode } from "./gpu-node.ts";
import type { CapacityType, NodeSelector } from "./hot-standby-config.ts";

/** Whether a level may stand on the node, whatever else stands there. */
export function matchesNode(
  node: Pick<GpuNode, "labels" | "capacityType">,
  wanted: { readonly nodeSelector: NodeSelector; readonly capacityType: CapacityType | null },
): boolean {
  if (wanted.capacityType !== null && node.capacityType !== wanted.capacityType) return false;
  return Object.entries(wanted.nodeSelector).every(([name, value]) => Object.hasOwn(node.labels, name) && node.labels[name] === value);
}
