import type { ResourceDraft } from "../api/resource.ts";
import type { JsonObject } from "../base/json.ts";

export const draft = (kind: ResourceDraft["kind"], name: string, spec: JsonObject, zone: string | null = null): ResourceDraft => ({
  kind,
  name,
  labels: zone === null ? {} : { "topology.kubernetes.io/zone": zone },
  annotations: {},
  spec,
});

export const gpuNodeDraft = (name: string, zone: string, gpuCount: number): ResourceDraft =>
  draft(
    "GPUNode",
    name,
    {
      capacityType: "on-demand",
      hostMemory: "512GB",
      links: { hostToGpu: "54GB", disk: "12GB", network: "11GB" },
      gpus: [{ model: "H100-80GB", count: gpuCount }],
    },
    zone,
  );

/** 16 GB of weights: 1.3 s from disk, half a second from host memory. */
export const worldModel = (name: string): JsonObject => ({
  name,
  engine: "simulated",
  revision: "r1",
  weights: "16GB",
  contextLength: 8_192,
});
