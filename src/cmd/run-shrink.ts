import { formatViolation, type Violation } from "../simulator/checker.ts";
import { runLadderScenario, type LadderScenario } from "../simulator/ladder-scenario.ts";
import { shrinkEvents } from "../simulator/shrink-events.ts";
import type { ExitCode } from "./explain.ts";
import { loadArguments, type LadderLoad } from "./run-campaign.ts";

const RUNS_MAX = 300;

/** Reduces the events of a seed to the fewest that still break the promise that broke first; prints the line that replays them. */
export async function runShrink(seed: number, load: LadderLoad): Promise<ExitCode> {
  const scenario: LadderScenario = { seed, ...load };
  const whole = await runLadderScenario(scenario);
  const [first] = whole.violations;
  if (first === undefined) {
    process.stderr.write(`Seed ${seed} breaks no promise in ${load.loadMs / 1_000} virtual seconds: there is nothing to shrink.\n`);
    return 0;
  }
  process.stderr.write(`${whole.events.length} events: ${formatViolation(first)}\n`);
  let last: Violation = first;
  const fails = async (events: readonly number[]): Promise<boolean> => {
    const { violations } = await runLadderScenario({ ...scenario, events });
    const same = violations.find(({ checker }) => checker === first.checker);
    if (same === undefined) return false;
    process.stderr.write(`${events.length} events: ${formatViolation(same)}\n`);
    last = same;
    return true;
  };
  const shrunk = await shrinkEvents(
    whole.events.map(({ index }) => index),
    fails,
    RUNS_MAX,
  );
  const names = whole.events.filter(({ index }) => shrunk.events.includes(index)).map(({ index, className }) => `${index} ${className}`);
  process.stderr.write(`${names.length} of ${whole.events.length} events are enough (${shrunk.runs} runs): ${names.join(", ")}\n`);
  process.stderr.write(`${formatViolation(last)}\n`);
  const events = shrunk.events.length === 0 ? "none" : shrunk.events.join(",");
  process.stdout.write(`npm run sim -- ${loadArguments(load)} --seed ${seed} --events ${events}\n`);
  return 1;
}
