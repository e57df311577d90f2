import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Names of the paper's policies, by ours. */
const PAPER_NAMES: Readonly<Record<string, string>> = {
  random: "Random",
  "best-fit": "BestFit",
  dotprod: "DotProd",
  binpack: "GpuPacking",
  clustering: "GpuClustering",
  fgd: "FGD",
};

/** The paper's mean allocation in percent; null = not in the folder, or not in the paper. */
export type Published = (trace: string, policy: string, load: number) => number | null;

export function readPublished(dir: string): Published {
  const path = join(dir, "expected_results", "summary.json");
  const summary: unknown = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  return (trace, policy, load) => {
    const mean = ["alloc", trace, PAPER_NAMES[policy] ?? "", `${load}`, "mean"].reduce(member, summary);
    return typeof mean === "number" ? mean : null;
  };
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}
