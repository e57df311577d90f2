import { createDetokenizer } from "./detokenize.ts";

/** Turns the tokens of one answer into the text that a client may see, and finds stop strings in it. */
export interface AnswerText {
  /** @returns text that no stop string can take back any more. */
  push(id: number): string;
  /** A stop string was found; the text up to it has been returned. */
  readonly isStopped: boolean;
  /** The answer is over. @returns what was held back for a stop string that did not come. */
  end(): string;
}

/** @param stops not empty strings. */
export function createAnswerText(stops: readonly string[]): AnswerText {
  const detokenizer = createDetokenizer();
  const heldLength = Math.max(0, ...stops.map((stop) => stop.length)) - 1;
  if (heldLength < 0) return { push: (id) => detokenizer.push(id), end: () => detokenizer.end(), isStopped: false };
  let held = "";
  let isStopped = false;

  function release(text: string, keptLength: number): string {
    held += text;
    const stopAt = firstStop(held, stops);
    if (stopAt !== null) {
      isStopped = true;
      const last = held.slice(0, stopAt);
      held = "";
      return last;
    }
    const released = held.slice(0, Math.max(0, held.length - keptLength));
    held = held.slice(released.length);
    return released;
  }

  return {
    get isStopped() {
      return isStopped;
    },
    push: (id) => (isStopped ? "" : release(detokenizer.push(id), heldLength)),
    end: () => (isStopped ? "" : release(detokenizer.end(), 0)),
  };
}

function firstStop(text: string, stops: readonly string[]): number | null {
  let first: number | null = null;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at >= 0 && (first === null || at < first)) first = at;
  }
  return first;
}
