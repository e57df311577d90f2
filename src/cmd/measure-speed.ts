import { writeFileSync } from "node:fs";
import { startSpeedWorld } from "../simulator/speed-scenario.ts";
import type { ExitCode } from "./explain.ts";

const SPEED_MIN = 1_000;
const WINDOW_SECONDS = 500;
/** A window beside which the control took so much longer than beside the best one was not the program's alone. */
const CONTROL_RATIO_MAX = 1.1;
/** Of the windows, so many must have held; else the machine was too busy to say anything. */
const HELD_RATIO_MIN = 0.25;

export interface SpeedOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Not measured: the hot paths are compiled meanwhile, on the same processor. */
  readonly warmUpSeconds: number;
  readonly json?: string;
}

interface Window {
  readonly virtualSeconds: number;
  readonly usedSeconds: number;
  /** The slower one of the controls before and after it. */
  readonly controlSeconds: number;
}

/**
 * Virtual seconds a second of the processor's time, in windows. Between them runs a control, always the same work: where it was slow the
 * neighbours of this machine had its caches, and the window is told of but not counted.
 */
export async function measureSpeed({ seed, seconds, warmUpSeconds, json }: SpeedOptions): Promise<ExitCode> {
  const world = await startSpeedWorld(seed);
  await world.warmUp(warmUpSeconds * 1_000);
  const windows: Window[] = [];
  let control = controlSeconds();
  const measure = async (windowSeconds: number, run: () => Promise<unknown>): Promise<void> => {
    const before = process.cpuUsage();
    await run();
    const usedSeconds = usedSince(before);
    const next = controlSeconds();
    windows.push({ virtualSeconds: windowSeconds, usedSeconds, controlSeconds: Math.max(control, next) });
    control = next;
  };
  let left = seconds;
  for (; left > WINDOW_SECONDS; left -= WINDOW_SECONDS) await measure(WINDOW_SECONDS, () => world.warmUp(WINDOW_SECONDS * 1_000));
  const last = Promise.withResolvers<Awaited<ReturnType<typeof world.run>>>();
  await measure(left, () => world.run(left * 1_000).then(last.resolve, last.reject));
  const report = await last.promise;

  const best = Math.min(...windows.map((window) => window.controlSeconds));
  const held = windows.filter((window) => window.controlSeconds <= best * CONTROL_RATIO_MAX);
  const isHeld = held.length >= windows.length * HELD_RATIO_MIN;
  const speed = Math.round(speedOf(held));
  process.stdout.write(
    `${speed} virtual seconds a second of processor time, in the ${held.length} of ${windows.length} windows in which this machine was left alone; ` +
      `${Math.round(speedOf(windows))} in all of them: ${seconds} virtual seconds after ${warmUpSeconds} to warm up, ` +
      `${report.completeCount} of ${report.requestCount} requests complete; hash ${report.hash}\n`,
  );
  if (!isHeld) process.stdout.write("The machine was too busy for this to count: measure again.\n");
  for (const violation of report.violations) process.stderr.write(`  ${violation}\n`);
  const isWorking = report.violations.length === 0;
  if (json !== undefined) {
    const row = { name: "simulation speed", value: speed, unit: "virtual seconds per processor second", must: `>= ${SPEED_MIN}` };
    writeFileSync(json, `${JSON.stringify({ rows: [{ ...row, pass: isWorking && isHeld && speed >= SPEED_MIN }], windows }, null, 2)}\n`);
  }
  return isWorking ? 0 : 1;
}

function speedOf(windows: readonly Window[]): number {
  const used = windows.reduce((sum, { usedSeconds }) => sum + usedSeconds, 0);
  return windows.reduce((sum, { virtualSeconds }) => sum + virtualSeconds, 0) / used;
}

const usedSince = (before: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000_000;
};

/** More than the nearest caches hold. */
const CONTROL_WORDS = 1 << 19;
const CONTROL_ROUNDS = 8;
const words = new Int32Array(CONTROL_WORDS);

/** Always the same work: each word is mixed into another one far away. */
function controlSeconds(): number {
  const before = process.cpuUsage();
  let at = 1;
  for (let round = 0; round < CONTROL_ROUNDS * CONTROL_WORDS; round += 1) {
    at = (Math.imul(at, 0x9e37_79b1) + 0x7f4a_7c15) >>> 13;
    at &= CONTROL_WORDS - 1;
    words[at] = Math.imul((words[at] ?? 0) ^ round, 0x85eb_ca6b);
    at = (at ^ (round << 3)) | 1;
  }
  return usedSince(before);
}
