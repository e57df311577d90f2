import { isJsonObject, type JsonObject } from "../../base/json.ts";
import type { Result } from "../../base/result.ts";
import type { ComputeTerms, ComputeUse } from "../../ports/gpu-account.ts";
import type { GpuDriverError } from "../../ports/gpu-driver.ts";
import type { GpuPlace } from "./gpu-losses.ts";

/** What an engine process says and asks of the compute of its GPUs. */
export type ComputeQuestion =
  /** Takes part, and is answered with its terms when they are other ones than `known`; until then it waits. */
  | { readonly ask: "watch-terms"; readonly gpus: readonly GpuPlace[]; readonly known: ComputeTerms | null }
  | ({ readonly ask: "tell-use" } & ComputeUse);

export type TermsAnswer = Result<ComputeTerms | null, GpuDriverError>;

/** @returns null when it is malformed. */
export function parseComputeQuestion(ask: ComputeQuestion["ask"], raw: JsonObject): ComputeQuestion | null {
  const { gpus, known, isBusy, usedMs, demandRatio } = raw;
  if (ask === "watch-terms") {
    const isAsked = Array.isArray(gpus) && (known === null || isTerms(known));
    return isAsked ? { ask, gpus: gpus as unknown as readonly GpuPlace[], known } : null;
  }
  const isUse = typeof isBusy === "boolean" && typeof usedMs === "number" && usedMs >= 0;
  return isUse && typeof demandRatio === "number" && demandRatio > 0 && demandRatio <= 1 ? { ask, isBusy, usedMs, demandRatio } : null;
}

function isTerms(raw: unknown): raw is ComputeTerms {
  return isJsonObject(raw) && typeof raw["slowdown"] === "number" && raw["slowdown"] >= 1 && typeof raw["isEnforced"] === "boolean";
}

/** The answer to `watch-terms`. */
export const parseTermsAnswer = (result: object): TermsAnswer => result as unknown as TermsAnswer;
