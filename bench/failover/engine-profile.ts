import { ENGINE_DEFAULTS } from "../../src/simulator/engine-options.ts";
import { meanAnswerTokens, meanPromptTokens, type Mix } from "./mix.ts";

/** The simulated engine's own numbers: a step decodes the whole batch and prefills at most one chunk budget. */
export interface EngineProfile {
  readonly batchMax: number;
  readonly stepBaseMs: number;
  readonly stepPerSequenceMs: number;
  readonly prefillTokensPerSecond: number;
  readonly prefillChunkTokens: number;
}

const { profile: engineDefault } = ENGINE_DEFAULTS;
const DEFAULTS: Readonly<Record<string, number>> = {
  "--max-num-seqs": engineDefault.maxBatch,
  "--step-base-ms": engineDefault.stepBaseMs,
  "--step-per-sequence-ms": engineDefault.stepPerSequenceMs,
  "--prefill-tokens-per-second": engineDefault.prefillTokensPerSecond,
  "--prefill-chunk-tokens": engineDefault.prefillChunkTokens,
};

/** From the `model.args` of a manifest; what is absent has the engine's default. */
export function profileOfArguments(args: readonly string[]): EngineProfile {
  const read = (flag: string): number => {
    const at = args.indexOf(flag);
    const value = at === -1 ? DEFAULTS[flag] : Number(args[at + 1]);
    if (value === undefined || !Number.isFinite(value)) throw new Error(`The bench manifests give ${flag} no number.`);
    return value;
  };
  return {
    batchMax: read("--max-num-seqs"),
    stepBaseMs: read("--step-base-ms"),
    stepPerSequenceMs: read("--step-per-sequence-ms"),
    prefillTokensPerSecond: read("--prefill-tokens-per-second"),
    prefillChunkTokens: read("--prefill-chunk-tokens"),
  };
}

/** Mean step and batch of one engine that takes `ratePerSecond` requests of the mix and keeps up. */
export interface SteadyState {
  readonly stepMs: number;
  readonly batch: number;
}

/** Requests per second that one engine can finish with a full batch. */
export function capacityPerSecond(profile: EngineProfile, mix: Mix): number {
  const decodeOnlyMs = profile.stepBaseMs + profile.stepPerSequenceMs * profile.batchMax;
  const engineMsPerRequest =
    (meanAnswerTokens(mix) * decodeOnlyMs) / profile.batchMax + (meanPromptTokens(mix) / profile.prefillTokensPerSecond) * 1_000;
  return 1_000 / engineMsPerRequest;
}

/** Share of one engine's capacity that the load takes: 0.7 = 70 %. */
export const survivorLoadRatio = (profile: EngineProfile, mix: Mix, ratePerSecond: number): number =>
  ratePerSecond / capacityPerSecond(profile, mix);

/** Solves step = (base + perSequence x batch) / (1 - prefill's share), batch = tokens per millisecond x step. */
export function steadyState(profile: EngineProfile, mix: Mix, ratePerSecond: number): SteadyState {
  const prefillRatio = (ratePerSecond * meanPromptTokens(mix)) / profile.prefillTokensPerSecond;
  const tokensPerMs = (ratePerSecond * meanAnswerTokens(mix)) / 1_000;
  const stepMs = profile.stepBaseMs / (1 - prefillRatio - profile.stepPerSequenceMs * tokensPerMs);
  return { stepMs, batch: stepMs * tokensPerMs };
}

/** Until the first token of a prompt that waits for nobody: its chunks' steps, at the batch of the steady state. */
export function modelledPrefillMs(profile: EngineProfile, promptTokens: number, steady: SteadyState): number {
  const steps = Math.max(1, Math.ceil(promptTokens / profile.prefillChunkTokens));
  const stepMs = profile.stepBaseMs + profile.stepPerSequenceMs * steady.batch;
  return steps * stepMs + (promptTokens / profile.prefillTokensPerSecond) * 1_000;
}

/** From the first token of an answer to its last. */
export const modelledDecodeMs = (answerTokens: number, steady: SteadyState): number => Math.max(0, answerTokens - 1) * steady.stepMs;
