import type { Generation, InstanceName, NodeName, Uid } from "../base/ids.ts";
import type { Result } from "../base/result.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { ModelSpec } from "../api/hot-standby-config.ts";

/** Everything an engine needs to run: same plan, same engine. */
export interface LaunchPlan {
  readonly instance: InstanceName;
  readonly uid: Uid;
  readonly generation: Generation;
  readonly model: ModelSpec;
  readonly members: readonly { readonly node: NodeName; readonly gpu: number }[];
  /** Of its process, where it has one: how it finds its GPUs and is told its shares of them. */
  readonly environment: Readonly<Record<string, string>>;
  /** Floor, and on a shared GPU the cap, of all that the instance holds on each of its GPUs. */
  readonly memoryBytesPerGpu: number;
  /** Which link the weights come over at this start, and its bytes per second. */
  readonly load: { readonly link: "disk" | "network"; readonly bytesPerSecond: number };
  /** For a later wake: host memory to GPU. */
  readonly hostToGpuBytesPerSecond: number;
  /** true = keep the weights' copy in host memory, so that sleep and wake work. */
  readonly isSleepable: boolean;
}

export interface RunningEngine {
  readonly instance: InstanceName;
  readonly uid: Uid;
  readonly generation: Generation;
  readonly address: EndpointAddress;
  readonly pid: number | null;
}

export type LaunchError = { readonly code: "LAUNCH_FAILED"; readonly instance: InstanceName; readonly reason: string };

/**
 * Knows processes (or pods), not levels. Idempotent verbs; an engine survives the control plane and is found again by `observe`.
 * Intent is recorded before a spawn: no crash of the caller leaves an engine that `observe` does not know.
 */
export interface EngineLauncher {
  /** Every engine of this state that runs now, whoever started it. */
  observe(): Promise<readonly RunningEngine[]>;
  /**
   * Starts the engine unless one of this (instance, uid, generation) runs. Resolves when the process exists, not when it is ready.
   * A running older generation of the same instance is LAUNCH_FAILED: remove it first.
   */
  ensure(plan: LaunchPlan): Promise<Result<RunningEngine, LaunchError>>;
  /** TERM, then KILL after `graceMs` (0 = KILL at once). Resolves when the process is gone. Absent = done. */
  remove(instance: InstanceName, graceMs: number): Promise<void>;
  /** The machine whose processors an engine of this node boots on; engines that boot there slow down all others there. */
  machineOf(node: NodeName): string;
  /** Called for each engine that ends, ours or adopted; at least once, within 1 s. */
  onExit(listener: (exit: EngineExit) => void): { stop(): void };
}
export interface EngineExit {
  readonly instance: InstanceName;
  readonly generation: Generation;
  /** For people: `exit code 1`, `SIGKILL`. */
  readonly reason: string;
  /** Last lines of its log, at most 2 KiB; null = none. */
  readonly lastLog: string | null;
}
