import { createDetokenizer } from "./detokenize.ts";

/** Turns the tokens of one answer into the text that a client may see, and finds stop strings in it. */
export interface AnswerText {
  /** @returns text that no stop string can take back any more. */
  push(id: number): string;
  /** A stop string was found; the text up to it, or up to its end, has been returned. */
  readonly isStopped: boolean;
  /** The answer is over. @returns what was held back for a stop string that did not come. */
  end(): string;
}

export interface StopRule {
  /** Not empty. */
  readonly stops: readonly string[];
  /** The stop string is told too: then nothing is ever taken back, and nothing held back. */
  readonly isStopShown: boolean;
  /** Within so many tokens a stop string ends nothing, then or later. */
  readonly minTokens: number;
}

/** As vLLM: the last characters of all that was said are held back, one less than the longest stop string has, until the answer is over. */
export function createAnswerText({ stops, isStopShown, minTokens }: StopRule): AnswerText {
  const detokenizer = createDetokenizer();
  const longest = Math.max(0, ...stops.map((stop) => lengthOf(stop)));
  if (longest === 0) return { push: (id) => detokenizer.push(id), end: () => detokenizer.end(), isStopped: false };
  /** Of what was said, what a stop string may still begin in. */
  let open: readonly string[] = [];
  /** How much of it the client has. */
  let shownLength = 0;
  let isStopped = false;
  let tokens = 0;

  function release(text: string, heldLength: number): string {
    const before = open.join("");
    open = [...open, ...Array.from(text)];
    const stopAt = tokens > minTokens ? firstStop(before, text, stops) : null;
    if (stopAt !== null) isStopped = true;
    const end = stopAt === null ? open.length - heldLength : isStopShown ? stopAt.end : stopAt.start;
    const released = open.slice(shownLength, Math.max(shownLength, end));
    shownLength += released.length;
    const kept = Math.min(shownLength, Math.max(0, open.length - longest + 1));
    open = open.slice(kept);
    shownLength -= kept;
    return released.join("");
  }

  return {
    get isStopped() {
      return isStopped;
    },
    push: (id) => {
      tokens += 1;
      return isStopped ? "" : release(detokenizer.push(id), isStopShown ? 0 : longest - 1);
    },
    end: () => (isStopped ? "" : release(detokenizer.end(), 0)),
  };
}

/** In characters, as Python counts them. */
const lengthOf = (text: string): number => Array.from(text).length;

/** Where the first of them begins and ends, in characters; what ends in the text before ended nothing there. */
function firstStop(before: string, fresh: string, stops: readonly string[]): { readonly start: number; readonly end: number } | null {
  let first: { readonly at: number; readonly stop: string } | null = null;
  const text = before + fresh;
  for (const stop of stops) {
    const at = text.indexOf(stop, Math.max(0, before.length - stop.length + 1));
    if (at >= 0 && (first === null || at < first.at)) first = { at, stop };
  }
  if (first === null) return null;
  const start = lengthOf(text.slice(0, first.at));
  return { start, end: start + lengthOf(first.stop) };
}
