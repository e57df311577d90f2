import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import { fencedStore, raiseFence, type Fence } from "./fence-store.ts";
import { guardPorts } from "./guard-ports.ts";
import { acquireLease, type Lease } from "./hold-lease.ts";
import { startControllers, type Controllers, type ControlPorts } from "./start-controllers.ts";

export interface LeadPorts {
  readonly store: ClusterStore;
  readonly clock: Clock;
  readonly log: EventLog;
  /** What a leader of that term touches the world by. Its receivers know the term, and `storeOf` what its writes are fenced by. */
  readonly portsOf: (term: number, storeOf: (store: ClusterStore) => ClusterStore) => ControlPorts;
}

/** One control plane of several: it waits, leads, and waits again. */
export interface Leadership {
  /** null = it does not lead, or is only beginning to. */
  readonly controllers: Controllers | null;
  isLeading(): boolean;
  /** Ends the loops and gives the lease back. */
  stop(): Promise<void>;
}

/** The name of the lease by which control planes of one state choose their leader. */
export const LEASE = "control-plane";
/** Of the object that every write of a leader looks at. */
export const FENCE = "control-plane-fence";

/** @param holder unique to this start of this process. */
export function startLeading(ports: LeadPorts, holder: string): Leadership {
  const ending = new AbortController();
  const leader = new Leader(ports, holder);
  const leading = leader.run(ending.signal);
  return {
    get controllers() {
      return leader.controllers;
    },
    isLeading: () => leader.isLeading(),
    async stop() {
      ending.abort();
      await leading;
    },
  };
}

class Leader {
  controllers: Controllers | null = null;
  readonly #ports: LeadPorts;
  readonly #holder: string;
  #lease: Lease | null = null;

  constructor(ports: LeadPorts, holder: string) {
    this.#ports = ports;
    this.#holder = holder;
  }

  isLeading(): boolean {
    return this.controllers !== null && this.#lease?.isHeld() === true;
  }

  async run(ending: AbortSignal): Promise<void> {
    while (!ending.aborted) {
      const lease = await acquireLease(this.#ports, { name: LEASE, holder: this.#holder }, ending);
      if (lease === null) return;
      this.#lease = lease;
      this.#say("lead.taken", lease);
      const fence = await raiseFence(this.#ports, FENCE, lease);
      if (fence !== null) await this.#lead(lease, fence, ending);
      this.#say("lead.ended", lease);
      await lease.release();
    }
  }

  async #lead(lease: Lease, fence: Fence, ending: AbortSignal): Promise<void> {
    const over = AbortSignal.any([lease.lost, ending]);
    const own = this.#ports.portsOf(lease.term, (store) => fencedStore(store, fence));
    const controllers = await startControllers(guardPorts(own, lease), over);
    this.controllers = controllers;
    await aborted(over);
    this.controllers = null;
    await controllers.stop();
    // Gateways hear the next leader; to this one they have nothing to say any more.
    await own.hub.close();
  }

  #say(event: string, { term }: Lease): void {
    const { clock, log } = this.#ports;
    log.record({ level: "info", event, fields: { atMs: clock.monotonicMs(), holder: this.#holder, term } });
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
