import { assert } from "../base/assert.ts";
import { instanceName, nodeName, type InstanceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { ZONE_LABEL, type GpuNode } from "../api/gpu-node.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { GpuPlace } from "../placement/placement-request.ts";

/** A node of H100s for tests: 54 GB/s to the GPUs, 12 from the disk, 11 from the network, 512 GB of host memory. */
export function fakeNode(name: string, zone: string | null, spec: JsonObject = {}): GpuNode {
  const labels: Record<string, string> = zone === null ? {} : { [ZONE_LABEL]: zone };
  const node = parseGpuNode({ name, labels, spec: { gpus: [{ model: "H100-80GB", count: 4 }], ...spec } });
  assert(node.ok, "the node of a test reads");
  return node.value;
}

/** A service of its own tenant; what `spec` leaves out is the tier's, and the model of 16 GB. */
export function fakeConfig(name: string, spec: JsonObject): HotStandbyConfig {
  const config = parseHotStandbyConfig({ name, spec: { tenant: name, ...spec } });
  assert(config.ok, "the config of a test reads");
  return config.value;
}

/** `{ "gold-hot-1": "gpu-a/0" }`, one GPU an instance. */
export const fakePlacements = (places: Readonly<Record<string, string>>): ReadonlyMap<InstanceName, readonly GpuPlace[]> =>
  new Map(
    Object.entries(places).map(([instance, place]) => {
      const [node = "", gpu = "0"] = place.split("/");
      return [instanceName(instance), [{ node: nodeName(node), gpu: Number(gpu) }]];
    }),
  );
