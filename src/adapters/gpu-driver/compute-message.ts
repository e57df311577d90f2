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

/** @returns null when it is none of them, or malformed. */
export function parseComputeQuestion(raw: JsonObject): ComputeQuestion | null {
  switch (raw["ask"]) {
    case "watch-terms": {
      const { gpus, known } = raw;
      return Array.isArray(gpus) && (known === null || isTerms(known))
        ? { ask: "watch-terms", gpus: gpus as unknown as readonly GpuPlace[], known }
        : null;
    }
    case "tell-use": {
      const { isBusy, usedMs, demandRatio } = raw;
      const isUse = typeof isBusy === "boolean" && typeof usedMs === "number" && usedMs >= 0;
      return isUse && typeof demandRatio === "number" && demandRatio > 0 && demandRatio <= 1
        ? { ask: "tell-use", isBusy, usedMs, demandRatio }
        : null;
    }
    default:
      return null;
  }
}

function isTerms(raw: unknown): raw is ComputeTerms {
  return isJsonObject(raw) && typeof raw["slowdown"] === "number" && raw["slowdown"] >= 1 && typeof raw["isEnforced"] === "boolean";
}

/** The answer to `watch-terms`. */
export const parseTermsAnswer = (result: object): TermsAnswer => result as unknown as TermsAnswer;
