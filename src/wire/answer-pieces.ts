import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { firstChoice } from "./continued-chunk.ts";
import { parseSseJson } from "./parse-sse-event.ts";

/** Where in an answer some text stands: `content`, `text`, `reasoning_content`, `call 0 name`, `call 0 arguments`. */
export interface Piece {
  readonly place: string;
  readonly text: string;
}

const TEXT_PLACES = ["content", "reasoning_content", "reasoning", "refusal"] as const;

/** What the first choice of a chunk says, in its order. */
export function piecesOf(choice: JsonObject): readonly Piece[] {
  const pieces: Piece[] = [];
  const say = (place: string, text: JsonValue | undefined): void => {
    if (typeof text === "string" && text !== "") pieces.push({ place, text });
  };
  say("text", choice["text"]);
  const delta = choice["delta"];
  if (!isJsonObject(delta)) return pieces;
  for (const place of TEXT_PLACES) say(place, delta[place]);
  for (const { index, call } of callsOf(delta)) {
    const asked = call["function"];
    if (!isJsonObject(asked)) continue;
    say(`call ${index} name`, asked["name"]);
    say(`call ${index} arguments`, asked["arguments"]);
  }
  return pieces;
}

/** The text that the first choice of an event says; empty where it says none. */
export function textOf(event: Buffer): string {
  const chunk = parseSseJson(event);
  const choice = chunk === null ? null : firstChoice(chunk);
  if (choice === null) return "";
  const delta = choice["delta"];
  const text = isJsonObject(delta) ? delta["content"] : choice["text"];
  return typeof text === "string" ? text : "";
}

/** The same choice with only `left` of its text; null = it says nothing any more. Who speaks has been said. */
export function withPieces(choice: JsonObject, left: ReadonlyMap<string, string>): JsonObject | null {
  const finish = choice["finish_reason"] ?? null;
  if (left.size === 0 && finish === null) return null;
  if (piecesOf(choice).every(({ place, text }) => left.get(place) === text)) return withoutRole(choice);
  if (typeof choice["text"] === "string") return { ...choice, text: left.get("text") ?? "" };
  const delta: Record<string, JsonValue> = {};
  for (const place of TEXT_PLACES) {
    const text = left.get(place);
    if (text !== undefined) delta[place] = text;
  }
  const given = choice["delta"];
  const calls = isJsonObject(given) ? callsOf(given).flatMap((one) => withCall(one, left)) : [];
  if (calls.length > 0) delta["tool_calls"] = calls;
  // As engines end an answer.
  if (Object.keys(delta).length === 0) delta["content"] = "";
  return { ...choice, delta };
}

function withoutRole(choice: JsonObject): JsonObject {
  const delta = choice["delta"];
  if (!isJsonObject(delta)) return choice;
  const { role: _, ...said } = delta;
  return { ...choice, delta: said };
}

interface IndexedCall {
  readonly index: number;
  readonly call: JsonObject;
}

function callsOf(delta: JsonObject): readonly IndexedCall[] {
  const calls = delta["tool_calls"];
  if (!Array.isArray(calls)) return [];
  return calls.flatMap((call) => {
    if (!isJsonObject(call)) return [];
    const index = call["index"];
    return [{ index: typeof index === "number" ? index : 0, call: call }];
  });
}

/** Its id and name belong to its beginning: who has that keeps the id that it was given. */
function withCall({ index, call }: IndexedCall, left: ReadonlyMap<string, string>): readonly JsonObject[] {
  const name = left.get(`call ${index} name`);
  const text = left.get(`call ${index} arguments`);
  if (name === undefined && text === undefined) return [];
  if (name === undefined) return [{ index, function: { arguments: text ?? "" } }];
  return [{ ...call, function: { ...(isJsonObject(call["function"]) ? call["function"] : {}), name, arguments: text ?? "" } }];
}
