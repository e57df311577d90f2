import { isJsonObject, type JsonObject } from "../base/json.ts";

/**
 * The answer to `knownAnswerRequest`, as a string that is compared for equality.
 * @returns null when the body is no completion with a text.
 */
export function parseKnownAnswer(body: string): string | null {
  const text = firstChoice(body)?.["text"];
  return typeof text === "string" && text !== "" ? text : null;
}

/**
 * The answer to `likenessRequest`, as a string that is compared for equality: the token ids where they are named, else the text.
 * @returns null when the body is no completion with a text.
 */
export function parseLikeness(body: string): string | null {
  const text = parseKnownAnswer(body);
  const ids: unknown = firstChoice(body)?.["token_ids"];
  return text !== null && Array.isArray(ids) && ids.length > 0 ? ids.join() : text;
}

function firstChoice(body: string): JsonObject | null {
  const choices: unknown = parseObject(body)?.["choices"];
  const choice: unknown = Array.isArray(choices) ? choices[0] : null;
  return isJsonObject(choice) ? choice : null;
}

/**
 * The answer to `sleepStateRequest`.
 * @returns null when the body does not tell.
 */
export function parseSleepState(body: string): boolean | null {
  const isSleeping = parseObject(body)?.["is_sleeping"];
  return typeof isSleeping === "boolean" ? isSleeping : null;
}

function parseObject(body: string): JsonObject | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  return isJsonObject(value) ? value : null;
}
