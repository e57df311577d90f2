import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { badRequest, type EngineError } from "./engine-error.ts";
import type { EngineRequest, RequestLimits } from "./engine-request.ts";
import { parseEngineRequest } from "./parse-engine-request.ts";

/** A request for a response, read as the chat that it is. This engine stores nothing. */
export function parseResponseRequest(body: JsonObject, limits: RequestLimits): Result<EngineRequest, EngineError> {
  const stored = ["previous_response_id", "conversation"].find((name) => (body[name] ?? null) !== null);
  if (stored !== undefined) return err(badRequest(`${stored} names nothing: this engine stores no responses.`, stored));
  if (body["background"] === true) return err(badRequest("background needs a store, and this engine has none.", "background"));
  const messages = messagesOf(body);
  if (!messages.ok) return messages;
  const chat: Record<string, JsonValue> = { messages: messages.value, stream: body["stream"] ?? false };
  for (const name of ["model", "temperature", "top_p", "seed", "ignore_eos"]) if (body[name] !== undefined) chat[name] = body[name];
  if ((body["max_output_tokens"] ?? null) !== null) chat["max_tokens"] = body["max_output_tokens"] ?? null;
  const { tools, tool_choice: choice, text } = body;
  if (Array.isArray(tools) && tools.length > 0) chat["tools"] = tools.map(nestedTool);
  if (choice !== undefined && chat["tools"] !== undefined) chat["tool_choice"] = isJsonObject(choice) ? nestedTool(choice) : choice;
  const format = isJsonObject(text) ? text["format"] : undefined;
  if (isJsonObject(format))
    chat["response_format"] = format["type"] === "json_schema" ? { type: "json_schema", json_schema: format } : format;
  const request = parseEngineRequest("chat", chat, limits);
  return request.ok ? ok({ ...request.value, kind: "response", body }) : request;
}

/** A function's name and parameters lie beside its type here, inside it in a chat. */
function nestedTool(tool: JsonValue): JsonValue {
  if (!isJsonObject(tool)) return tool;
  const { type, ...said } = tool;
  return { type: type ?? null, function: said };
}

function messagesOf({ instructions, input }: JsonObject): Result<JsonValue[], EngineError> {
  const messages: JsonValue[] = typeof instructions === "string" ? [{ role: "system", content: instructions }] : [];
  if (typeof input === "string") return ok([...messages, { role: "user", content: input }]);
  if (!Array.isArray(input) || input.length === 0) return err(badRequest("input must be text or a list of items.", "input"));
  for (const [index, item] of (input as readonly JsonValue[]).entries()) {
    const message = messageOf(item);
    if (message === null) return err(badRequest(`input[${index}] is no item that this engine reads.`, "input"));
    messages.push(message);
  }
  return ok(messages);
}

/** null = it is none that this engine reads. */
function messageOf(item: JsonValue): JsonObject | null {
  if (!isJsonObject(item)) return null;
  const type = item["type"] ?? "message";
  const callId = item["call_id"] ?? null;
  if (type === "function_call") {
    const asked = { name: item["name"] ?? null, arguments: item["arguments"] ?? null };
    return { role: "assistant", content: null, tool_calls: [{ id: callId, type: "function", function: asked }] };
  }
  if (type !== "message" && type !== "function_call_output") return null;
  const content = contentOf(type === "message" ? item["content"] : item["output"]);
  if (content === null) return null;
  return type === "message" ? { role: item["role"] ?? null, content } : { role: "tool", tool_call_id: callId, content };
}

const TEXT_TYPES: ReadonlySet<unknown> = new Set(["input_text", "output_text", "text"]);

function contentOf(content: JsonValue | undefined): string | null {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  let text = "";
  for (const part of content as readonly JsonValue[]) {
    if (!isJsonObject(part) || !TEXT_TYPES.has(part["type"]) || typeof part["text"] !== "string") return null;
    text += part["text"];
  }
  return text;
}
