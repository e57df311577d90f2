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

const BYTES_PER_MS = { disk: 12e9 / 1_000, hostToGpu: 54e9 / 1_000 };
const LADDER_WEIGHTS_BYTES = 6e9;
/** Of one engine of the tenants asleep, cold, gold and silver, alone on its link: the configured bytes at the configured rate. */
export const LADDER_LOAD_MS = LADDER_WEIGHTS_BYTES / BYTES_PER_MS.disk;
export const LADDER_WAKE_MS = LADDER_WEIGHTS_BYTES / BYTES_PER_MS.hostToGpu;
