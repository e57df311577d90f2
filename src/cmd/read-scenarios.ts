import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { err, ok, type Explanation, type Result } from "../base/result.ts";
import { explainScenarioError, parseScenario } from "../simulator/parse-scenario.ts";
import type { Scenario } from "../simulator/scenario.ts";

export interface ScenarioFile {
  readonly path: string;
  /** The file's name without its ending. */
  readonly name: string;
  readonly text: string;
  readonly scenario: Scenario;
}

const ENDING = ".scenario";
const FILES_MAX = 1_000;

/**
 * Scenario files, and those in folders, in the order of the arguments and of names.
 * @errors all wrong lines of all files; a path that cannot be read; a folder without a scenario.
 */
export function readScenarios(paths: readonly string[]): Result<readonly ScenarioFile[], readonly Explanation[]> {
  const files: ScenarioFile[] = [];
  const refusals: Explanation[] = [];
  for (const path of paths.flatMap((one) => expand(one, refusals)).slice(0, FILES_MAX)) {
    const text = read(path, refusals);
    if (text === null) continue;
    const parsed = parseScenario(text);
    if (parsed.ok) files.push({ path, name: basename(path, ENDING), text, scenario: parsed.value });
    else refusals.push(...parsed.error.map((error) => explainScenarioError(path, error)));
  }
  return refusals.length === 0 ? ok(files) : err(refusals);
}

function expand(path: string, refusals: Explanation[]): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => name.endsWith(ENDING));
    if (names.length === 0) refusals.push(unreadable(path, `No file in it ends in ${ENDING}.`));
    return names.toSorted().map((name) => join(path, name));
  } catch (cause) {
    refusals.push(unreadable(path, reasonOf(cause)));
    return [];
  }
}

function read(path: string, refusals: Explanation[]): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    refusals.push(unreadable(path, reasonOf(cause)));
    return null;
  }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof Error && "code" in cause) return cause.message;
  throw cause;
}

const unreadable = (path: string, why: string): Explanation => ({
  what: `${path} gives no scenario.`,
  why,
  next: "Name a file that ends in .scenario, or a folder of them.",
});
