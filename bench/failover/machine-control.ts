import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { monotonicMs } from "./monotonic.ts";
import { percentile } from "./statistics.ts";

export const LOOP_LAG_P99_MAX_MS = 10;
export const SPAWN_P99_MAX_MS = 150;
const SPAWN_EVERY_MS = 3_000;

/** What the machine itself did while a row ran. */
export interface ControlReading {
  readonly loopLagP99Ms: number | null;
  readonly spawnP50Ms: number | null;
  readonly spawnP99Ms: number | null;
  readonly spawns: number;
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
 * Measures from its start to each `read`: an idle loop's lag all the time, and the start of an empty Node whenever a row says that
 * this is a calm moment. Between a fault and the last restart a core is busy with the platform's own work, which is no fault of the machine.
 */
export class MachineControl {
  readonly #idle: ChildProcess;
  #spawnsMs: number[] = [];
  #sampledAtMs = Number.NEGATIVE_INFINITY;

  constructor() {
    this.#idle = fork(fileURLToPath(new URL("idle-loop.ts", import.meta.url)), { serialization: "advanced" });
  }

  /** Starts one empty Node, at most every few seconds; does not wait for it. */
  calmMoment(): void {
    if (monotonicMs() - this.#sampledAtMs < SPAWN_EVERY_MS) return;
    this.#sampledAtMs = monotonicMs();
    spawnOnceMs().then(
      (tookMs) => this.#spawnsMs.push(tookMs),
      () => this.#spawnsMs.push(Number.POSITIVE_INFINITY),
    );
  }

  /** What was measured since the last read. Takes one more start, so that a short row has at least one. */
  async read(): Promise<ControlReading> {
    this.#spawnsMs.push(await spawnOnceMs());
    this.#idle.send("read");
    const [lagsMs] = (await once(this.#idle, "message")) as [number[]];
    const loopLagP99Ms = percentile(lagsMs, 0.99);
    const spawnP99Ms = percentile(this.#spawnsMs, 0.99);
    const spawnP50Ms = percentile(this.#spawnsMs, 0.5);
    const spawns = this.#spawnsMs.length;
    this.#spawnsMs = [];
    const holds = loopLagP99Ms !== null && loopLagP99Ms <= LOOP_LAG_P99_MAX_MS && spawnP99Ms !== null && spawnP99Ms <= SPAWN_P99_MAX_MS;
    return { loopLagP99Ms, spawnP50Ms, spawnP99Ms, spawns, holds };
  }

  stop(): void {
    this.#idle.kill("SIGKILL");
  }
}
