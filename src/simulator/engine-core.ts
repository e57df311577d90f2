import type { GpuFaultMode } from "../api/fault.ts";
import type { FaultKind } from "../api/fault.ts";
import type { MemoryPlan } from "../engine-model/memory-plan.ts";
import type { Clock } from "../ports/clock.ts";
import type { GpuAccount } from "../ports/gpu-account.ts";
import type { Random } from "../ports/random.ts";
import { createEngineCompute, type EngineCompute } from "./engine-compute.ts";
import { createEngineFaults, type EngineFaults } from "./engine-faults.ts";
import { EngineLoop } from "./engine-loop.ts";
import { createEngineMetrics, type EngineMetrics } from "./engine-metrics.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { RequestLimits } from "./engine-request.ts";
import { EngineResidence } from "./engine-residence.ts";
import { HeardLeaders } from "./heard-leaders.ts";

export interface EnginePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** null = memory and links are not accounted for. */
  readonly account: GpuAccount | null;
  /** What a step takes, where the profile says `plannedMs`; without it: just that. */
  readonly stepMs?: (plannedMs: number) => number;
}

/** What an engine tells its process. */
export interface EngineEvents {
  /** The process must end at once, as by SIGKILL. */
  crashed(reason: string): void;
  /** A GPU under the engine is lost, or a fault has ended its work there: its process must end at once. */
  gpuEnded(reason: string, mode: GpuFaultMode): void;
  /** Nobody has claimed the engine for 30 s: it must end. */
  unclaimed(): void;
}

const asPlanned = (plannedMs: number): number => plannedMs;

/** The parts of one engine that its routes share. */
export class EngineCore {
  readonly options: EngineOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EngineEvents;
  readonly limits: RequestLimits;
  readonly metrics: EngineMetrics;
  readonly faults: EngineFaults;
  readonly compute: EngineCompute;
  readonly loop: EngineLoop;
  readonly residence: EngineResidence;
  readonly leaders = new HeardLeaders();
  readonly createdSeconds: number;
  readonly #stopping = new AbortController();
  /** The last wake brought broken weights. */
  #isBrokenByWake = false;

  constructor(options: EngineOptions, plan: MemoryPlan, ports: EnginePorts, events: EngineEvents) {
    this.options = options;
    this.clock = ports.clock;
    this.random = ports.random;
    this.events = events;
    this.limits = { models: [options.model, ...options.adapters], contextLength: plan.contextLength };
    this.metrics = createEngineMetrics(options.model, plan.kvBlocks);
    this.faults = createEngineFaults(ports.clock, (kinds) => this.#faultsChanged(kinds));
    this.compute = createEngineCompute({
      clock: ports.clock,
      account: ports.account,
      options,
      ignoresShare: () => this.faults.has("ignores-share"),
      repaced: (ratio) => this.loop.repace(ratio),
    });
    const profile = { ...options.profile, kvBlocks: plan.kvBlocks };
    this.loop = new EngineLoop({
      clock: ports.clock,
      profile,
      faults: this.faults,
      metrics: this.metrics,
      stepMs: ports.stepMs ?? asPlanned,
      compute: this.compute,
    });
    this.residence = new EngineResidence(options, plan, { ...ports, signal: this.#stopping.signal });
    this.createdSeconds = Math.floor(ports.clock.wallMs() / 1_000);
  }

  get saysGarbage(): boolean {
    return this.#isBrokenByWake || this.residence.areWeightsStale;
  }

  /** After a wake that brought the weights back. */
  wokeUp(): void {
    this.#isBrokenByWake = this.faults.has("garbage-after-wake");
  }

  stop(): void {
    this.#stopping.abort();
    this.faults.clear();
  }

  #faultsChanged(kinds: readonly FaultKind[]): void {
    if (this.faults.has("crash")) return this.events.crashed("the fault crash was injected");
    if (kinds.some((kind) => kind === "stall" || kind === "truncate" || kind === "reset")) {
      for (const answer of this.loop.answers) answer.setCuts(this.faults.cuts);
    }
    if (kinds.includes("ignores-share")) this.compute.refresh();
    if (kinds.includes("grabs-memory")) void this.residence.grab(this.faults.grabbedBytes);
    if (kinds.includes("hang") && !this.faults.isHung) this.loop.resume();
  }
}
