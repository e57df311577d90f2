import type { ChatTarget } from "./chat-call.ts";
import type { AffectedRequest, EngineModel } from "./judge.ts";
import { LoadClient } from "./load.ts";
import type { Pace } from "./load-message.ts";
import type { MachineControl } from "./machine-control.ts";
import type { Mix } from "./mix.ts";
import type { NoFailover } from "./no-failover.ts";
import type { Platform } from "./platform.ts";
import type { SeenInstance } from "./platform-status.ts";
import type { Progress } from "./progress.ts";
import type { Reference } from "./prompts.ts";
import type { RequestRecord } from "./request-record.ts";

export const RATE_PER_SECOND = 50;
export const MODEL = "bench-model";
/** Every instance is Ready again this soon after a fault, or the row says that it was not. */
export const WHOLE_WITHIN_MS = 20_000;

/** What all rows share: one platform, one configuration. */
export interface Bench {
  readonly platform: Platform;
  readonly progress: Progress;
  readonly model: EngineModel;
  readonly references: readonly Reference[];
  readonly seed: number;
  /** The negative control that stands where the gateway would; null = the gateway. */
  readonly noFailover: NoFailover | null;
  readonly control: MachineControl;
  /** Client processes that run now: ended with the bench. */
  readonly loads: Set<LoadClient>;
}

export interface LoadSpec {
  readonly tenant: string;
  readonly mix: Mix;
  readonly pace: Pace;
  /** Instead of the gateway: one engine, asked directly. */
  readonly target?: ChatTarget;
  /** Added to the bench's seed, so that two clients of one row do not ask in step. */
  readonly seedOffset?: number;
  /** false = every request has a connection of its own. */
  readonly keepsAlive?: boolean;
}

export async function startLoad(bench: Bench, spec: LoadSpec): Promise<LoadClient> {
  const target = spec.target ?? bench.noFailover?.target ?? (await bench.platform.target(spec.tenant));
  const load = await LoadClient.start({
    target,
    model: MODEL,
    mix: spec.mix,
    pace: spec.pace,
    seed: bench.seed + (spec.seedOffset ?? 0),
    references: bench.references,
    keepsAlive: spec.keepsAlive ?? true,
  });
  bench.loads.add(load);
  return load;
}

export async function stopLoad(bench: Bench, load: LoadClient): Promise<void> {
  await load.stop();
  bench.loads.delete(load);
}

/** Waits for so many more requests, which an open loop sends whatever happens. */
export async function untilSent(load: LoadClient, count: number): Promise<void> {
  const enough = load.sent + count;
  if (!(await load.until(() => load.sent >= enough, 60_000))) throw new Error("The client process has ended or sends nothing.");
}

export async function instanceOf(bench: Bench, name: string): Promise<SeenInstance & { readonly pid: number; readonly endpoint: string }> {
  const instance = await bench.platform.instance(name);
  if (instance === null || instance.pid === null || instance.endpoint === null) throw new Error(`${name} has no process.`);
  return { ...instance, pid: instance.pid, endpoint: instance.endpoint };
}

/** For people: the first few requests that a row lost. */
export const describeLost = (lost: readonly RequestRecord[], atMs: (record: RequestRecord) => number): readonly string[] =>
  lost.slice(0, 8).map((record) => {
    const { id, outcome, note, instance, attempts, isStream, promptTokens, tokenTimesMs, arrivedAtMs, endedAtMs } = record;
    const sinceFault = (ms: number): string => `${(ms - atMs(record)).toFixed(0)} ms`;
    return (
      `lost: request ${id} (${isStream ? "stream" : "whole"}, prompt ${promptTokens}): ${outcome} ${note}, status ${record.status}, ` +
      `instance ${instance}, attempts ${attempts}, ${tokenTimesMs.length} tokens, arrived ${sinceFault(arrivedAtMs)} and ended ${sinceFault(endedAtMs)} after the fault`
    );
  });

const SLOWEST_SHOWN = 6;

/** For people: what the longest recoveries were. */
export const describeSlowest = (affected: readonly AffectedRequest[]): readonly string[] =>
  affected
    .toSorted((a, b) => b.recoveryMs - a.recoveryMs)
    .slice(0, SLOWEST_SHOWN)
    .map(({ record, place, waitMs, recoveryMs }) => {
      const { isStream, promptTokens, maxTokens, instance, attempts } = record;
      const kind = `${isStream ? "stream" : "whole answer"}, ${place}, prompt ${promptTokens}, ${maxTokens} tokens`;
      return `slow: ${recoveryMs.toFixed(0)} ms of ${waitMs.toFixed(0)} ms (${kind}), answered by ${instance} at attempt ${attempts}`;
    });
