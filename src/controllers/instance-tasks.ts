import type { InstanceName } from "../base/ids.ts";
import type { EngineKind, ModelSpec } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { CheckPurpose, TaskView } from "../failover/instance-look.ts";
import type { EnginePorts } from "../instances/call-engine.ts";
import { hearInstance, judgeInstance } from "../instances/judge-instance.ts";
import { restCheck } from "../instances/rest-check.ts";
import { explainSleep, sleepInstance } from "../instances/sleep-instance.ts";
import { explainStart, startInstance, type StartStage } from "../instances/start-instance.ts";
import { drainInstance, fenceInstance } from "../instances/stop-instance.ts";
import { explainWake, wakeInstance } from "../instances/wake-instance.ts";
import type { EngineLauncher, LaunchPlan } from "../ports/engine-launcher.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import { createGpuLeases, type GpuLeases, type Lease } from "./gpu-leases.ts";
import type { LeaseAsk } from "./lease-order.ts";

interface EngineTarget {
  readonly instance: InstanceName;
  readonly generation: LaunchPlan["generation"];
  readonly address: EndpointAddress;
  readonly engine: EngineKind;
  readonly model: Pick<ModelSpec, "name">;
}

/**
 * What takes longer than a look: at most one task an instance. A new task cancels the old one and begins when that has ended,
 * so that a fence never overtakes the launch that it shall undo.
 */
export interface InstanceTasks {
  view(instance: InstanceName): TaskView | null;
  /** Forgets a finished task whose outcome is decided and stored. */
  settle(instance: InstanceName, seen: TaskView): void;
  start(plan: LaunchPlan, lease: LeaseAsk): void;
  wake(target: EngineTarget, withinMs: number, lease: LeaseAsk): void;
  sleep(target: EngineTarget, lease: LeaseAsk): void;
  check(target: EngineTarget, purpose: CheckPurpose): void;
  drain(of: { readonly instance: InstanceName; readonly address: EndpointAddress | null; readonly engine: EngineKind }): void;
  /** @param gpus `node/gpu` of each that it may hold bytes on: nothing begins there before they are free. */
  fence(instance: InstanceName, gpus: readonly string[]): void;
  /** Cancels what can be cancelled, and waits for the rest. */
  stop(): Promise<void>;
}

interface Task {
  view: TaskView;
  readonly cancel: AbortController;
  done: Promise<void>;
}
type Ports = EnginePorts & { readonly launcher: EngineLauncher; readonly driver: Pick<GpuDriver, "observe"> };
type Step = (tell: (view: TaskView) => void, signal: AbortSignal) => Promise<TaskView>;
type Begin = (instance: InstanceName, first: TaskView, step: Step, failed: (reason: string) => TaskView) => void;

/** @param changed is called whenever a view has changed by itself, and not only to say that all is as it was. */
export function createInstanceTasks(ports: Ports, changed: (instance: InstanceName) => void): InstanceTasks {
  const tasks = new Map<InstanceName, Task>();
  const leases = createGpuLeases(ports.clock);
  const begin: Begin = (instance, first, step, failed) => {
    const before = tasks.get(instance);
    before?.cancel.abort();
    const task: Task = { view: first, cancel: new AbortController(), done: Promise.resolve() };
    tasks.set(instance, task);
    const tell = (view: TaskView): void => {
      task.view = view;
      if (tasks.get(instance) === task && isNews(view)) changed(instance);
    };
    const run = async (): Promise<void> => {
      await before?.done;
      try {
        tell(await step(tell, task.cancel.signal));
      } catch (cause) {
        tell(failed(cause instanceof Error ? cause.message : String(cause)));
      }
    };
    task.done = run();
  };

  const stopping = (instance: InstanceName, step: (signal: AbortSignal) => Promise<void>): void =>
    begin(
      instance,
      { kind: "stopping" },
      (_tell, signal) => step(signal).then(() => ({ kind: "stopped" })),
      // Whatever was in the way: the next look sees it, and stops it again.
      () => ({ kind: "stopped" }),
    );

  return {
    view: (instance) => tasks.get(instance)?.view ?? null,
    settle(instance, seen) {
      if (isFinished(seen) && tasks.get(instance)?.view === seen) tasks.delete(instance);
    },
    start: (plan, lease) => startTask(ports, plan, { begin, leases, lease }),
    wake: (target, withinMs, lease) => wakeTask(ports, { ...target, withinMs }, { begin, leases, lease }),
    sleep: (target, lease) => sleepTask(ports, target, { begin, leases, lease }),
    check: (target, purpose) => checkTask(ports, target, purpose, begin),
    drain: (of) => stopping(of.instance, (signal) => drainInstance(ports, of, signal)),
    fence: (instance, gpus) =>
      stopping(instance, async (signal) => {
        const lease = leases.block(gpus);
        await fenceInstance(ports, instance, signal).finally(() => lease.release());
      }),
    async stop() {
      for (const task of tasks.values()) task.cancel.abort();
      await Promise.all([...tasks.values()].map((task) => task.done));
    },
  };
}

