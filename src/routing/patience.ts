/** How long a single stream may stay without a byte before its engine is asked: 8 x the usual p99 gap, at least half a second. */
export const lateAfterMs = (gapP99Ms: number): number => Math.max(500, 8 * gapP99Ms);

/** How long before that stream alone is cut, although its engine steps on. Generous: only a lost stream waits so long. */
export const cutAfterMs = (gapP99Ms: number): number => Math.max(10_000, 80 * gapP99Ms);

// Slow prefill of a big model, about 4,000 tokens per second, and a decode step of room for each request ahead.
const FIRST_TOKEN_BASE_MS = 1_000;
const FIRST_TOKEN_PER_PROMPT_TOKEN_MS = 0.25;
const FIRST_TOKEN_PER_REQUEST_AHEAD_MS = 50;

/** So long a prompt may be read. */
export const prefillMs = (promptTokens: number): number => promptTokens * FIRST_TOKEN_PER_PROMPT_TOKEN_MS;

/** When a first token is late enough to ask the engine. */
export const firstTokenLateAfterMs = (promptTokens: number, ahead: number): number =>
  FIRST_TOKEN_BASE_MS + prefillMs(promptTokens) + ahead * FIRST_TOKEN_PER_REQUEST_AHEAD_MS;

/** When it is so late that the request is tried elsewhere, within the retry budget. */
export const firstTokenCutAfterMs = (promptTokens: number, ahead: number): number =>
  Math.max(20_000, 8 * firstTokenLateAfterMs(promptTokens, ahead));
