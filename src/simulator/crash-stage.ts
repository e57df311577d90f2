import type { CrashPlace } from "./crash-points.ts";
import { formatViolation } from "./checker.ts";
import { createLadderCheckers, LadderWatch } from "./ladder-checks.ts";
import type { ScenarioStage, StageEvent } from "./scenario-stage.ts";
import type { WorldStage } from "./world-stage.ts";

/** A scenario's stage on which a process dies too: from the scenario's first event on, at the first call of one place. */
export class CrashStage implements ScenarioStage {
  readonly world = "simulator";
  readonly #stage: WorldStage;
  readonly #place: CrashPlace;
  readonly #watch: LadderWatch;
  #state: "calm" | "armed" | "died" = "calm";
  #isControlPlaneAway = false;

  constructor(stage: WorldStage, place: CrashPlace) {
    this.#stage = stage;
    this.#place = place;
    this.#watch = new LadderWatch(stage.platform, createLadderCheckers());
  }

  /** Whether the process came to that call. */
  get hasDied(): boolean {
    return this.#state === "died";
  }

  /** What must never be, whatever dies. */
  get violations(): readonly string[] {
    return this.#watch.violations.map(formatViolation);
  }

  nowMs(): number {
    return this.#stage.nowMs();
  }

  async wait(durationMs: number): Promise<void> {
    const untilMs = this.nowMs() + durationMs;
    const mayDie = this.#state === "armed" && !(this.#isControlPlaneAway && this.#place.process === "control-plane");
    if (mayDie && (await this.#stage.platform.crashAt(this.#place, durationMs))) this.#state = "died";
    const leftMs = untilMs - this.nowMs();
    if (leftMs > 0) await this.#stage.wait(leftMs);
    await this.#watch.look();
  }

  async perform(event: StageEvent): Promise<string | null> {
    if (this.#state === "calm") this.#state = "armed";
    if (event.kind === "kill-control-plane") this.#isControlPlaneAway = true;
    if (event.kind === "start-control-plane") this.#isControlPlaneAway = false;
    return this.#stage.perform(event);
  }

  statuses: ScenarioStage["statuses"] = () => this.#stage.statuses();
  records: ScenarioStage["records"] = () => this.#stage.records();
  clientOf: ScenarioStage["clientOf"] = (service, purpose) => this.#stage.clientOf(service, purpose);

  async stop(): Promise<readonly string[]> {
    this.#watch.stop();
    return this.#stage.stop();
  }
}
