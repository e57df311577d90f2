import type { CrashPlace } from "./crash-points.ts";
import { CrashStage } from "./crash-stage.ts";
import { runScenario } from "./run-scenario.ts";
import type { Expectation, Scenario } from "./scenario.ts";
import { startWorldStage } from "./world-stage.ts";

export interface CrashTrial {
  /** A scenario may never bring a process to that call. */
  readonly hasDied: boolean;
  /** Empty in a good run. */
  readonly violations: readonly string[];
}

/**
 * Plays a scenario in which a process also dies at one of its calls. Checkers look all the time. Of what the file expects, that all
 * becomes whole again must hold, and, where the control plane dies, that no request is lost: requests do not pass through it. A gateway
 * takes with it what it had in hand, so that a broken answer is allowed there; times and rungs are those of a run without a death.
 */
export async function runCrashTrial(scenario: Scenario, place: CrashPlace, seed: number): Promise<CrashTrial> {
  const stage = new CrashStage(await startWorldStage(scenario, seed), place);
  const kinds: readonly Expectation["kind"][] = place.process === "gateway" ? ["whole"] : ["whole", "no-lost"];
  const expectations = scenario.expectations.filter(({ expectation }) => kinds.includes(expectation.kind));
  const report = await runScenario({ ...scenario, expectations }, stage, "crash trial");
  const never = report.unmet.map(({ expected, found }) => `${expected}: ${found}`);
  return { hasDied: stage.hasDied, violations: [...stage.violations, ...never] };
}
