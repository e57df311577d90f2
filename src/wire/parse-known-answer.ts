import { isJsonObject } from "../base/json.ts";

/**
 * The answer to `knownAnswerRequest`, as a string that is compared for equality.
 * @returns null when the body is no completion with a text.
 */
export function parseKnownAnswer(body: string): string | null {
  const answer = parseObject(body);
  const choices: unknown = answer?.["choices"];
  if (!Array.isArray(choices)) return null;
  const choice: unknown = choices[0];
  if (!isJsonObject(choice)) return null;
  const text = choice["text"];
  return typeof text === "string" && text !== "" ? text : null;
}

/**
 * The answer to `sleepStateRequest`.
 * @returns null when the body does not tell.
 */
export function parseSleepState(body: string): boolean | null {
  const isSleeping = parseObject(body)?.["is_sleeping"];
  return typeof isSleeping === "boolean" ? isSleeping : null;
}

function parseObject(body: string): Readonly<Record<string, unknown>> | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  return isJsonObject(value) ? value : null;
}
