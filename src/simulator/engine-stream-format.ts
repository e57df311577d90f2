import {
  escapeJson,
  logprobOf,
  toolCallId,
  usageJson,
  type AnswerFormat,
  type AnswerIdentity,
  type AnswerTokens,
  type AnswerUsage,
} from "./engine-answer-format.ts";

/**
 * Server-sent events in vLLM's form. What is equal on all chunks is made once: a token costs a few string joins.
 * A choice opens with its first token: role and token leave together.
 */
export function createStreamFormat(identity: AnswerIdentity): AnswerFormat {
  return identity.request.kind === "chat" ? new ChatStreamFormat(identity) : new CompletionStreamFormat(identity);
}

abstract class StreamFormat implements AnswerFormat {
  readonly contentType = "text/event-stream; charset=utf-8";
  protected readonly identity: AnswerIdentity;
  /** Up to the list of choices. */
  protected readonly start: string;
  /** After the list of choices. */
  protected readonly tail: string;
  readonly #hasTokenIds: boolean;
  readonly #hasLogprobs: boolean;
  readonly #isOpen: boolean[];

  constructor(identity: AnswerIdentity, object: string) {
    const { id, created, request } = identity;
    this.identity = identity;
    this.start = `data: {"id":${JSON.stringify(id)},"object":"${object}","created":${created},"model":${JSON.stringify(request.model)},"choices":[`;
    this.tail = `${request.isUsageIncluded ? ',"usage":null' : ""}}\n\n`;
    this.#hasTokenIds = request.areTokenIdsReturned;
    this.#hasLogprobs = request.areLogprobsReturned;
    this.#isOpen = identity.tools.map(() => false);
  }

  token(tokens: AnswerTokens): string {
    const { choice, text, finish, isReasoning } = tokens;
    let opening = "";
    if (this.#isOpen[choice] === false) {
      this.#isOpen[choice] = true;
      opening = this.opening(choice);
    }
    // Inside a character there is nothing to show yet; ids are shown all the same.
    if (text === "" && finish === null && !this.#hasTokenIds && !this.#hasLogprobs) return opening;
    const ids = this.#hasTokenIds ? `,"token_ids":[${tokens.ids.join()}]` : "";
    const logprobs = this.#hasLogprobs ? JSON.stringify({ content: tokens.ids.map((id) => logprobOf(id, text)) }) : "null";
    const ended = (finish === null ? "null" : `"${finish}"`) + ids;
    return opening + this.chunk(choice, escapeJson(text), { logprobs, finish: ended, place: isReasoning ? "reasoning" : "content" });
  }

  abort(choice: number): string {
    return this.chunk(choice, "", { logprobs: "null", finish: '"abort"', place: "content" });
  }

  close(usage: AnswerUsage): string {
    const last = this.identity.request.isUsageIncluded ? `${this.start}],"usage":${usageJson(usage)}}\n\n` : "";
    return `${last}data: [DONE]\n\n`;
  }

  /** The prompt of a choice, for the first chunk that names it. */
  protected promptIds(choice: number): string | null {
    if (!this.#hasTokenIds) return null;
    const { prompts, choicesPerPrompt } = this.identity.request;
    // Of long lists several times as fast as a join.
    return `"prompt_token_ids":${JSON.stringify(prompts[Math.floor(choice / choicesPerPrompt)] ?? [])}`;
  }

  protected abstract opening(choice: number): string;
  protected abstract chunk(choice: number, escapedText: string, json: ChoiceJson): string;
}

interface ChoiceJson {
  readonly logprobs: string;
  /** The finish reason, and what else belongs to the choice. */
  readonly finish: string;
  readonly place: "content" | "reasoning";
}

class ChatStreamFormat extends StreamFormat {
  constructor(identity: AnswerIdentity) {
    super(identity, "chat.completion.chunk");
  }

  protected opening(choice: number): string {
    const tool = this.identity.tools[choice] ?? null;
    const ids = this.promptIds(choice);
    const end = `,"logprobs":null,"finish_reason":null}]${ids === null ? "" : `,${ids}`}${this.tail}`;
    if (tool === null) return `${this.start}{"index":${choice},"delta":{"role":"assistant","content":""}${end}`;
    const call = `{"index":0,"id":"${toolCallId(this.identity.id, choice)}","type":"function","function":{"name":${JSON.stringify(tool)},"arguments":""}}`;
    return `${this.start}{"index":${choice},"delta":{"role":"assistant","content":null,"tool_calls":[${call}]}${end}`;
  }

  protected chunk(choice: number, escapedText: string, { logprobs, finish, place }: ChoiceJson): string {
    const isTool = (this.identity.tools[choice] ?? null) !== null;
    const delta = isTool ? `{"tool_calls":[{"index":0,"function":{"arguments":"${escapedText}"}}]}` : `{"${place}":"${escapedText}"}`;
    return `${this.start}{"index":${choice},"delta":${delta},"logprobs":${logprobs},"finish_reason":${finish}}]${this.tail}`;
  }
}

class CompletionStreamFormat extends StreamFormat {
  /** Prompt ids still to be shown, by choice: a completion has no opening chunk, so they ride on the first one. */
  readonly #shown = new Set<number>();

  constructor(identity: AnswerIdentity) {
    super(identity, "text_completion");
  }

  protected opening(): string {
    return "";
  }

  protected chunk(choice: number, escapedText: string, { logprobs, finish }: ChoiceJson): string {
    const ids = this.#shown.has(choice) ? null : this.promptIds(choice);
    this.#shown.add(choice);
    const prompt = ids === null ? "" : `,${ids}`;
    return `${this.start}{"index":${choice},"text":"${escapedText}","logprobs":${logprobs},"finish_reason":${finish}${prompt}}]${this.tail}`;
  }
}
