import { readdirSync, readFileSync } from "node:fs";

export interface SeenProcess {
  readonly pid: number;
  readonly argv: readonly string[];
  /** Ticks since boot: tells a process from a later one with its pid. */
  readonly startedAtTicks: string;
}

// Field 22 of /proc/PID/stat, counted behind the parenthesis that closes the command's name.
const START_FIELD_AFTER_NAME = 19;

/** One process, or null when it is gone or a zombie. */
export function seeProcess(pid: number): SeenProcess | null {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const startedAtTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[START_FIELD_AFTER_NAME] ?? "";
    return argv.length === 0 ? null : { pid, argv, startedAtTicks };
  } catch {
    return null;
  }
}

/** Every process with `marker` in its command line, this one excepted. */
export function processesWith(marker: string): readonly SeenProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => seeProcess(Number(name)))
    .filter((seen) => seen !== null)
    .filter((seen) => seen.argv.some((argument) => argument.includes(marker)));
}

export const isSameProcess = (seen: SeenProcess): boolean => seeProcess(seen.pid)?.startedAtTicks === seen.startedAtTicks;

/** Sends only to the very process that was seen. @returns false when it is gone. */
export function signal(seen: SeenProcess, name: NodeJS.Signals): boolean {
  if (!isSameProcess(seen)) return false;
  try {
    return process.kill(seen.pid, name);
  } catch {
    return false;
  }
}
