import { err } from "../base/result.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { GpuDriver, GpuDriverError } from "../ports/gpu-driver.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import { HeardLeaders } from "./heard-leaders.ts";

/** Something that an order changed. */
export interface ObeyedOrder {
  readonly term: number;
  /** Of the leaders that were heard of by then. */
  readonly newestTerm: number;
  readonly verb: "start" | "end" | "partition" | "write" | "sleep" | "wake";
  readonly whom: string;
}

export interface AgentPorts {
  readonly launcher: EngineLauncher;
  readonly driver: GpuDriver;
  /** Hears of each. */
  readonly obeyed: (order: ObeyedOrder) => void;
  /** Hears of what was refused. */
  readonly refused: (order: ObeyedOrder) => void;
}

/** What stands on the nodes between leaders and machines: it obeys the newest leader that it has heard of. */
export class NodeAgent {
  readonly #ports: AgentPorts;
  readonly #leaders = new HeardLeaders();

  constructor(ports: AgentPorts) {
    this.#ports = ports;
  }

  get newestTerm(): number {
    return this.#leaders.newest;
  }

  /** A leader's first word is its term. */
  under(term: number): { readonly launcher: EngineLauncher; readonly driver: GpuDriver } {
    this.#leaders.heard(term);
    return { launcher: this.#launcher(term), driver: this.#driver(term) };
  }

  /** Tells of what a leader's writes changed; that is refused by the store itself. */
  watched(store: ClusterStore, term: number): ClusterStore {
    const told = async <Answer extends { readonly ok: boolean }>(write: Promise<Answer>): Promise<Answer> => {
      const answer = await write;
      if (answer.ok) this.obeyed("write", term, "the store");
      return answer;
    };
    return {
      ...store,
      create: (draft) => told(store.create(draft)),
      writeSpec: (draft, version) => told(store.writeSpec(draft, version)),
      writeStatus: (of, status, version) => told(store.writeStatus(of, status, version)),
      remove: (kind, name) => told(store.remove(kind, name)),
      applyAll: (changes) => told(store.applyAll(changes)),
    };
  }

  obeyed(verb: ObeyedOrder["verb"], term: number, whom: string): void {
    this.#ports.obeyed({ verb, term, whom, newestTerm: this.newestTerm });
  }

  #mayAct(verb: ObeyedOrder["verb"], term: number, whom: string): boolean {
    if (!this.#leaders.isOld(term)) return true;
    this.#ports.refused({ verb, term, whom, newestTerm: this.newestTerm });
    return false;
  }

  #launcher(term: number): EngineLauncher {
    const { launcher } = this.#ports;
    return {
      observe: () => launcher.observe(),
      ensure: async (plan) => {
        const whom = `${plan.instance} generation ${plan.generation} of ${plan.uid}`;
        if (!this.#mayAct("start", term, whom)) return err({ code: "LAUNCH_FAILED", instance: plan.instance, reason: OLD });
        const before = await launcher.observe();
        const started = await launcher.ensure(plan);
        const isThere = before.some(({ instance, generation }) => instance === plan.instance && generation === plan.generation);
        if (started.ok && !isThere) this.obeyed("start", term, whom);
        return started;
      },
      remove: async (instance, graceMs) => {
        if (!this.#mayAct("end", term, instance)) return;
        const before = await launcher.observe();
        await launcher.remove(instance, graceMs);
        if (before.some((one) => one.instance === instance)) this.obeyed("end", term, instance);
      },
      machineOf: (node) => launcher.machineOf(node),
      onExit: (listener) => launcher.onExit(listener),
    };
  }

  #driver(term: number): GpuDriver {
    const { driver } = this.#ports;
    const no = err<GpuDriverError>({ code: "DRIVER_UNAVAILABLE", reason: OLD });
    return {
      observe: (only) => driver.observe(only),
      ensureInventory: async (nodes) => (this.#mayAct("partition", term, "the inventory") ? driver.ensureInventory(nodes) : no),
      ensurePartition: async (partition) => (this.#mayAct("partition", term, partition.name) ? driver.ensurePartition(partition) : no),
      removePartition: async (partition) => (this.#mayAct("partition", term, partition.name) ? driver.removePartition(partition) : no),
    };
  }
}

const OLD = "the order is of an old leader";
