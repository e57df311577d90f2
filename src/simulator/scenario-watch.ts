import type { LadderPlace } from "../api/failover-record.ts";
import type { ServicePhase, ServiceStatus } from "../api/service-status.ts";
import type { ScenarioService } from "./scenario.ts";

/** What was seen of one service from the start of the load on. */
export interface ServiceSeen {
  readonly rungs: readonly LadderPlace[];
  readonly phases: ReadonlySet<ServicePhase>;
  /** Types that stood at True. */
  readonly conditions: ReadonlySet<string>;
  /** Of a warm level that sleeps: somebody on it was awake. */
  readonly wasWoken: boolean;
}

const MOVE = /^Moves traffic from \w+ to (\w+) \(epoch (\d+)\)\.$/;
const PLACES: readonly LadderPlace[] = ["hot", "warm", "cold", "degraded"];

/** Follows one service by its status: what lasts shorter than a look is taken from the history. */
export class ServiceWatch {
  readonly service: ScenarioService;
  readonly #rungs: LadderPlace[] = [];
  readonly #phases = new Set<ServicePhase>();
  readonly #conditions = new Set<string>();
  #epoch = 0;
  #wasWoken = false;

  constructor(service: ScenarioService) {
    this.service = service;
  }

  look(status: ServiceStatus): void {
    if (this.#rungs.length === 0) {
      this.#rungs.push(status.level);
      this.#epoch = status.epoch;
    }
    for (const { what } of status.history) {
      const [, to, epoch] = MOVE.exec(what) ?? [];
      const place = PLACES.find((one) => one === to);
      if (place === undefined || Number(epoch) <= this.#epoch) continue;
      this.#epoch = Number(epoch);
      this.#rungs.push(place);
    }
    this.#phases.add(status.phase);
    for (const { type, status: isTrue } of status.conditions) if (isTrue === "True") this.#conditions.add(type);
    const isAwake = status.instances.some(({ level, state }) => level === "warm" && ["Waking", "Verifying", "Ready"].includes(state));
    if (this.service.isWarmAsleep && isAwake) this.#wasWoken = true;
  }

  get seen(): ServiceSeen {
    return { rungs: this.#rungs, phases: this.#phases, conditions: this.#conditions, wasWoken: this.#wasWoken };
  }
}

/** @returns what keeps a service from being as it is configured; null = nothing. */
export function whyNotAsConfigured(service: ScenarioService, status: ServiceStatus | null): string | null {
  if (status === null) return `${service.name} has no status.`;
  const { level, phase, instances } = status;
  const count = (of: string, state: string): number => instances.filter((one) => one.level === of && one.state === state).length;
  const warmState = service.isWarmAsleep ? "Asleep" : "Ready";
  const isWhole =
    level === "hot" &&
    phase === "Normal" &&
    count("hot", "Ready") === service.hotCount &&
    count("warm", warmState) === service.warmCount &&
    instances.length === service.hotCount + service.warmCount;
  if (isWhole) return null;
  const states = instances.map(({ name, state, message }) => `${name} ${state} (${message})`).join(", ");
  return `${service.name} is on ${level}, ${phase}: ${states}.`;
}
