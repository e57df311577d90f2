import { readFileSync } from "node:fs";
import { parsePackageVersion } from "./parse-package-version.ts";
import { printData } from "./print-data.ts";
import type { ExitCode } from "./explain.ts";

/** Of this program, from its package. */
export const productVersion = (): string => parsePackageVersion(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

export async function runVersion(options: { readonly output: string }): Promise<ExitCode> {
  const version = productVersion();
  if (options.output !== "table") return printData({ tidegate: version, node: process.versions.node }, options.output);
  process.stdout.write(`tidegate ${version} (Node ${process.versions.node})\n`);
  return 0;
}
