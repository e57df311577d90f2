import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { monotonicMs } from "./monotonic.ts";
import { percentile } from "./statistics.ts";

export const LOOP_LAG_P99_MAX_MS = 10;
/** Of rows that boot ten engines a round, and whose bars are seconds: their own boots are most of the lag. */
export const ZONE_LOOP_LAG_P99_MAX_MS = 25;
export const SPAWN_P99_MAX_MS = 150;
const SPAWN_EVERY_MS = 3_000;
/** Starts of an empty Node before each row, and as many after it. */
const QUIET_STARTS = 12;

/** What the machine itself did while a row ran. */
export interface ControlReading {
  readonly loopLagP99Ms: number | null;
  readonly spawnP50Ms: number | null;
  readonly spawnP99Ms: number | null;
  readonly spawns: number;
  /** The same while the row's own load ran: told, not judged. */
  readonly spawnUnderLoadP99Ms: number | null;
  /** false = the machine was too busy or too slow for absolute bars: the row is void. */
  readonly holds: boolean;
}

async function spawnOnceMs(): Promise<number> {
  const fromMs = monotonicMs();
  const child = spawn(process.execPath, ["-e", "0"], { stdio: "ignore", env: {} });
  await once(child, "exit");
  return monotonicMs() - fromMs;
}

/**
 * What the machine can do, measured around and during a row: an idle loop's lag all the time; the start of an empty Node before the row's load
 * begins and after it has ended, since under load that start measures our own load and not the machine.
 */
export class MachineControl {
  readonly #idle: ChildProcess;
  #spawnsMs: number[] = [];
  #underLoadMs: number[] = [];
  #sampledAtMs = Number.NEGATIVE_INFINITY;

  constructor() {
    this.#idle = fork(fileURLToPath(new URL("idle-loop.ts", import.meta.url)), { serialization: "advanced" });
  }

  /** Starts one empty Node, at most every few seconds; does not wait for it. */
  calmMoment(): void {
    if (monotonicMs() - this.#sampledAtMs < SPAWN_EVERY_MS) return;
    this.#sampledAtMs = monotonicMs();
    spawnOnceMs().then(
      (tookMs) => this.#underLoadMs.push(tookMs),
      () => this.#underLoadMs.push(Number.POSITIVE_INFINITY),
    );
  }

  /** Forgets what was before the row, and takes the starts before its load. */
  async begin(): Promise<void> {
    await this.#readIdle();
    this.#spawnsMs = [];
    this.#underLoadMs = [];
    await this.#quietStarts();
  }

  /** What was measured since `begin`, with the starts after the row's load. */
  async read(loopLagMaxMs: number = LOOP_LAG_P99_MAX_MS): Promise<ControlReading> {
    const loopLagP99Ms = percentile(await this.#readIdle(), 0.99);
    await this.#quietStarts();
    const spawnP99Ms = percentile(this.#spawnsMs, 0.99);
    const spawnP50Ms = percentile(this.#spawnsMs, 0.5);
    const spawns = this.#spawnsMs.length;
    const spawnUnderLoadP99Ms = percentile(this.#underLoadMs, 0.99);
    const holds = loopLagP99Ms !== null && loopLagP99Ms <= loopLagMaxMs && spawnP99Ms !== null && spawnP99Ms <= SPAWN_P99_MAX_MS;
    return { loopLagP99Ms, spawnP50Ms, spawnP99Ms, spawns, spawnUnderLoadP99Ms, holds };
  }

  async #readIdle(): Promise<number[]> {
    this.#idle.send("read");
    const [lagsMs] = (await once(this.#idle, "message")) as [number[]];
    return lagsMs;
  }

  async #quietStarts(): Promise<void> {
    for (let start = 0; start < QUIET_STARTS; start += 1) this.#spawnsMs.push(await spawnOnceMs());
  }

  stop(): void {
    this.#idle.kill("SIGKILL");
  }
}
