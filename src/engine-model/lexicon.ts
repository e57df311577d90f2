import { assert } from "../base/assert.ts";
import { byteId } from "./token-ids.ts";
import { tokenize } from "./tokenize.ts";

// 64 stems with 16 endings give 1,024 words of at most six letters: enough that a wrong context rarely picks the right word.
const STEMS =
  "tid gat mar sol lun bar cal dor fen gal hal ist jun kel lam min nav oct pal ral sal tor umb val wen yar zen ash bel cor dun elm " +
  "fir gem her ion jad kin lor mir nor opt per rav sil tam ult ver wil arc bre cel del ere for gri ham int kar lin mod nut";
const ENDINGS = "e a al an ar en er in is or us um ed ing ish ent";

export const WORD_TEXTS: readonly string[] = STEMS.split(" ").flatMap((stem) => ENDINGS.split(" ").map((ending) => stem + ending));

const idsOf = (texts: readonly string[]): readonly number[] =>
  texts.map((text) => {
    const [id, ...rest] = tokenize(text);
    assert(id !== undefined && rest.length === 0, `${text} is one token`);
    return id;
  });

/** Words inside a sentence, words that open one, and word parts that continue the word before. */
export const WORD_IDS = idsOf(WORD_TEXTS.map((word) => ` ${word}`));
export const CAPITAL_WORD_IDS = idsOf(WORD_TEXTS.map((word) => ` ${word.charAt(0).toUpperCase()}${word.slice(1)}`));
export const ENDING_IDS = idsOf(ENDINGS.split(" "));

export const FULL_STOP_ID = byteId(0x2e);
export const COMMA_ID = byteId(0x2c);
export const NEWLINE_ID = byteId(0x0a);
export const EXCLAMATION_ID = byteId(0x21);
export const DIGIT_ZERO_ID = byteId(0x30);

/** A byte inside a character, and what may follow it. A node without followers ends the character. */
export interface CharacterNode {
  readonly id: number;
  readonly next: readonly CharacterNode[];
}

const CHARACTERS = ["é", "è", "ü", "ß", "→", "…", "—", "✓", "世", "界", "海", "潮", "🌊", "🚢"];

/** Characters beyond ASCII that answers contain, as a tree of their UTF-8 bytes: each byte is a token of its own. */
export const CHARACTER_ROOTS: readonly CharacterNode[] = branch(CHARACTERS.map((character) => tokenize(character)));

function branch(rests: readonly (readonly number[])[]): readonly CharacterNode[] {
  const firsts = [...new Set(rests.flatMap(([first]) => (first === undefined ? [] : [first])))];
  return firsts.map((id) => ({ id, next: branch(rests.filter(([first]) => first === id).map(([, ...rest]) => rest)) }));
}
