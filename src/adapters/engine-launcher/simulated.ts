import type { EndpointAddress } from "../../api/route-table.ts";
import type { InstanceName } from "../../base/ids.ts";
import { err, ok } from "../../base/result.ts";
import type { EngineLauncher, LaunchPlan, RunningEngine } from "../../ports/engine-launcher.ts";
import { createExitListeners } from "./exit-listeners.ts";

/** An engine inside this process: where it answers, and how it is ended. */
interface SimulatedEngine {
  readonly address: EndpointAddress;
  /** Ends it at once, as a death would; the launcher does not wait for it. */
  stop(): void;
}

/**
 * Starts one engine. `ended` tells that it ended by itself.
 * `pid` is its number for the GPU account. A text = it cannot be started.
 */
export type StartSimulatedEngine = (
  plan: LaunchPlan,
  process: { readonly pid: number; ended(reason: string): void },
) => SimulatedEngine | string;

export interface SimulatedLauncher extends EngineLauncher {
  /** Ends an engine from outside, as SIGKILL does; false = it does not run. */
  kill(instance: InstanceName, reason: string): boolean;
}

/** Engines as objects of this process, started by whoever makes the launcher. */
export function createSimulatedLauncher(start: StartSimulatedEngine): SimulatedLauncher {
  const exits = createExitListeners();
  const engines = new Map<InstanceName, { readonly running: RunningEngine; readonly engine: SimulatedEngine }>();
  const instances = new Map<number, InstanceName>();
  /** What `observe` says, in the order of their starts. */
  let observed: readonly RunningEngine[] = [];
  let lastPid = 0;

  function end(pid: number, reason: string): void {
    const instance = instances.get(pid);
    const entry = instance === undefined ? undefined : engines.get(instance);
    if (instance === undefined || entry === undefined) return;
    const { generation } = entry.running;
    engines.delete(instance);
    instances.delete(pid);
    observed = observed.filter((running) => running !== entry.running);
    entry.engine.stop();
    void Promise.resolve().then(() => exits.tell({ instance, generation, reason, lastLog: null }));
  }

  return {
    observe: async () => observed,
    async ensure(plan) {
      const { instance, uid, generation } = plan;
      const current = engines.get(instance)?.running;
      if (current !== undefined) {
        if (current.uid === uid && current.generation === generation) return ok(current);
        const reason = `generation ${current.generation} still runs as pid ${current.pid}; remove it first`;
        return err({ code: "LAUNCH_FAILED", instance, reason });
      }
      lastPid += 1;
      const pid = lastPid;
      const engine = start(plan, { pid, ended: (reason) => end(pid, reason) });
      if (typeof engine === "string") return err({ code: "LAUNCH_FAILED", instance, reason: engine });
      const running: RunningEngine = { instance, uid, generation, address: engine.address, pid };
      engines.set(instance, { running, engine });
      instances.set(pid, instance);
      observed = [...observed, running];
      return ok(running);
    },
    async remove(instance, graceMs) {
      const pid = engines.get(instance)?.running.pid ?? null;
      if (pid !== null) end(pid, graceMs > 0 ? "SIGTERM" : "SIGKILL");
    },
    machineOf: (node) => node,
    onExit: (listener) => exits.add(listener),
    kill(instance, reason) {
      const pid = engines.get(instance)?.running.pid ?? null;
      if (pid !== null) end(pid, reason);
      return pid !== null;
    },
  };
}
