import { assert } from "../base/assert.ts";
import { absorb, drawBits, startHash, type ContextHash } from "./context-hash.ts";
import {
  CAPITAL_WORD_IDS,
  CHARACTER_ROOTS,
  COMMA_ID,
  DIGIT_ZERO_ID,
  ENDING_IDS,
  EXCLAMATION_ID,
  FULL_STOP_ID,
  NEWLINE_ID,
  WORD_IDS,
  type CharacterNode,
} from "./lexicon.ts";
import { BYTE_BASE, END_ID } from "./token-ids.ts";

/** Where the tokens of one sequence come from. Each call is one token further. */
export interface TokenSource {
  /** May be END_ID. */
  next(): number;
  /** The same choice with the end forbidden, as `min_tokens` and `ignore_eos` do. */
  nextWithoutEnd(): number;
}

/** What the client asked of sampling. Everything in it changes the tokens, except at temperature 0, which is greedy. */
export interface Sampling {
  readonly temperature: number;
  /** null = the engine's own, always the same one: even unseeded answers can be told right from wrong. */
  readonly seed: number | null;
  readonly topP: number;
  readonly topK: number;
  /** Presence, frequency and repetition penalty, or whatever else shapes the choice. */
  readonly penalties: readonly number[];
}

/** Whose tokens they are: one engine's model, and one request's sampling. */
export interface TokenOrigin {
  readonly model: string;
  readonly revision: string;
  readonly sampling: Sampling;
  /** Index among the `n` answers to one prompt. */
  readonly choice: number;
}

/**
 * f(model, sampling, whole context): each token depends on every id before it, of prompt and answer alike. So an answer that is
 * continued from prompt ids ++ answered ids goes on as if undisturbed, and one lost or repeated id changes all that follows.
 */
export function createContextSource(origin: TokenOrigin, promptIds: readonly number[]): TokenSource {
  const hash = hashPrompt(origin, promptIds);
  let character = characterAt(promptIds);
  let previousId = promptIds.at(-1) ?? END_ID;

  function advance(id: number): number {
    absorb(hash, id);
    character = followCharacter(character, id);
    previousId = id;
    return id;
  }
  const choose = (): number => (character.length > 0 ? pick(character, drawBits(hash, CHARACTER_SALT)).id : chooseToken(hash, previousId));
  return {
    nextWithoutEnd: () => advance(choose()),
    next: () => {
      const mayEnd = previousId === FULL_STOP_ID && drawBits(hash, END_SALT) % SENTENCES_MEAN === 0;
      return advance(mayEnd ? END_ID : choose());
    },
  };
}

/** The context after the prompt, for everything that is derived from it without being a token. */
export function hashPrompt({ model, revision, sampling, choice }: TokenOrigin, promptIds: readonly number[]): ContextHash {
  const { temperature, seed, topP, topK, penalties } = sampling;
  const drawn = temperature === 0 ? "greedy" : `${temperature},${seed ?? "unseeded"},${topP},${topK},${choice}`;
  const hash = startHash(`${model}@${revision}|${drawn}|${penalties.join()}`);
  for (const id of promptIds) absorb(hash, id);
  return hash;
}

/** What an engine with broken weights says: exclamation marks, and no end. */
export function createGarbageSource(): TokenSource {
  return { next: () => EXCLAMATION_ID, nextWithoutEnd: () => EXCLAMATION_ID };
}

/** Says a fixed text, then ends; forbidden to end, it goes on with blank lines, which JSON allows. */
export function createScriptSource(ids: readonly number[]): TokenSource {
  let at = 0;
  const take = (otherwise: number): number => {
    const id = ids[at] ?? otherwise;
    at += 1;
    return id;
  };
  return { next: () => take(END_ID), nextWithoutEnd: () => take(NEWLINE_ID) };
}

const END_SALT = 1;
const KIND_SALT = 2;
const TOKEN_SALT = 3;
const CHARACTER_SALT = 4;
// One sentence has about 12 tokens, so an undisturbed answer has about 200.
const SENTENCES_MEAN = 16;

/** Shares of kinds of tokens in a thousand: 83 full stops make sentences of about 12 tokens. */
function chooseToken(hash: ContextHash, previousId: number): number {
  const kind = drawBits(hash, KIND_SALT) % 1_000;
  const bits = drawBits(hash, TOKEN_SALT);
  const isSentenceStart = previousId === FULL_STOP_ID || previousId < BYTE_BASE;
  if (isSentenceStart) return pick(CAPITAL_WORD_IDS, bits);
  if (kind < 83) return FULL_STOP_ID;
  if (kind < 110) return COMMA_ID;
  if (kind < 115) return NEWLINE_ID;
  if (kind < 130) return DIGIT_ZERO_ID + (bits % 10);
  if (kind < 150) return pick(CHARACTER_ROOTS, bits).id;
  if (kind < 180) return pick(ENDING_IDS, bits);
  return pick(WORD_IDS, bits);
}

function pick<Item>(items: readonly Item[], bits: number): Item {
  const item = items[bits % items.length];
  assert(item !== undefined, "a lexicon is never empty");
  return item;
}

const NO_CHARACTER: readonly CharacterNode[] = [];

/** What may follow inside an unfinished character; empty between characters. */
function followCharacter(open: readonly CharacterNode[], id: number): readonly CharacterNode[] {
  const node = open.find((one) => one.id === id) ?? CHARACTER_ROOTS.find((one) => one.id === id);
  return node?.next ?? NO_CHARACTER;
}

/** Only the last three ids can belong to an unfinished character of four bytes. */
function characterAt(ids: readonly number[]): readonly CharacterNode[] {
  let open = NO_CHARACTER;
  for (const id of ids.slice(-3)) open = followCharacter(open, id);
  return open;
}
