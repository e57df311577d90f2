import { formatBytes } from "../base/bytes.ts";
import type { Explanation } from "../base/result.ts";
import { placeKey, type PlacementRefusal } from "./placement-request.ts";

export function explainRefusal(refusal: PlacementRefusal): Explanation {
  const what = `${refusal.instance} has no place.`;
  switch (refusal.code) {
    case "NO_MATCHING_NODE": {
      if (refusal.nodeCount === 0) return { what, why: "There is no node at all.", next: "Apply a GPUNode." };
      const why = `None of ${refusal.nodeCount} nodes has ${refusal.wanted}.`;
      return { what, why, next: "Loosen nodeSelector or capacityType, or add such a node." };
    }
    case "NO_EXCLUSIVE_GPU": {
      const each = `${formatBytes(refusal.neededBytes)}${refusal.neededCount > 1 ? " each, on one node" : ""}`;
      const why = `It needs ${refusal.neededCount} whole ${refusal.neededCount === 1 ? "GPU" : "GPUs"} with ${each}; the best node has ${refusal.freeCount} free.`;
      return { what, why, next: "Add a GPU, free one, or set gpuMemoryShare: true for that level." };
    }
    case "NO_CAPACITY": {
      const why = `It needs ${formatBytes(refusal.neededBytes)} on one GPU; the largest room on a GPU that it may share is ${formatBytes(refusal.freeBytes)}.`;
      return { what, why, next: "Lower memoryReserved, add a GPU, or loosen nodeSelector." };
    }
    case "ISOLATION_UNAVAILABLE": {
      const why = `It asks for ${refusal.isolation} isolation on a shared GPU; the GPUs that it may use offer ${refusal.modes.join(", ")}, and nothing of that isolates so much there now.`;
      return { what, why, next: "Set gpuMemoryShare: false for that level, ask for less isolation, or add GPUs that MIG can cut." };
    }
    case "TENANTS_MIXED": {
      const why = `${placeKey(refusal.gpu)} would have room, but ${refusal.why}`;
      const next = `Update the toolkit of that node and say so in containerToolkit of its GPUNode, add a GPU, or set gpuMemoryShare: false.`;
      return { what, why, next };
    }
    case "GEOMETRY": {
      const why = `It needs ${formatBytes(refusal.neededBytes)} of a MIG GPU; nearest is ${placeKey(refusal.gpu)}: ${refusal.why}`;
      return { what, why, next: "Free a MIG instance, add a GPU that MIG can cut, or ask for less isolation." };
    }
    case "RELOCATING":
      return {
        what: `${refusal.instance} waits for its place on ${placeKey(refusal.gpu)}.`,
        why: `Instances are moved there: ${refusal.why}.`,
        next: "Wait; tidegate get relocations tells how far it is.",
      };
    case "CAP_EXCEEDED": {
      const why = `It needs ${formatBytes(refusal.neededBytes)} on a shared GPU; its class allows ${formatBytes(refusal.capBytes)}.`;
      return { what, why, next: "Lower memoryReserved, choose a higher qosClass or none, or set gpuMemoryShare: false." };
    }
    case "NO_HOST_MEMORY": {
      const why = `Asleep, it keeps ${formatBytes(refusal.neededBytes)} of weights in host memory; the node with the most has ${formatBytes(refusal.freeBytes)} left.`;
      return { what, why, next: "Set warmStandby.rest: resident and lend: never, or add host memory." };
    }
  }
}
