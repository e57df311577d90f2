import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { renderChat, type ChatMessage } from "../engine-model/render-chat.ts";
import { ROLE_IDS, type ChatRole } from "../engine-model/token-ids.ts";
import type { ToolDeclaration } from "../engine-model/structured-answer.ts";
import { badRequest, type EngineError } from "./engine-error.ts";
import type { AnswerShape } from "./engine-request.ts";

/** The prompt of a chat request. */
export function parseChatPrompt(body: JsonObject): Result<number[], EngineError> {
  const raw = body["messages"];
  if (!Array.isArray(raw) || raw.length === 0) return err(badRequest("messages must be a list of at least one message.", "messages"));
  const messages: ChatMessage[] = [];
  for (const [index, value] of (raw as readonly JsonValue[]).entries()) {
    const message = parseMessage(value, `messages[${index}]`);
    if (!message.ok) return message;
    messages.push(message.value);
  }
  const continuesLast = body["continue_final_message"] === true;
  const addsGenerationPrompt = body["add_generation_prompt"] !== false;
  if (continuesLast && addsGenerationPrompt) {
    return err(badRequest("continue_final_message and add_generation_prompt cannot be used together.", "continue_final_message"));
  }
  const tools = body["tools"];
  const toolsText = Array.isArray(tools) && tools.length > 0 ? JSON.stringify(tools) : null;
  return ok(renderChat(messages, { toolsText, addsGenerationPrompt, continuesLast }));
}

const ROLES: Readonly<Record<string, ChatRole>> = { developer: "system", function: "tool" };

function parseMessage(value: JsonValue, path: string): Result<ChatMessage, EngineError> {
  if (!isJsonObject(value)) return err(badRequest(`${path} must be an object.`, path));
  const name = value["role"];
  if (typeof name !== "string" || !(name in ROLE_IDS || name in ROLES)) {
    return err(badRequest(`${path}.role must be one of ${Object.keys(ROLE_IDS).join(", ")}, developer.`, `${path}.role`));
  }
  const text = parseContent(value["content"]);
  if (text === null) return err(badRequest(`${path}.content must be text: this model reads nothing else.`, `${path}.content`));
  const calls = value["tool_calls"];
  return ok({ role: ROLES[name] ?? (name as ChatRole), text: calls === undefined || calls === null ? text : text + JSON.stringify(calls) });
}

/** @returns null when there is something other than text in it. */
function parseContent(content: JsonValue | undefined): string | null {
  if (content === undefined || content === null) return "";
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  let text = "";
  for (const part of content as readonly JsonValue[]) {
    if (!isJsonObject(part) || part["type"] !== "text" || typeof part["text"] !== "string") return null;
    text += part["text"];
  }
  return text;
}

/** What kind of answer a chat request asks for. */
export function parseShape(body: JsonObject): Result<AnswerShape, EngineError> {
  const format = parseFormat(body["response_format"]);
  if (!format.ok) return format;
  const tools = parseTools(body["tools"]);
  if (!tools.ok) return tools;
  const choice = body["tool_choice"] ?? "auto";
  if (tools.value.length === 0 || choice === "none") return ok(format.value ?? { kind: "words" });
  if (isJsonObject(choice)) {
    const named = isJsonObject(choice["function"]) ? choice["function"]["name"] : undefined;
    const found = tools.value.filter((tool) => tool.name === named);
    return found.length > 0
      ? ok({ kind: "tool", tools: found, isRequired: true })
      : err(badRequest("tool_choice names no tool of this request.", "tool_choice"));
  }
  if (choice === "required") return ok({ kind: "tool", tools: tools.value, isRequired: true });
  if (choice !== "auto") return err(badRequest("tool_choice must be none, auto, required, or name a function.", "tool_choice"));
  return ok(format.value ?? { kind: "tool", tools: tools.value, isRequired: false });
}

function parseFormat(format: JsonValue | undefined): Result<AnswerShape | null, EngineError> {
  if (format === undefined || format === null) return ok(null);
  const type = isJsonObject(format) ? format["type"] : undefined;
  if (type === "text") return ok(null);
  if (type === "json_object") return ok({ kind: "json", schema: {} });
  const holder = isJsonObject(format) ? format["json_schema"] : undefined;
  if (type === "json_schema" && isJsonObject(holder) && isJsonObject(holder["schema"]))
    return ok({ kind: "json", schema: holder["schema"] });
  return err(badRequest("response_format must be text, json_object, or json_schema with a schema.", "response_format"));
}

function parseTools(raw: JsonValue | undefined): Result<readonly ToolDeclaration[], EngineError> {
  if (raw === undefined || raw === null) return ok([]);
  if (!Array.isArray(raw)) return err(badRequest("tools must be a list.", "tools"));
  const tools: ToolDeclaration[] = [];
  for (const [index, tool] of (raw as readonly JsonValue[]).entries()) {
    const declared = isJsonObject(tool) && isJsonObject(tool["function"]) ? tool["function"] : null;
    const name = declared?.["name"];
    if (typeof name !== "string" || name === "") return err(badRequest(`tools[${index}].function.name is missing.`, `tools[${index}]`));
    tools.push({ name, parameters: declared?.["parameters"] ?? { type: "object", properties: {} } });
  }
  return ok(tools);
}
