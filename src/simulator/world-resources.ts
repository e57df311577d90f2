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

/** A level of one instance that shares its GPU, in one zone. */
export const sharedLevel = (zone: string, memory: string, more: JsonObject = {}): JsonObject => ({
  gpuCount: 1,
  gpuMemoryShare: true,
  memoryReserved: memory,
  nodeSelector: { "topology.kubernetes.io/zone": zone },
  ...more,
});

/** Silver, of a tenant of its own, and no standbys but those named. */
export const silverDraft = (name: string, hot: JsonObject, more: JsonObject = {}): ResourceDraft =>
  draft("HotStandbyConfig", name, { tenant: name, tier: "silver", model: worldModel("tide-8b"), hotStandby: hot, ...more });

/** The same, alone in its part of a card: where MIG is offered, by that. */
export const strongDraft = (name: string, hot: JsonObject, more: JsonObject = {}): ResourceDraft =>
  silverDraft(name, hot, { isolation: "strong", ...more });
