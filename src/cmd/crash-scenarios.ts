import { CRASH_PLACES, printCrashPlace } from "../simulator/crash-points.ts";
import type { CrashTrial } from "../simulator/crash-trial.ts";
import type { ExitCode } from "./explain.ts";
import { printData } from "./print-data.ts";
import type { ScenarioFile } from "./read-scenarios.ts";
import { createTaskPool } from "./task-pool.ts";

export interface CrashOptions {
  readonly seed: number;
  readonly output: string;
  /** Worlds that run at once. */
  readonly jobs: number;
}

interface Trial extends CrashTrial {
  readonly scenario: string;
  readonly place: string;
}

/**
 * Plays each scenario once for every crash point, with a death there. Those with a planted bug are left out: they fail by themselves.
 * Exit 1 when one of them breaks a promise.
 */
export async function runCrashScenarios(files: readonly ScenarioFile[], { seed, output, jobs }: CrashOptions): Promise<ExitCode> {
  const sound = files.filter(({ scenario }) => scenario.expectations.every(({ planted }) => planted === null));
  const trials: Trial[] = [];
  const pool = createTaskPool(jobs);
  const say = (text: string): boolean => (output === "table" ? process.stdout.write(text) : true);
  try {
    for (const { name, text } of sound) {
      const all = await Promise.all(
        CRASH_PLACES.map(async (place) => {
          const trial = await pool.run({ kind: "crash", text, place, seed });
          return { ...trial, scenario: name, place: printCrashPlace(place) };
        }),
      );
      trials.push(...all);
      say(formatTrials(name, all));
    }
  } finally {
    await pool.close();
  }
  const reached = new Set(trials.flatMap(({ hasDied, place }) => (hasDied ? [place] : [])));
  const neverReached = CRASH_PLACES.map(printCrashPlace).filter((place) => !reached.has(place));
  const broken = trials.filter(({ violations }) => violations.length > 0);
  const deathCount = trials.filter(({ hasDied }) => hasDied).length;
  say(
    `\n${sound.length} scenarios, ${trials.length} runs, ${deathCount} deaths at ${reached.size} of ${CRASH_PLACES.length} crash points, ` +
      `${broken.length} runs with violations\n${neverReached.map((place) => `  no scenario comes to: ${place}\n`).join("")}`,
  );
  if (output !== "table") await printData({ kind: "CrashTrials", seed, trials: trials.map((trial) => ({ ...trial })) }, output);
  return broken.length === 0 && deathCount > 0 ? 0 : 1;
}

function formatTrials(name: string, trials: readonly Trial[]): string {
  const broken = trials.filter(({ violations }) => violations.length > 0);
  const deathCount = trials.filter(({ hasDied }) => hasDied).length;
  const lines = broken.map(({ place, violations }) => `     ${place}: ${violations.join("; ")}\n`);
  return `${broken.length === 0 ? "ok  " : "FAIL"} ${name}: ${deathCount} deaths\n${lines.join("")}`;
}
