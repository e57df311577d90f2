import { monotonicMs, type MonotonicMs, type Uid } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { Host } from "../ports/host.ts";
import { endpointKey, type EndpointKey, type HealthIndex } from "../routing/health.ts";
import { isSuspected, judge } from "../routing/suspicion.ts";
import type { EndpointBoard, EndpointWatch } from "./endpoint-board.ts";
import type { Ejector } from "./ejector.ts";
import type { Prober } from "./prober.ts";
import type { Condemned, SelfSuspicion } from "./self-suspicion.ts";

export const TICK_MS = 50;
/** Our own loop was away for longer: what looks like an engine's silence is ours. */
const LOOP_LAG_MAX_MS = 200;
/** How long a host's report may repeat a lag that is over. */
const LAG_MEMORY_MS = 2_500;

export interface JudgeParts {
  readonly ports: { readonly clock: Pick<Clock, "monotonicMs">; readonly host: Pick<Host, "loopLagMs"> };
  readonly board: EndpointBoard;
  readonly health: HealthIndex;
  readonly ejector: Pick<Ejector, "eject">;
  readonly prober: Pick<Prober, "probe" | "askReturn">;
  readonly self: Pick<SelfSuspicion, "prepare" | "believe" | "tick" | "mayBeOurs">;
  /** At each tick at which somebody is under one signal's suspicion, and was not ejected: who, and of which tables. */
  readonly suspected: (suspects: ReadonlySet<EndpointKey>, tables: ReadonlySet<Uid>) => void;
}

/** One look at every endpoint each tick: who owes answers and is silent, who lives, who is hung. */
export class Judge {
  readonly #parts: JudgeParts;
  #lastTickAt: MonotonicMs | null = null;
  #awayAt: MonotonicMs | null = null;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  tick(): void {
    const now = this.#parts.ports.clock.monotonicMs();
    if (this.#wereWeAway(now)) {
      for (const watch of this.#parts.board.all()) watch.forgetSuspicion(now);
      return;
    }
    this.#parts.self.tick();
    const { condemned, suspected } = this.#look(now);
    if (condemned.length > 0) {
      for (const { watch, cause } of this.#parts.self.believe(condemned)) this.#parts.ejector.eject(watch, cause);
    }
    if (suspected.length === 0) return;
    const believed = suspected.filter((watch) => !this.#parts.self.mayBeOurs(watch));
    this.#parts.suspected(
      new Set(believed.map(({ endpoint }) => endpointKey(endpoint))),
      new Set(believed.map(({ tableUid }) => tableUid)),
    );
  }

  /**
   * A late tick tells the moment of our absence: what is seen after it counts again. The host remembers a lag for a while longer;
   * one that no late tick explains is believed.
   */
  #wereWeAway(now: MonotonicMs): boolean {
    const sinceLastMs = this.#lastTickAt === null ? 0 : now - this.#lastTickAt;
    this.#lastTickAt = now;
    if (sinceLastMs > LOOP_LAG_MAX_MS) {
      this.#awayAt = now;
      return true;
    }
    if (this.#parts.ports.host.loopLagMs() <= LOOP_LAG_MAX_MS) return false;
    return this.#awayAt === null || now - this.#awayAt > LAG_MEMORY_MS;
  }

  #look(now: MonotonicMs): { readonly condemned: readonly Condemned[]; readonly suspected: readonly EndpointWatch[] } {
    const condemned: Condemned[] = [];
    const suspected: EndpointWatch[] = [];
    for (const watch of this.#parts.board.all()) {
      if (this.#parts.health.ejectionOf(watch.endpoint) !== null) {
        this.#parts.prober.askReturn(watch);
        continue;
      }
      // Who owes nothing is not judged; most are idle at most ticks.
      if (watch.calls.size === 0) continue;
      const evidence = watch.evidence(now);
      const verdict = judge(evidence, now);
      if (verdict.kind === "probe") this.#probe(watch);
      if (verdict.kind === "eject") condemned.push({ watch, cause: verdict.cause });
      else {
        if (isSuspected(evidence, now)) suspected.push(watch);
        this.#cutLost(watch, now);
      }
    }
    return { condemned, suspected };
  }

  #probe(watch: EndpointWatch): void {
    const { lastProbeAt, heardAt } = watch;
    this.#parts.prober.probe(watch);
    if (lastProbeAt !== null && (heardAt === null || heardAt < lastProbeAt)) this.#parts.self.prepare();
  }

  /** Single streams that stood still for very long while their engine steps on. */
  #cutLost(watch: EndpointWatch, now: MonotonicMs): void {
    const gapP99Ms = watch.gaps.p99Ms();
    for (const call of Array.from(watch.calls)) {
      if (call.isExcused) continue;
      const patience = call.patience(gapP99Ms);
      if (patience === null || now - call.waitingSince < patience.cutAfterMs || !call.mayBeCut) continue;
      call.lose({ isHard: false, code: "upstream_stalled" });
    }
  }

  /** For a gateway that starts: the first tick has no gap before it. */
  reset(): void {
    this.#lastTickAt = monotonicMs(this.#parts.ports.clock.monotonicMs());
  }
}
