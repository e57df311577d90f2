import type { SimulatedClock } from "../adapters/clock/simulated.ts";
import { termHub, termUpstream } from "../controllers/carry-term.ts";
import { startLeading, type Leadership } from "../controllers/lead.ts";
import type { ControlPorts } from "../controllers/start-controllers.ts";
import type { CallSite } from "./crash-points.ts";
import { Mortal, type Standstill } from "./mortal.ts";
import { mortalControlPorts } from "./mortal-ports.ts";
import type { NodeAgent } from "./node-agent.ts";
import { ProcessLife } from "./process-life.ts";

export interface WorldLeadersParts {
  readonly clock: SimulatedClock;
  readonly lives: Map<string, ProcessLife>;
  readonly agent: NodeAgent;
  /** Each control plane's own ports, by its party. */
  readonly portsOf: ReadonlyMap<string, ControlPorts>;
}

interface Plane {
  readonly party: string;
  readonly mortal: Mortal<CallSite>;
  readonly leadership: Leadership;
}

const STEP_MS = 10;
/** Somebody leads by then, in a world whose store works. */
const FIRST_WITHIN_MS = 2_000;
const STOP_WITHIN_MS = 60_000;

/** Several control planes over one store, of which one leads. */
export class WorldLeaders {
  readonly #parts: WorldLeadersParts;
  #planes: readonly Plane[] = [];

  constructor(parts: WorldLeadersParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#planes = [...this.#parts.portsOf].map(([party, ports]) => this.#startPlane(party, ports));
    await this.#drive(() => this.leader() !== null, FIRST_WITHIN_MS);
  }

  /** The party that leads and runs; null = nobody does. */
  leader(): string | null {
    return this.#planes.find(({ mortal, leadership }) => !mortal.life.isPaused && leadership.isLeading())?.party ?? null;
  }

  standAt(party: string, standstill: Standstill<CallSite> | null): void {
    this.#planes.find((plane) => plane.party === party)?.mortal.standAt(standstill);
  }

  async stop(): Promise<void> {
    const left = new Set(this.#planes);
    for (const plane of this.#planes) void plane.leadership.stop().then(() => left.delete(plane));
    await this.#drive(() => left.size === 0, STOP_WITHIN_MS);
    for (const { party, mortal } of this.#planes) {
      mortal.life.end();
      this.#parts.lives.delete(party);
    }
    this.#planes = [];
  }

  #startPlane(party: string, ports: ControlPorts): Plane {
    const { lives, agent, clock } = this.#parts;
    const life = new ProcessLife(clock);
    const mortal = new Mortal<CallSite>(life);
    lives.set(party, life);
    const own = mortalControlPorts(ports, mortal);
    const leadership = startLeading(
      {
        store: own.store,
        clock: own.clock,
        log: own.log,
        // A process that stands still at a call stands between its own look at the lease and whoever gets the call.
        portsOf: (term, storeOf) =>
          mortalControlPorts(
            {
              ...ports,
              ...agent.under(term),
              store: agent.watched(storeOf(ports.store), term),
              upstream: termUpstream(ports.upstream, term),
              hub: termHub(ports.hub, term),
            },
            mortal,
          ),
      },
      party,
    );
    return { party, mortal, leadership };
  }

  async #drive(isOver: () => boolean, limitMs: number): Promise<void> {
    const { clock } = this.#parts;
    const untilMs = clock.monotonicMs() + limitMs;
    while (!isOver() && clock.monotonicMs() < untilMs) await clock.advance(STEP_MS);
  }
}
