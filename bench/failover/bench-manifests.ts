import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { profileOfArguments, type EngineProfile } from "./engine-profile.ts";
import { BENCH_MANIFESTS } from "./platform.ts";

interface BenchManifest {
  readonly spec: { readonly model: { readonly args: readonly string[] } };
}

/** Tenants that run at the same time: a machine of two hyperthreads carries no more engines than a row needs. */
const WORLDS = {
  usual: ["mixed", "answers"],
  asleep: ["asleep"],
  cold: ["cold"],
  zone: ["asleep", "gold", "silver"],
  overflow: ["mirror"],
  "overflow-asleep": ["gold"],
  hold: ["hold"],
} as const;
export type WorldName = keyof typeof WORLDS;
export const WORLD_NAMES: readonly WorldName[] = ["usual", "asleep", "cold", "zone", "overflow", "overflow-asleep", "hold"];

const tenantFile = (tenant: string): string => join(BENCH_MANIFESTS, `tenant-${tenant}.yaml`);

/** What `up` is given: the same files for every row of a world, never a changed one. */
export const manifestsOf = (world: WorldName): readonly string[] => [
  join(BENCH_MANIFESTS, "inventory.yaml"),
  ...WORLDS[world].map(tenantFile),
];

export const tenantsOf = (world: WorldName): readonly string[] => WORLDS[world].map((tenant) => `bench-${tenant}`);

/** The engine's arguments as every tenant of the bench gives them: one configuration for every row. */
export function benchEngineArguments(): readonly string[] {
  const tenants = new Set(Object.values(WORLDS).flat());
  const [first = [], ...others] = [...tenants].map((tenant) => {
    const manifest = parse(readFileSync(tenantFile(tenant), "utf8")) as BenchManifest;
    return manifest.spec.model.args;
  });
  if (others.some((list) => list.join(" ") !== first.join(" "))) throw new Error("The bench manifests give two engine profiles.");
  return first;
}

export const benchProfile = (): EngineProfile => profileOfArguments(benchEngineArguments());

/** Of the tenants asleep, cold, gold and silver, and of every node: what the bars of their rows allow for. A test holds the manifests to it. */
export const LADDER_WEIGHTS = "6GB";
export const LADDER_LINKS = { disk: "12GB", hostToGpu: "54GB" } as const;
const moveMs = (perSecond: string): number => (1_000 * Number.parseFloat(LADDER_WEIGHTS)) / Number.parseFloat(perSecond);
/** Of one engine, alone on its link. */
export const LADDER_LOAD_MS = moveMs(LADDER_LINKS.disk);
export const LADDER_WAKE_MS = moveMs(LADDER_LINKS.hostToGpu);
