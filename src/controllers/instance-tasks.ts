import type { InstanceName } from "../base/ids.ts";
import type { EngineKind, ModelSpec } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { CheckPurpose, TaskView } from "../failover/instance-look.ts";
import type { EnginePorts } from "../instances/call-engine.ts";
import { hearInstance, judgeInstance } from "../instances/judge-instance.ts";
import { explainStart, startInstance } from "../instances/start-instance.ts";
import { drainInstance, fenceInstance } from "../instances/stop-instance.ts";
import type { EngineLauncher, LaunchPlan } from "../ports/engine-launcher.ts";

interface CheckTarget {
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
  start(plan: LaunchPlan): void;
  check(target: CheckTarget, purpose: CheckPurpose): void;
  drain(of: { readonly instance: InstanceName; readonly address: EndpointAddress | null; readonly engine: EngineKind }): void;
  fence(instance: InstanceName): void;
  /** Cancels what can be cancelled, and waits for the rest. */
  stop(): Promise<void>;
}

interface Task {
  view: TaskView;
  readonly cancel: AbortController;
  done: Promise<void>;
}
type Ports = EnginePorts & { readonly launcher: EngineLauncher };
type Step = (tell: (view: TaskView) => void, signal: AbortSignal) => Promise<TaskView>;

/** @param changed is called whenever a view has changed by itself. */
export function createInstanceTasks(ports: Ports, changed: (instance: InstanceName) => void): InstanceTasks {
  const tasks = new Map<InstanceName, Task>();

  function begin(instance: InstanceName, first: TaskView, step: Step, failed: (reason: string) => TaskView): void {
    const before = tasks.get(instance);
    before?.cancel.abort();
    const task: Task = { view: first, cancel: new AbortController(), done: Promise.resolve() };
    tasks.set(instance, task);
    const tell = (view: TaskView): void => {
      task.view = view;
      if (tasks.get(instance) === task) changed(instance);
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
  }

  const stopping = (instance: InstanceName, step: (signal: AbortSignal) => Promise<void>): void =>
    begin(
      instance,
      { kind: "stopping" },
      async (_tell, signal) => {
        await step(signal);
        return { kind: "stopped" };
      },
      // Whatever was in the way: the next look sees whether the process lives, and stops it again.
      () => ({ kind: "stopped" }),
    );

  return {
    view: (instance) => tasks.get(instance)?.view ?? null,
    settle(instance, seen) {
      if (isFinished(seen) && tasks.get(instance)?.view === seen) tasks.delete(instance);
    },
    start: (plan) => startTask(ports, plan, begin),
    check(target, purpose) {
      const { instance, generation } = target;
      const look = (signal: AbortSignal) =>
        purpose === "heartbeat" ? hearInstance(ports, target.address, signal) : judgeInstance(ports, target, signal);
      begin(
        instance,
        { kind: "checking", generation, purpose },
        async (_tell, signal) => ({ kind: "checked", generation, purpose, ...(await look(signal)) }),
        (reason) => ({ kind: "checked", generation, purpose, verdict: "unsure", detail: reason }),
      );
    },
    drain: (of) => stopping(of.instance, (signal) => drainInstance(ports, of, signal)),
    fence: (instance) => stopping(instance, () => fenceInstance(ports, instance)),
    async stop() {
      for (const task of tasks.values()) task.cancel.abort();
      await Promise.all([...tasks.values()].map((task) => task.done));
    },
  };
}

function startTask(
  ports: Ports,
  plan: LaunchPlan,
  begin: (instance: InstanceName, first: TaskView, step: Step, failed: (reason: string) => TaskView) => void,
): void {
  const { generation } = plan;
  const failed = (reason: string): TaskView => ({ kind: "start-failed", generation, reason });
  begin(
    plan.instance,
    { kind: "starting", generation, stage: "launching" },
    async (tell, signal) => {
      const started = await startInstance(ports, plan, (stage) => tell({ kind: "starting", generation, stage }), signal);
      return started.ok ? { kind: "started", generation, answer: started.value } : failed(explainStart(started.error));
    },
    failed,
  );
}

function isFinished(view: TaskView): boolean {
  return view.kind === "started" || view.kind === "start-failed" || view.kind === "checked" || view.kind === "stopped";
}
