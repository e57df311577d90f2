import type { StopStrings } from "../wire/continuity.ts";

/** Where an answer can be taken up: after so many bytes of ids, which say so many characters. */
interface Cut {
  readonly idsBytes: number;
  readonly at: number;
}

/** What of the shown text another engine's text is measured by. */
export interface ShownOverlap {
  /** Just before the place from which it is made again: a stop string may have begun in it. */
  readonly before: string;
  /** From there on: the client has it, and it is made again. */
  readonly again: string;
}

const TRIM_AT_CHARACTERS = 1_024;

/**
 * The end of the text of one answer with stop strings. Its engine tells the last `heldBack` characters of what it has said only when the
 * answer is over: so of the ids that came, the last ones stand for text that nobody was shown, and a token may be shown by half. Another
 * engine takes up the answer after the last token whose text was shown whole. All positions are in characters, as engines count them.
 */
export class ShownTail {
  readonly #longest: number;
  readonly #heldBack: number;
  #shown: string[] = [];
  /** Where all that was shown ends, and all that the present engine has told. */
  #shownAt = 0;
  #toldAt = 0;
  /** Oldest first. All but the first say more than was shown. */
  #cuts: Cut[] = [{ idsBytes: 0, at: 0 }];

  /** @param heldBackOf how much of it an engine holds back for a stop string of at most so many characters. */
  constructor({ strings, areShown }: StopStrings, heldBackOf: (longest: number, areStopsShown: boolean) => number) {
    this.#longest = Math.max(...strings.map((stop) => Array.from(stop).length));
    this.#heldBack = heldBackOf(this.#longest, areShown);
  }

  /** What its engine has told next; `idsBytes`: all ids so far. Text that is made again is told too. */
  told(text: string, idsBytes: number): void {
    const characters = Array.from(text);
    // Without text the ids end within a character, or within what is held back from the beginning.
    if (characters.length === 0) return;
    const known = this.#shownAt - this.#toldAt;
    this.#toldAt += characters.length;
    if (this.#toldAt > this.#shownAt) {
      for (const character of characters.slice(Math.max(0, known))) this.#shown.push(character);
      this.#shownAt = this.#toldAt;
    }
    this.#cuts.push({ idsBytes, at: this.#toldAt + this.#heldBack });
    while (this.#cuts[1] !== undefined && this.#cuts[1].at <= this.#shownAt) this.#cuts.shift();
    this.#trim();
  }

  /** Bytes of the ids that another engine is given. */
  get idsBytes(): number {
    return this.#cut.idsBytes;
  }

  overlap(): ShownOverlap {
    const cutAt = this.#indexOf(this.#cut.at);
    return {
      before: this.#shown.slice(Math.max(0, cutAt - this.#longest + 1), cutAt).join(""),
      again: this.#shown.slice(cutAt).join(""),
    };
  }

  /** Another engine begins there. */
  rewind(): void {
    this.#cuts = [this.#cut];
    this.#toldAt = this.#cut.at;
  }

  get #cut(): Cut {
    return this.#cuts[0] ?? { idsBytes: 0, at: 0 };
  }

  #indexOf(at: number): number {
    return this.#shown.length - (this.#shownAt - at);
  }

  #trim(): void {
    const unused = this.#indexOf(this.#cut.at) - this.#longest + 1;
    if (unused > TRIM_AT_CHARACTERS) this.#shown = this.#shown.slice(unused);
  }
}
