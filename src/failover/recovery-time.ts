import type { GpuNode, NodeLinks } from "../api/gpu-node.ts";
import type { EngineKind, HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { NodeName, ServiceName } from "../base/ids.ts";
import { prefillTokensPerSecond } from "../engine-model/prefill-rate.ts";
import { WAKE_FIXED_MS } from "../engine-model/sleep-state.ts";
import { HANG_MS, PROBE_EVERY_MS, SILENCE_MS } from "../routing/suspicion.ts";

/**
 * Until the slowest fault that a gateway finds by itself is found: an engine that answers and does not step. It is asked after the
 * silence, asked again, and then must have stood still for HANG_MS. A closed connection is found at once.
 */
export const DETECTION_MS = SILENCE_MS + PROBE_EVERY_MS + HANG_MS;

/** The known answer: four tokens, and the questions around it. */
export const VERIFICATION_MS = 50;

/**
 * What a cold start takes beside its load: the process, and of real engines graphs, kernels and process groups with every cache warm.
 * Published starts less their loads: vLLM and SGLang 30 s and more, llama.cpp about one.
 */
const COLD_FIXED_MS: Readonly<Record<EngineKind, number>> = { simulated: 200, "llama.cpp": 1_000, vllm: 30_000, sglang: 30_000 };

/** Weights on their way to the GPUs of one instance, while its service waits. */
export interface WeightsMove {
  readonly rung: "warm" | "cold";
  readonly node: NodeName;
  readonly link: keyof NodeLinks;
  readonly bytes: number;
  readonly bytesPerSecond: number;
  /** What it takes beside the transfer. */
  readonly fixedMs: number;
}

/** A sleeper's wake: all its weights over the link of its node. */
export const wakeOn = ({ model }: HotStandbyConfig, { name, links }: GpuNode): WeightsMove => ({
  rung: "warm",
  node: name,
  link: "hostToGpu",
  bytes: model.weightsBytes,
  bytesPerSecond: links.hostToGpu,
  fixedMs: WAKE_FIXED_MS,
});

/** A start of an engine, from the reserve or in place of a dead one. */
export function loadOn({ model, cold }: HotStandbyConfig, { name, links }: GpuNode): WeightsMove {
  const link = cold?.isImageCached === true ? "disk" : "network";
  const fixedMs = COLD_FIXED_MS[model.engine];
  return { rung: "cold", node: name, link, bytes: model.weightsBytes, bytesPerSecond: links[link], fixedMs };
}

export const transferMs = ({ bytes, bytesPerSecond }: WeightsMove): number => (bytes * 1_000) / bytesPerSecond;
/** No recovery over that path is quicker, however early the fault is found. */
export const moveMs = (move: WeightsMove): number => transferMs(move) + move.fixedMs;

export const fastestOf = (moves: readonly WeightsMove[]): WeightsMove | null =>
  moves.reduce<WeightsMove | null>((best, move) => (best === null || moveMs(move) < moveMs(best) ? move : best), null);

/** The contexts in flight at the fault, read again by those that take over. */
interface Prefill {
  readonly contexts: number;
  readonly tokensEach: number;
  readonly ms: number;
}

/**
 * Every context is taken to be as long as the model allows, and the hot instances to share `limits.concurrency` of them equally.
 * Without that limit one context is counted: the request that is promised a time must itself be read again.
 * @param lostRatio of the hot instances, above 0 and at most 1.
 * @param takers instances that read them side by side.
 */
export function prefillOf({ model, limits }: HotStandbyConfig, of: { readonly lostRatio: number; readonly takers: number }): Prefill {
  const contexts = Math.ceil((limits.concurrency ?? 1) * of.lostRatio);
  const tokens = contexts * model.contextLength;
  return { contexts, tokensEach: model.contextLength, ms: (tokens * 1_000) / (prefillTokensPerSecond(model) * of.takers) };
}

/** How one service comes back after one loss. */
export interface RecoveryTime {
  /** null = somebody else is awake and takes over. */
  readonly move: WeightsMove | null;
  /** Moves of dearer and of equal services go over the same link first. */
  readonly queuedMs: number;
  readonly behind: readonly ServiceName[];
  /** The largest cheaper move over the same link, which may have begun before and is not stopped: the link is shared with it. */
  readonly besideMs: number;
  readonly beside: ServiceName | null;
  readonly prefill: Prefill;
}

/** Nobody else is on the link. */
export const ALONE = { queuedMs: 0, behind: [], besideMs: 0, beside: null } as const;

/** From the fault to the next good token of the last affected request. */
export const recoveryMs = (time: RecoveryTime): number =>
  DETECTION_MS + time.queuedMs + (time.move === null ? 0 : verifiedMoveMs(time.move, time.besideMs)) + time.prefill.ms;

/** From its begin; no gateway waits for a wake longer than `wakeBudgetMs` of its service. */
export const verifiedMoveMs = (move: WeightsMove, besideMs: number): number => moveMs(move) + besideMs + VERIFICATION_MS;

/** false = nothing is woken or started from the reserve by itself; the dead are restarted in place all the same. */
export const mayActivate = ({ failoverPolicy }: HotStandbyConfig): boolean =>
  failoverPolicy.isAutomatic && failoverPolicy.maxFailoverCount > 0;
