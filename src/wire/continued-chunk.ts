import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { parseSseJson } from "./parse-sse-event.ts";

/** A chunk of `POST /v1/completions`, as far as a continued answer needs it. */
export interface TextChunk {
  readonly text: string;
  readonly finish: JsonValue;
  /** vLLM's own word on what ended it; undefined = not said. */
  readonly stopReason: JsonValue | undefined;
}

export const DONE_EVENT: Buffer = Buffer.from("data: [DONE]\n\n");

/** Chunks in the form of one that its client has: id, creation, model and all that is said of them, with other text. */
export interface ChunkForm {
  text(chunk: TextChunk): Buffer;
  usage(usage: JsonObject): Buffer;
}

export function firstChoice(chunk: JsonObject): JsonObject | null {
  const choices = chunk["choices"];
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
  return isJsonObject(first) ? first : null;
}

/** @param template a chunk as the client got it. @returns null when it is none. */
export function chunkForm(template: Buffer): ChunkForm | null {
  const chunk = parseSseJson(template);
  const choice = chunk === null ? null : firstChoice(chunk);
  if (chunk === null || choice === null) return null;
  const isChat = isJsonObject(choice["delta"]);
  return {
    text: ({ text, finish, stopReason }) => {
      const said: JsonObject = isChat ? { delta: { content: text } } : { text };
      const ended: JsonObject = stopReason === undefined ? { finish_reason: finish } : { finish_reason: finish, stop_reason: stopReason };
      return eventOf({ ...chunk, choices: [{ ...choice, ...said, ...ended }] });
    },
    usage: (usage) => eventOf({ ...chunk, choices: [], usage }),
  };
}

export const eventOf = (value: JsonObject): Buffer => Buffer.from(`data: ${JSON.stringify(value)}\n\n`);
