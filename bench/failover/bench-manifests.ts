import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { profileOfArguments, type EngineProfile } from "./engine-profile.ts";
import { BENCH_MANIFESTS } from "./platform.ts";

interface BenchManifest {
  readonly spec: { readonly model: { readonly args: readonly string[] } };
}

/** The engine's arguments as every tenant of the bench gives them: one configuration for every row. */
export function benchEngineArguments(): readonly string[] {
  const [first = [], ...others] = ["tenant-mixed.yaml", "tenant-answers.yaml"].map((file) => {
    const manifest = parse(readFileSync(join(BENCH_MANIFESTS, file), "utf8")) as BenchManifest;
    return manifest.spec.model.args;
  });
  if (others.some((list) => list.join(" ") !== first.join(" "))) throw new Error("The bench manifests give two engine profiles.");
  return first;
}

export const benchProfile = (): EngineProfile => profileOfArguments(benchEngineArguments());
