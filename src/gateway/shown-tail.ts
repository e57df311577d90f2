import type { StopStrings } from "../wire/continuity.ts";

/** Where a chunk ends in the ids of an answer. */
export interface IdsEnd {
  readonly bytes: number;
  readonly tokens: number;
}

/** The same, and where it ends in what they say. */
interface Cut extends IdsEnd {
  /** In characters. */
  readonly at: number;
  /** No id of it says half a character. */
  readonly isWhole: boolean;
}

/** What of the shown text another engine's text is measured by. */
export interface ShownOverlap {
  /** Just before the place from which it is made again: a stop string may have begun in it. */
  readonly before: string;
  /** From there on: the client has it, and it is made again. */
  readonly again: string;
}

const TRIM_AT_CHARACTERS = 1_024;
/** More than this an engine that samples seldom makes again: then the nearest end of a chunk is taken, and the comparison tells whether it was whole. */
const AGAIN_CHARACTERS_MAX = 32;

/**
 * The end of the text of one answer whose ids do not say exactly what was shown. With stop strings its engine tells the last `heldBack`
 * characters of what it has said only when the answer is over: so of the ids that came, the last ones stand for text that nobody was shown,
 * and a token may be shown by half. And the last of several ids may be half a character, which is lost to an engine that begins behind it.
 * Another engine takes up the answer after the last id of which it is known that all that it says was shown, and no more; what was shown
 * behind that is made again and compared. All positions are in characters, as engines count them.
 */
export class ShownTail {
  readonly #longest: number;
  readonly #heldBack: number;
  #shown: string[] = [];
  /** Where all that was shown ends, and all that the present engine has told. */
  #shownAt = 0;
  #toldAt = 0;
  /** Oldest first; the first is where the answer is taken up. */
  #cuts: Cut[];

  /**
   * @param stops null = nothing ends the answer by its text.
   * @param heldBackOf how much of it an engine holds back for a stop string of at most so many characters.
   * @param from where it begins: all before it was shown.
   */
  constructor(
    stops: StopStrings | null,
    heldBackOf: (longest: number, areStopsShown: boolean) => number,
    from: IdsEnd = { bytes: 0, tokens: 0 },
  ) {
    this.#longest = stops === null ? 1 : Math.max(...stops.strings.map((stop) => Array.from(stop).length));
    this.#heldBack = stops === null ? 0 : heldBackOf(this.#longest, stops.areShown);
    this.#cuts = [{ ...from, at: 0, isWhole: true }];
  }

  /** What its engine has told next; `end`: of all ids so far. Text that is made again is told too. */
  told(text: string, end: IdsEnd & { readonly isWhole: boolean }): void {
    const characters = Array.from(text);
    // Without text the ids end within a character, or within what is held back from the beginning.
    if (characters.length === 0) return;
    const known = this.#shownAt - this.#toldAt;
    this.#toldAt += characters.length;
    if (this.#toldAt > this.#shownAt) {
      for (const character of characters.slice(Math.max(0, known))) this.#shown.push(character);
      this.#shownAt = this.#toldAt;
    }
    const { bytes, tokens, isWhole } = end;
    this.#cuts.push({ bytes, tokens, isWhole, at: this.#toldAt + this.#heldBack });
    this.#settle();
    this.#trim();
  }

  /** Of the ids that another engine is given. */
  get cut(): IdsEnd {
    return this.#cut;
  }

  /** The ids say what was shown, and nothing is to be made again. */
  get isSettled(): boolean {
    return this.#cuts.length === 1 && this.#cut.at === this.#shownAt && this.#toldAt === this.#shownAt;
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
    return this.#cuts[0] ?? { bytes: 0, tokens: 0, at: 0, isWhole: true };
  }

  #settle(): void {
    let chosen = 0;
    let nearest = 0;
    for (let index = 1; index < this.#cuts.length; index += 1) {
      const [before, cut] = [this.#cuts[index - 1], this.#cuts[index]];
      if (before === undefined || cut === undefined || cut.at > this.#shownAt) break;
      // Of half a character the next text that comes has the rest in it: plain letters alone show that there was none.
      if (this.#isPlain(before.at, cut.at)) chosen = index - 1;
      if (cut.isWhole) chosen = index;
      if (cut.at < this.#shownAt) nearest = index;
    }
    const isFar = this.#shownAt - (this.#cuts[chosen]?.at ?? 0) > AGAIN_CHARACTERS_MAX;
    this.#cuts.splice(0, isFar ? Math.max(chosen, nearest) : chosen);
  }

  #isPlain(from: number, to: number): boolean {
    for (let index = this.#indexOf(from); index < this.#indexOf(to); index += 1) if ((this.#shown[index] ?? "") > "\u007f") return false;
    return true;
  }

  #indexOf(at: number): number {
    return this.#shown.length - (this.#shownAt - at);
  }

  #trim(): void {
    const unused = this.#indexOf(this.#cut.at) - this.#longest + 1;
    if (unused > TRIM_AT_CHARACTERS) this.#shown = this.#shown.slice(unused);
  }
}
