import type { ModelSpec } from "../api/hot-standby-config.ts";

/** Prompt tokens that a simulated engine reads in a second where its arguments say nothing else. */
export const SIMULATED_PREFILL_TOKENS_PER_SECOND = 250_000;

/** Of other engines nothing is known: what was measured of a 70B model on eight A100, the slowest of the published ones. */
const PREFILL_TOKENS_PER_SECOND = 6_400;

const FLAG = "--prefill-tokens-per-second";

/** Prompt tokens that an engine of this model reads in a second; always above 0. */
export function prefillTokensPerSecond(model: Pick<ModelSpec, "engine" | "args">): number {
  if (model.engine !== "simulated") return PREFILL_TOKENS_PER_SECOND;
  let rate = SIMULATED_PREFILL_TOKENS_PER_SECOND;
  // The last mention wins, as on the engine's own command line.
  for (const [index, argument] of model.args.entries()) {
    const text = argument === FLAG ? model.args[index + 1] : argument.startsWith(`${FLAG}=`) ? argument.slice(FLAG.length + 1) : undefined;
    const written = Number(text ?? Number.NaN);
    if (Number.isFinite(written) && written > 0) rate = written;
  }
  return rate;
}
