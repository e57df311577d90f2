import { monotonicMs, type MonotonicMs } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { Host } from "../ports/host.ts";
import type { HealthIndex } from "../routing/health.ts";
import { isSelfSuspect, judge } from "../routing/suspicion.ts";
import type { EndpointBoard, EndpointWatch } from "./endpoint-board.ts";
import type { Ejector } from "./ejector.ts";
import type { Prober } from "./prober.ts";

export const TICK_MS = 50;
/** Our own loop was away for longer: what looks like an engine's silence is ours. */
const LOOP_LAG_MAX_MS = 200;
/** How long a host's report may repeat a lag that is over. */
const LAG_MEMORY_MS = 2_500;
/** Ejections for silence of the last moments still count as silent. */
const SILENT_MEMORY_MS = 2_000;

export interface JudgeParts {
  readonly ports: { readonly clock: Pick<Clock, "monotonicMs">; readonly host: Pick<Host, "loopLagMs"> };
  readonly board: EndpointBoard;
  readonly health: HealthIndex;
  readonly ejector: Pick<Ejector, "eject">;
  readonly prober: Pick<Prober, "probe" | "askReturn">;
}

/** One look at every endpoint each tick: who owes answers and is silent, who lives, who is hung. */
export class Judge {
  readonly #parts: JudgeParts;
  #lastTickAt: MonotonicMs | null = null;
  #awayAt: MonotonicMs | null = null;
  #blamedAt: MonotonicMs | null = null;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  /** So much fell silent together a moment ago that the fault is likely this gateway's own. */
  isSelfSuspect(): boolean {
    return this.#blamedAt !== null && this.#parts.ports.clock.monotonicMs() - this.#blamedAt <= SILENT_MEMORY_MS;
  }

  tick(): void {
    const now = this.#parts.ports.clock.monotonicMs();
    if (this.#wereWeAway(now)) {
      for (const watch of this.#parts.board.all()) watch.forgetSuspicion(now);
      return;
    }
    const condemned = this.#look(now);
    if (condemned.length === 0) return;
    if (this.#areWeToBlame(condemned, now)) {
      this.#blamedAt = now;
    } else {
      for (const { watch, cause } of condemned) this.#parts.ejector.eject(watch, cause);
    }
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

  #look(now: MonotonicMs): { watch: EndpointWatch; cause: "silent" | "no-progress" }[] {
    const condemned: { watch: EndpointWatch; cause: "silent" | "no-progress" }[] = [];
    for (const watch of this.#parts.board.all()) {
      if (this.#parts.health.ejectionOf(watch.endpoint) !== null) {
        this.#parts.prober.askReturn(watch);
        continue;
      }
      const verdict = judge(watch.evidence(now), now);
      if (verdict.kind === "probe") this.#parts.prober.probe(watch);
      if (verdict.kind === "eject") condemned.push({ watch, cause: verdict.cause });
      else this.#cutLost(watch, now);
    }
    return condemned;
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

  /** Only silence can be ours; a hung engine answered our probes. */
  #areWeToBlame(condemned: readonly { watch: EndpointWatch; cause: string }[], now: MonotonicMs): boolean {
    const silent = new Set(condemned.filter((one) => one.cause === "silent").map((one) => one.watch));
    let owing = 0;
    for (const watch of this.#parts.board.all()) {
      const ejection = this.#parts.health.ejectionOf(watch.endpoint);
      if (ejection?.cause === "silent" && now - ejection.since <= SILENT_MEMORY_MS) silent.add(watch);
      // Not condemned yet, but on the way: a fault of ours shows everywhere at nearly one time.
      if (watch.unanswered > 0 && watch.calls.size > 0) silent.add(watch);
      if (watch.calls.size > 0 || silent.has(watch)) owing += 1;
    }
    const nodes = new Set([...silent].map((watch) => watch.endpoint.node ?? watch.endpoint.uid));
    return isSelfSuspect({ silentNodes: nodes.size, silent: silent.size, owing });
  }

  /** For a gateway that starts: the first tick has no gap before it. */
  reset(): void {
    this.#lastTickAt = monotonicMs(this.#parts.ports.clock.monotonicMs());
  }
}
