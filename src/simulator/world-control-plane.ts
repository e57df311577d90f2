import type { SimulatedClock } from "../adapters/clock/simulated.ts";
import { assert } from "../base/assert.ts";
import { startControllers, type Controllers, type ControlPorts } from "../controllers/start-controllers.ts";
import type { CallSite, CrashSite } from "./crash-points.ts";
import { createMortalPorts, type MortalPorts } from "./mortal-ports.ts";
import type { CrashPoint } from "./mortal.ts";
import type { SimulatedNetwork } from "./network.ts";
import type { ProcessLife } from "./process-life.ts";

/** Its name on the network. */
export const CONTROL_PLANE = "control-plane";
const STEP_MS = 10;
/** What a process gave to its kernel before it died still leaves: its connections end so much later. */
export const LAST_BYTES_MS = 0.5;
/** Calls that are under way when a loop ends. */
const STOP_MS = 2_000;
/** Longer than any call takes, also to a slow store. */
const STOP_WITHIN_MS = 60_000;
/** One whose store is away goes on with its start by itself. */
const START_WITHIN_MS = 2_000;

export interface WorldControlPlaneParts {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly lives: Map<string, ProcessLife>;
  readonly ports: ControlPorts;
}

/** site: null = its next write to the store. */
interface DeathAt {
  readonly point: CrashPoint;
  readonly site: CrashSite | null;
  /** One that comes to no such call in time lives on. */
  readonly isSpared?: boolean;
}

/** One control plane after the other, over the same world. */
export class WorldControlPlane {
  readonly #parts: WorldControlPlaneParts;
  #mortal: MortalPorts | null = null;
  /** null = none runs, or it is still at its start. */
  #controllers: Controllers | null = null;

  constructor(parts: WorldControlPlaneParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    assert(this.#mortal === null, "one control plane runs at a time");
    const mortal = createMortalPorts(this.#parts.ports);
    this.#mortal = mortal;
    this.#parts.lives.set(CONTROL_PLANE, mortal.life);
    const starting = startControllers(mortal.ports).then((controllers) => {
      if (this.#mortal === mortal) this.#controllers = controllers;
    });
    await this.#drive(starting, START_WITHIN_MS);
  }

  /**
   * Resolves when it is dead.
   * @returns false = it came to no such call, and was killed where it stood after `withinMs`.
   */
  async crash(at: DeathAt, withinMs: number): Promise<boolean> {
    const { clock, network, ports } = this.#parts;
    const mortal = this.#mortal;
    assert(mortal !== null, "a control plane runs");
    const death: { at: CallSite | null } = { at: null };
    mortal.dieAt(at, (site) => {
      death.at = site;
      clock.after(LAST_BYTES_MS, () => network.crash(CONTROL_PLANE));
    });
    for (let waitedMs = 0; !mortal.life.isDead && waitedMs < withinMs; waitedMs += STEP_MS) await clock.advance(STEP_MS);
    if (death.at === null && at.isSpared === true) {
      mortal.spare();
      return false;
    }
    mortal.life.end();
    ports.log.record({
      level: "info",
      event: "world.control-plane-crashed",
      fields: { atMs: clock.monotonicMs(), point: at.point, site: death.at },
    });
    this.#gone();
    await ports.hub.close();
    if (death.at === null) network.crash(CONTROL_PLANE);
    else await clock.advance(LAST_BYTES_MS);
    return death.at !== null;
  }

  async stop(): Promise<void> {
    const { clock, network, ports } = this.#parts;
    const [mortal, controllers] = [this.#mortal, this.#controllers];
    if (mortal === null) return;
    this.#gone();
    network.thaw(CONTROL_PLANE);
    mortal.life.resume();
    if (controllers !== null) {
      const stopped = controllers.stop();
      await clock.advance(STOP_MS);
      assert(await this.#drive(stopped, STOP_WITHIN_MS), "a control plane that is asked to end does");
    }
    await ports.hub.close();
    mortal.life.end();
  }

  #gone(): void {
    this.#mortal = null;
    this.#controllers = null;
    this.#parts.lives.delete(CONTROL_PLANE);
  }

  /** Lets time pass until it is done. @returns false = it is not, after `limitMs`. */
  async #drive(work: Promise<unknown>, limitMs: number): Promise<boolean> {
    const { clock } = this.#parts;
    const untilMs = clock.monotonicMs() + limitMs;
    const outcome = { isOver: false };
    void Promise.allSettled([work]).then(() => (outcome.isOver = true));
    await clock.advance(0);
    while (!outcome.isOver && clock.monotonicMs() < untilMs) await clock.advance(STEP_MS);
    // What it rejects with is the caller's to know.
    if (outcome.isOver) await work;
    return outcome.isOver;
  }
}
