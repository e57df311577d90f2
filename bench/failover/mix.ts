import { KIND_ANSWER_TOKENS, type AskKind } from "./ask-kind.ts";

export interface PromptShare {
  readonly tokens: number;
  readonly ratio: number;
}

/** What clients ask for. Ratios of `prompts` add up to 1. */
export interface Mix {
  readonly streamRatio: number;
  readonly prompts: readonly PromptShare[];
  /** Answers have a uniform number of tokens, both ends included. */
  readonly answerTokensMin: number;
  readonly answerTokensMax: number;
  /** Ratios of what is no plain text; absent = everything is. */
  readonly kinds?: readonly { readonly kind: AskKind; readonly ratio: number }[];
}

const PROMPTS: readonly PromptShare[] = [
  { tokens: 128, ratio: 0.7 },
  { tokens: 2_048, ratio: 0.25 },
  { tokens: 16_384, ratio: 0.05 },
];
const ANSWERS = { answerTokensMin: 16, answerTokensMax: 128 };

export const usualMix: Mix = { streamRatio: 0.6, prompts: PROMPTS, ...ANSWERS };
export const wholeAnswersMix: Mix = { ...usualMix, streamRatio: 0 };
/** The usual mix with one prompt in a hundred of 32k tokens. */
export const longPromptMix: Mix = {
  ...usualMix,
  prompts: [...PROMPTS.map((share) => ({ ...share, ratio: share.ratio * 0.99 })), { tokens: 32_768, ratio: 0.01 }],
};

export interface Ask {
  readonly isStream: boolean;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly kind: AskKind;
}

/** The next request of the mix; `chance` gives 0 <= x < 1. */
export function draw(mix: Mix, chance: () => number): Ask {
  const isStream = chance() < mix.streamRatio;
  let rest = chance();
  let promptTokens = mix.prompts.at(-1)?.tokens ?? 1;
  for (const share of mix.prompts) {
    rest -= share.ratio;
    if (rest < 0) {
      promptTokens = share.tokens;
      break;
    }
  }
  const spread = mix.answerTokensMax - mix.answerTokensMin + 1;
  const maxTokens = mix.answerTokensMin + Math.floor(chance() * spread);
  const kind = mix.kinds === undefined ? "plain" : drawKind(mix.kinds, chance());
  return { isStream, promptTokens, maxTokens: kind === "plain" ? maxTokens : KIND_ANSWER_TOKENS, kind };
}

function drawKind(kinds: NonNullable<Mix["kinds"]>, drawn: number): AskKind {
  let rest = drawn;
  for (const { kind, ratio } of kinds) {
    rest -= ratio;
    if (rest < 0) return kind;
  }
  return "plain";
}

/** Milliseconds to the next arrival of a Poisson stream. */
export const gapMs = (ratePerSecond: number, chance: () => number): number => (-Math.log(1 - chance()) / ratePerSecond) * 1_000;

export const meanPromptTokens = (mix: Mix): number => mix.prompts.reduce((total, share) => total + share.ratio * share.tokens, 0);
export const meanAnswerTokens = (mix: Mix): number => (mix.answerTokensMin + mix.answerTokensMax) / 2;
