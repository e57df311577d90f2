import { join } from "node:path";
import { superviseProcess, type SupervisedProcess } from "../../adapters/process/supervise-process.ts";
import { err, ok, type Explanation, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Random } from "../../ports/random.ts";
import type { StateDir } from "./state-dir.ts";

/** How this installation starts one of its own processes: the bundled Node and the plain entry. */
export const COMMAND_PREFIX: readonly string[] = [process.execPath, join(import.meta.dirname, "..", "..", "..", "bin", "tidegate.js")];

/** What children may know of our environment. */
export const CHILD_ENVIRONMENT = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" };

export interface HelperPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: EventLog;
  say(text: string): void;
}

/** Keeps one helper of the platform running, adopted from before when it still runs. */
export async function keepHelper(
  name: string,
  rest: readonly string[],
  state: StateDir,
  ports: HelperPorts,
): Promise<Result<SupervisedProcess, Explanation>> {
  const logPath = join(state.runFolder, `${name}.log`);
  const kept = await superviseProcess({
    name,
    stateId: state.stateId,
    recordPath: join(state.runFolder, `${name}.json`),
    logPath,
    command: [...COMMAND_PREFIX, ...rest],
    env: CHILD_ENVIRONMENT,
    clock: ports.clock,
    random: ports.random,
    onExit: ({ reason, lastLog, restartAfterMs }) => {
      ports.log.record({ level: "error", event: "up.helper-ended", fields: { name, reason, lastLog, restartAfterMs } });
      ports.say(`${name} ended (${reason}); it is started again in ${restartAfterMs} ms. Its log: ${logPath}`);
    },
    onRestart: (pid) => ports.say(`${name} runs again, pid ${pid}.`),
    onTakeOver: (pid) => {
      ports.log.record({ level: "info", event: "up.helper-taken-over", fields: { name, pid } });
      ports.say(`${name}: process ${pid} has taken over.`);
    },
  });
  if (kept.ok) return ok(kept.value);
  return err({ what: `${name} could not be started.`, why: kept.error.reason, next: `Read ${logPath}, then start again.` });
}
