import type { AskKind } from "./ask-kind.ts";
import type { ToldAnswer } from "./told-answer.ts";

const WORDS = [
  "the",
  "tide",
  "comes",
  "in",
  "over",
  "sand",
  "and",
  "stone",
  "while",
  "every",
  "gate",
  "holds",
  "its",
  "own",
  "water",
  "back",
];

/** One prompt of the fixed set, and the whole greedy answer that every engine of the model gives to it. */
export interface Reference {
  /** What the mix calls it: 128, 2,048 ... */
  readonly size: number;
  readonly text: string;
  /** As the engine counts. */
  readonly promptTokens: number;
  readonly answer: string;
  /** Characters of `answer` that are certain after so many tokens: index 0 = after the first. */
  readonly endOfToken: readonly number[];
  /** What is told for each kind that is no plain text, where it was asked for. */
  readonly told: Readonly<Partial<Record<AskKind, ToldAnswer["choices"]>>>;
}

const VARIANTS: Readonly<Record<number, number>> = { 128: 12, 2_048: 6, 16_384: 2, 32_768: 1 };

/** Fixed texts of about `size` tokens (one a word), several for small sizes so that not all clients ask the same. */
export function promptTexts(size: number): readonly string[] {
  return Array.from({ length: VARIANTS[size] ?? 1 }, (_, variant) => {
    const words = Array.from({ length: Math.max(1, size - PROMPT_OVERHEAD_TOKENS) }, (_unused, index) => {
      const at = (index * (variant + 3) + (index >> 4) + variant) % WORDS.length;
      return WORDS[at] ?? "tide";
    });
    return words.join(" ");
  });
}

/** About what the chat template adds. */
const PROMPT_OVERHEAD_TOKENS = 4;

/** Right = it is what the reference says after exactly so many tokens; an incomplete last character may show as U+FFFD. */
export function isRightAnswer(reference: Reference, text: string, tokens: number): boolean {
  const certain = reference.endOfToken[tokens - 1];
  if (certain === undefined) return false;
  const expected = reference.answer.slice(0, certain);
  if (!text.startsWith(expected)) return false;
  return text.slice(expected.length).replaceAll("\uFFFD", "") === "";
}
