import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

/** One process for its whole life: a recycled pid has another start. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from the boot of the machine to the start of the process, as `/proc/PID/stat` says it. */
  readonly startTicks: string;
}

/** @returns null when no such process lives; one that has ended and only waits to be collected does not live. */
export function identify(pid: number): ProcessIdentity | null {
  const stat = readProc(pid, "stat");
  if (stat === null) return null;
  // The command's name, in brackets, may hold spaces and brackets itself: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0] ?? "X";
  const startTicks = fields[19];
  return state === "Z" || state === "X" || startTicks === undefined ? null : { pid, startTicks };
}

export function isAlive({ pid, startTicks }: ProcessIdentity): boolean {
  return identify(pid)?.startTicks === startTicks;
}

/** The value of `name` in the environment that the process was started with; null = not set, gone, or not ours to read. */
export function environmentOf(pid: number, name: string): string | null {
  return entryOf(readProc(pid, "environ"), name);
}

/** Every living process of ours whose environment has `name` with a value that `prefix` begins. Looks at all processes: not for a loop. */
export async function findByEnvironment(name: string, prefix: string): Promise<readonly (ProcessIdentity & { readonly value: string })[]> {
  const found: (ProcessIdentity & { readonly value: string })[] = [];
  for (const entry of await readdir("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const value = entryOf(await environmentText(pid), name);
    const identity = value?.startsWith(prefix) === true ? identify(pid) : null;
    if (value !== null && identity !== null) found.push({ ...identity, value });
  }
  return found;
}

/** Without `/proc` a process cannot be told from a later one with its number, and nothing may be adopted or ended. */
export const canIdentify = (): boolean => existsSync("/proc/self/stat") && existsSync("/proc/self/environ");
export const CANNOT_IDENTIFY = "this system has no /proc: processes are only started and ended on Linux";

function readProc(pid: number, file: "stat" | "environ"): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return null;
  }
}

/** Read without blocking: there may be thousands. */
async function environmentText(pid: number): Promise<string | null> {
  try {
    return await readFile(`/proc/${pid}/environ`, "utf8");
  } catch {
    return null;
  }
}

function entryOf(environment: string | null, name: string): string | null {
  const entry = environment?.split("\0").find((one) => one.startsWith(`${name}=`));
  return entry === undefined ? null : entry.slice(name.length + 1);
}
