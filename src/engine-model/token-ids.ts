// The vocabulary is made by rule, so that any text has an exact, short form and nothing is stored:
// one id for each byte, and one for each run of up to six letters, with or without a space before it and a capital in front.

/** Ends an answer. */
export const END_ID = 0;
/** Starts every chat prompt. */
export const START_ID = 1;
/** Closes a message of a chat. */
export const TURN_END_ID = 2;

/** Opens a message of a chat; ids of the roles that templates know. */
export const ROLE_IDS = { system: 3, user: 4, assistant: 5, tool: 6 } as const;
export type ChatRole = keyof typeof ROLE_IDS;

/** Ids below it are special: they have no text. */
export const BYTE_BASE = 16;
export const WORD_BASE = 512;
export const WORD_LETTERS_MAX = 6;
/** 27 = the letters, and nought for "no letter": shorter words need no second table. */
export const LETTER_RADIX = 27;
export const WORD_HAS_SPACE = 2;
export const WORD_IS_CAPITAL = 1;
/** Ids are 0 <= id < VOCABULARY_SIZE; below 2^31, so that they fit every integer array. */
export const VOCABULARY_SIZE = WORD_BASE + LETTER_RADIX ** WORD_LETTERS_MAX * 4;

export const byteId = (byte: number): number => BYTE_BASE + byte;
/** @returns null when the id is no byte. */
export const byteOf = (id: number): number | null => (id >= BYTE_BASE && id < BYTE_BASE + 256 ? id - BYTE_BASE : null);
export const isTokenId = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value < VOCABULARY_SIZE;