interface Turn {
  readonly begin: Begin;
  readonly leases: GpuLeases;
  readonly lease: LeaseAsk;
}

/** Holds the lease from its turn until the work has ended, however it ends. */
async function inTurn(
  { leases, lease }: Turn,
  signal: AbortSignal,
  begun: () => void,
  work: (held: Lease) => Promise<TaskView>,
): Promise<TaskView | null> {
  const held = await leases.acquire(lease, signal);
  if (held === null) return null;
  begun();
  return work(held).finally(() => held.release());
}

function startTask(ports: Ports, plan: LaunchPlan, turn: Turn): void {
  const { generation } = plan;
  const failed = (reason: string): TaskView => ({ kind: "start-failed", generation, reason });
  turn.begin(
    plan.instance,
    { kind: "starting", generation, stage: "queued" },
    async (tell, signal) => {
      const work = async (held: Lease): Promise<TaskView> => {
        const stage = (name: StartStage): void => {
          // Nothing else depends on it, so nobody is asked to look.
          if (name === "loading") held.booted();
          else tell({ kind: "starting", generation, stage: name === "booting" ? "loading" : name });
        };
        const started = await startInstance(ports, plan, stage, signal);
        return started.ok ? { kind: "started", generation, answer: started.value } : failed(explainStart(started.error));
      };
      return (await inTurn(turn, signal, () => undefined, work)) ?? failed("cancelled");
    },
    failed,
  );
}

function wakeTask(ports: Ports, target: EngineTarget & { readonly withinMs: number }, turn: Turn): void {
  const { generation, withinMs } = target;
  const failed = (reason: string): TaskView => ({ kind: "wake-failed", generation, reason });
  turn.begin(
    target.instance,
    { kind: "waking", generation, stage: "queued" },
    async (tell, signal) => {
      const work = async (): Promise<TaskView> => {
        // What the answer must be is known to the decision: it compares.
        const woken = await wakeInstance(ports, { ...target, expected: null }, withinMs, signal);
        return woken.ok ? { kind: "woken", generation, answer: woken.value } : failed(explainWake(woken.error));
      };
      return (await inTurn(turn, signal, () => tell({ kind: "waking", generation, stage: "waking" }), work)) ?? failed("cancelled");
    },
    failed,
  );
}

function sleepTask(ports: Ports, target: EngineTarget, turn: Turn): void {
  const { generation } = target;
  const failed = (reason: string): TaskView => ({ kind: "sleep-failed", generation, reason });
  turn.begin(
    target.instance,
    { kind: "sleeping", generation },
    async (_tell, signal) => {
      const work = async (): Promise<TaskView> => {
        const slept = await sleepInstance(ports, target, signal);
        return slept.ok ? { kind: "slept", generation } : failed(explainSleep(slept.error));
      };
      return (await inTurn(turn, signal, () => undefined, work)) ?? failed("cancelled");
    },
    failed,
  );
}

function checkTask(ports: Ports, target: EngineTarget, purpose: CheckPurpose, begin: Begin): void {
  const { instance, generation } = target;
  const checked = (seen: Pick<Extract<TaskView, { kind: "checked" }>, "verdict" | "detail">): TaskView => {
    return { kind: "checked", generation, purpose, ...seen, atMs: ports.clock.monotonicMs() };
  };
  begin(
    instance,
    { kind: "checking", generation, purpose },
    async (_tell, signal) => checked(await checkEngine(ports, target, purpose, signal)),
    (detail) => checked({ verdict: "unsure", detail }),
  );
}

function checkEngine(ports: Ports, target: EngineTarget, purpose: CheckPurpose, signal: AbortSignal) {
  switch (purpose) {
    case "heartbeat":
      return hearInstance(ports, target.address, signal);
    case "judgement":
      return judgeInstance(ports, target, signal);
    case "rest":
      return restCheck(ports, target, signal);
  }
}

/** That all is as it was is for the next look, whenever that comes. */
const isNews = (view: TaskView): boolean =>
  view.kind !== "checked" || view.verdict !== (view.purpose === "heartbeat" ? "alive" : view.purpose === "rest" ? "asleep" : null);

function isFinished({ kind }: TaskView): boolean {
  return kind !== "starting" && kind !== "checking" && kind !== "waking" && kind !== "sleeping" && kind !== "stopping";
}
