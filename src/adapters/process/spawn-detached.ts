import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { err, ok, type Result } from "../../base/result.ts";

export interface SpawnedProcess {
  readonly pid: number;
  /** Why it ended, for people: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>;
}

/**
 * Starts a process in a group of its own, so that Ctrl-C of its starter does not reach it, with its output in a file.
 * It outlives its starter and keeps no starter alive. Resolves when the process exists.
 */
export async function spawnDetached(options: {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
}): Promise<Result<SpawnedProcess, string>> {
  const [program, ...programArguments] = options.command;
  if (program === undefined) return err("there is no command");
  const log = openSync(options.logPath, "a", 0o600);
  const child = spawn(program, programArguments, { detached: true, stdio: ["ignore", log, log], env: options.env });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code ?? "unknown"}`));
  });
  const started = await new Promise<string | null>((resolve) => {
    child.once("spawn", () => resolve(null));
    child.once("error", (cause) => resolve(cause.message));
  });
  if (started !== null || child.pid === undefined) return err(started ?? "it has no process id");
  child.unref();
  return ok({ pid: child.pid, ended });
}
