import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** One service with one engine of 6 GB on the card. */
interface ServiceOnCard {
  readonly name: string;
  readonly qosClass: "gold" | "bronze";
  readonly isolation?: "medium";
  /** Of its engine, beside those that let faults be injected. */
  readonly args: readonly string[];
}

const NODE = {
  apiVersion: "inference.example.com/v1",
  kind: "GPUNode",
  metadata: { name: "card", labels: { "topology.kubernetes.io/zone": "az-1" } },
  spec: {
    capacityType: "on-demand",
    hostMemory: "512GB",
    links: { hostToGpu: "54GB", disk: "12GB", network: "11GB" },
    gpus: [{ model: "H100-80GB", count: 1 }],
  },
};

const manifestOf = ({ name, qosClass, isolation, args }: ServiceOnCard): object => ({
  apiVersion: "inference.example.com/v1",
  kind: "HotStandbyConfig",
  metadata: { name },
  spec: {
    tenant: `tenant-${name}`,
    tier: "silver",
    qosClass,
    ...(isolation === undefined ? {} : { isolation }),
    model: {
      name,
      engine: "simulated",
      revision: "r1",
      weights: "1GB",
      contextLength: 8_192,
      args: ["--enable-faults", ...args],
    },
    hotStandby: { gpuCount: 1, memoryReserved: "6GB", gpuMemoryShare: true },
    warmStandby: { gpuCount: 0 },
    coldStandby: { gpuCount: 0 },
    traffic: { mirrorPercent: 0 },
  },
});

/** Manifests of a node with one GPU, `card/0`, that all of these services share. */
export function writeSharedCard(folder: string, services: readonly ServiceOnCard[]): void {
  const documents = [NODE, ...services.map(manifestOf)];
  writeFileSync(join(folder, "all.yaml"), documents.map((document) => JSON.stringify(document)).join("\n---\n"));
}
