import type { JsonObject, JsonValue } from "../base/json.ts";
import { toolCallId, type AnswerFormat, type AnswerIdentity, type AnswerUsage, type FinishReason } from "./engine-answer-format.ts";

/** One document at the end. */
export function createResponseFormat(identity: AnswerIdentity): AnswerFormat {
  const said: { text: string; finish: FinishReason | null } = { text: "", finish: null };
  return {
    contentType: "application/json",
    token: ({ text, finish }) => {
      said.text += text;
      said.finish = finish;
      return "";
    },
    abort: () => {
      said.finish = "abort";
      return "";
    },
    close: (usage) => JSON.stringify(endedResponse(identity, said, usage)),
  };
}

/** Numbered events with names, in vLLM's order; no `[DONE]`. It opens with its first token. */
export function createResponseStreamFormat(identity: AnswerIdentity): AnswerFormat {
  return new ResponseStreamFormat(identity);
}

class ResponseStreamFormat implements AnswerFormat {
  readonly contentType = "text/event-stream; charset=utf-8";
  readonly #identity: AnswerIdentity;
  readonly #said: { text: string; finish: FinishReason | null } = { text: "", finish: null };
  readonly #isTool: boolean;
  #count = 0;

  constructor(identity: AnswerIdentity) {
    this.#identity = identity;
    this.#isTool = toolOf(identity) !== null;
  }

  token({ text, finish }: { readonly text: string; readonly finish: FinishReason | null }): string {
    let events = this.#count === 0 ? this.#opening() : "";
    this.#said.text += text;
    if (text !== "") events += this.#delta(text);
    if (finish === null) return events;
    this.#said.finish = finish;
    return events + this.#closing();
  }

  abort(): string {
    this.#said.finish = "abort";
    return this.#count === 0 ? this.#opening() : "";
  }

  close(usage: AnswerUsage): string {
    const response = endedResponse(this.#identity, this.#said, usage);
    return this.#event(`response.${response.status}`, { response });
  }

  #opening(): string {
    const response = responseOf(this.#identity, { status: "in_progress", output: [], usage: null });
    const opened =
      this.#event("response.created", { response }) +
      this.#event("response.in_progress", { response }) +
      this.#event("response.output_item.added", { output_index: 0, item: itemOf(this.#identity, "", "in_progress") });
    if (this.#isTool) return opened;
    return opened + this.#event("response.content_part.added", { ...this.#place(), part: partOf("") });
  }

  #delta(text: string): string {
    if (this.#isTool) return this.#event("response.function_call_arguments.delta", { ...this.#item(), delta: text });
    return this.#event("response.output_text.delta", { ...this.#place(), delta: text, logprobs: [] });
  }

  #closing(): string {
    const { text } = this.#said;
    const said = this.#isTool
      ? this.#event("response.function_call_arguments.done", { ...this.#item(), name: toolOf(this.#identity), arguments: text })
      : this.#event("response.output_text.done", { ...this.#place(), text, logprobs: [] }) +
        this.#event("response.content_part.done", { ...this.#place(), part: partOf(text) });
    const item = itemOf(this.#identity, text, statusOf(this.#said.finish));
    return said + this.#event("response.output_item.done", { output_index: 0, item });
  }

  #item(): JsonObject {
    return { item_id: itemId(this.#identity), output_index: 0 };
  }

  #place(): JsonObject {
    return { ...this.#item(), content_index: 0 };
  }

  #event(type: string, said: JsonObject): string {
    const event = { type, sequence_number: this.#count, ...said };
    this.#count += 1;
    return `event: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
  }
}

type Status = "in_progress" | "completed" | "incomplete" | "failed";

function statusOf(finish: FinishReason | null): Status {
  if (finish === "abort") return "failed";
  return finish === "length" ? "incomplete" : "completed";
}

interface Said {
  readonly text: string;
  readonly finish: FinishReason | null;
}

function endedResponse(
  identity: AnswerIdentity,
  { text, finish }: Said,
  { promptTokens, completionTokens }: AnswerUsage,
): JsonObject & { readonly status: Status } {
  const status = statusOf(finish);
  return responseOf(identity, {
    status,
    output: [itemOf(identity, text, status)],
    usage: {
      input_tokens: promptTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: completionTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: promptTokens + completionTokens,
    },
  });
}

interface ResponsePart {
  readonly status: Status;
  readonly output: readonly JsonObject[];
  readonly usage: JsonObject | null;
}

function responseOf(
  { id, created, request }: AnswerIdentity,
  { status, output, usage }: ResponsePart,
): JsonObject & { readonly status: Status } {
  const { body } = request;
  const echo = (name: string, otherwise: JsonValue): JsonValue => body[name] ?? otherwise;
  return {
    id,
    object: "response",
    created_at: created,
    status,
    background: false,
    error: status === "failed" ? { code: "server_error", message: "The answer was ended." } : null,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    instructions: echo("instructions", null),
    max_output_tokens: echo("max_output_tokens", null),
    metadata: echo("metadata", {}),
    model: request.model,
    output,
    parallel_tool_calls: echo("parallel_tool_calls", true),
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: "default",
    store: false,
    temperature: request.sampling.temperature,
    text: echo("text", { format: { type: "text" } }),
    tool_choice: echo("tool_choice", "auto"),
    tools: echo("tools", []),
    top_p: request.sampling.topP,
    truncation: "disabled",
    usage,
  };
}

const toolOf = (identity: AnswerIdentity): string | null => identity.tools[0] ?? null;
const itemId = ({ id, tools }: AnswerIdentity): string => `${(tools[0] ?? null) === null ? "msg" : "fc"}_${id.slice("resp_".length)}`;
const partOf = (text: string): JsonObject => ({ type: "output_text", text, annotations: [], logprobs: [] });

function itemOf(identity: AnswerIdentity, text: string, of: Status): JsonObject {
  const status = of === "failed" ? "incomplete" : of;
  const tool = toolOf(identity);
  const id = itemId(identity);
  if (tool !== null)
    return { id, type: "function_call", call_id: toolCallId(identity.id.replace("_", "-"), 0), name: tool, arguments: text, status };
  return { id, type: "message", role: "assistant", status, content: of === "in_progress" ? [] : [partOf(text)] };
}
