import { createSeededRandom } from "../adapters/random/simulated.ts";
import { between } from "./draw-schedule.ts";
import { instanceOf } from "./world-engine.ts";
import type { WorldNoise } from "./world-noise.ts";
import type { Random } from "../ports/random.ts";
import type { World } from "./world.ts";

/** Log-normal with this median and this p99.9; the 0.999 quantile of the normal distribution is 3.0902. */
const STEP = { medianMs: 30, sigma: Math.log(1_000 / 30) / 3.0902, maxMs: 1_500 };
const WALL_OFFSET_MAX_MS = 3_600_000;
const WALL_JUMP_EVERY_MS = 60_000;
const PAUSE = { everyMs: 15_000, minMs: 20, maxMs: 500 };
const GAP = { everyMs: 300_000, forMs: 30_000 };
/** In a gap that is only slow: metrics come when nobody waits for them any more; health stays within the shortest patience. */
const LATE_MS = { metrics: { min: 300, max: 3_000 }, health: { min: 0, max: 250 } };

/** Parties that are stopped for a moment now and then, as by a collector of garbage or a starved host. */
const PAUSED = ["gateway-0", "control-plane"];

/**
 * Noise of a platform in which nothing is broken. Engines' steps are log-normal; gateway and control plane stand still for up to
 * 500 ms; for 30 s at a time an engine's metrics page never comes or comes late while it serves and answers `/health`; each process
 * and the store have a wall clock of their own, up to an hour wrong, that jumps.
 */
export class HealthyNoise implements WorldNoise {
  readonly #seed: number;
  readonly #steps = new Map<string, Random>();
  readonly #offsets = new Map<string, number>();
  readonly #gaps = new Map<string, "missing" | "late">();
  readonly #late: Random;
  readonly counts = { pauses: 0, gaps: 0, jumps: 0 };
  #isOn = true;
  /** All pauses of the first gateway, also the one that it is in. */
  readonly #gatewayPauses: { readonly fromMs: number; readonly untilMs: number }[] = [];

  constructor(seed: number) {
    this.#seed = seed;
    this.#late = createSeededRandom(`${seed}/late`);
  }

  wallOffsetMs(party: string): number {
    const known = this.#offsets.get(party);
    if (known !== undefined) return known;
    const offsetMs = drawOffset(createSeededRandom(`${this.#seed}/wall of ${party}`));
    this.#offsets.set(party, offsetMs);
    return offsetMs;
  }

  stepMs(party: string): number {
    let random = this.#steps.get(party);
    if (random === undefined) this.#steps.set(party, (random = createSeededRandom(`${this.#seed}/steps of ${party}`)));
    return Math.min(STEP.maxMs, STEP.medianMs * Math.exp(STEP.sigma * normal(random)));
  }

  answerLateMs(party: string, question: "/health" | "/metrics"): number | null {
    const gap = this.#gaps.get(instanceOf(party));
    if (gap === undefined) return 0;
    if (question === "/health") return between(this.#late, LATE_MS.health);
    return gap === "missing" ? null : between(this.#late, LATE_MS.metrics);
  }

  /** When the last pause of the first gateway ended that was over by then; null = none was. */
  gatewayBackBefore(atMs: number): number | null {
    const ends = this.#gatewayPauses.flatMap(({ untilMs }) => (untilMs <= atMs ? [untilMs] : []));
    return ends.length === 0 ? null : Math.max(...ends);
  }

  /** When the first gateway, which stood still at that moment, went on; the moment itself where it did not. */
  gatewayBackFrom(atMs: number): number {
    return Math.max(atMs, ...this.#gatewayPauses.flatMap(({ fromMs, untilMs }) => (fromMs <= atMs ? [untilMs] : [])));
  }

  isInGap(instance: string): boolean {
    return this.#gaps.has(instance);
  }

  /** From now on pauses, gaps and jumps come by chance. */
  start(world: World): void {
    const random = world.chance("noise");
    for (const party of PAUSED) this.#again(world, random, PAUSE.everyMs, () => this.#pause(world, party, random));
    this.#again(world, random, WALL_JUMP_EVERY_MS, () => this.#jump(random));
    this.#again(world, random, GAP.everyMs, () => void this.#gap(world, random));
  }

  /** What is under way ends by itself. */
  stop(): void {
    this.#isOn = false;
  }

  #again(world: World, random: Random, everyMs: number, act: () => void): void {
    world.clock.after(-Math.log(1 - random.next()) * everyMs, () => {
      if (!this.#isOn) return;
      act();
      this.#again(world, random, everyMs, act);
    });
  }

  #pause(world: World, party: string, random: Random): void {
    const forMs = between(random, { min: PAUSE.minMs, max: PAUSE.maxMs });
    const untilMs = world.clock.monotonicMs() + forMs;
    if (party === PAUSED[0]) this.#gatewayPauses.push({ fromMs: untilMs - forMs, untilMs });
    world.pause(party);
    this.counts.pauses += 1;
    world.clock.after(forMs, () => world.resume(party));
  }

  #jump(random: Random): void {
    const parties = [...this.#offsets.keys()];
    const party = parties[Math.floor(random.next() * parties.length)];
    if (party === undefined) return;
    this.#offsets.set(party, drawOffset(random));
    this.counts.jumps += 1;
  }

  async #gap(world: World, random: Random): Promise<void> {
    const engines = await world.launcher.observe();
    const instance = engines[Math.floor(random.next() * engines.length)]?.instance;
    if (instance === undefined || this.#gaps.has(instance)) return;
    this.#gaps.set(instance, random.next() < 0.5 ? "missing" : "late");
    this.counts.gaps += 1;
    world.clock.after(GAP.forMs, () => this.#gaps.delete(instance));
  }
}

const drawOffset = (random: Random): number => between(random, { min: -WALL_OFFSET_MAX_MS, max: WALL_OFFSET_MAX_MS });

/** Box and Muller 1958. */
const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
