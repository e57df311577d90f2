import type { AnswerFormat, AnswerIdentity, AnswerTokens, FinishReason } from "./engine-answer-format.ts";
import type { OwnDialect } from "./engine-request.ts";

export const createOwnFormat = (dialect: OwnDialect, identity: AnswerIdentity): AnswerFormat =>
  dialect === "sglang" ? new GenerateFormat(identity) : new CompletionFormat(identity);

const eventOf = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;

/** SGLang's `/generate`: text and ids of the whole answer so far, each time. */
class GenerateFormat implements AnswerFormat {
  readonly contentType = "text/event-stream";
  readonly #identity: AnswerIdentity;
  readonly #ids: number[] = [];
  #text = "";

  constructor(identity: AnswerIdentity) {
    this.#identity = identity;
  }

  token({ ids, text, finish }: AnswerTokens): string {
    this.#ids.push(...ids);
    this.#text += text;
    return this.#event(finish);
  }

  abort(): string {
    return this.#event("abort");
  }

  close(): string {
    return "data: [DONE]\n\n";
  }

  #event(finish: FinishReason | null): string {
    const { id, request } = this.#identity;
    const prompt = request.prompts[0] ?? [];
    const reason = finish === null ? null : finish === "length" ? { type: finish, length: this.#ids.length } : { type: finish };
    return eventOf({
      text: this.#text,
      output_ids: this.#ids,
      prompt_token_ids: prompt,
      meta_info: { id, finish_reason: reason, prompt_tokens: prompt.length, completion_tokens: this.#ids.length },
    });
  }
}

/** llama.cpp's `/completion`: text and ids of one step; a token within a character has no event. The last event has neither. */
class CompletionFormat implements AnswerFormat {
  readonly contentType = "text/event-stream";
  readonly #promptTokens: number;
  #made = 0;
  #finish: FinishReason = "stop";

  constructor({ request }: AnswerIdentity) {
    this.#promptTokens = request.prompts[0]?.length ?? 0;
  }

  token({ ids, text, finish }: AnswerTokens): string {
    this.#made += ids.length;
    this.#finish = finish ?? this.#finish;
    return text === "" ? "" : eventOf({ ...this.#counts(), content: text, tokens: ids, stop: false });
  }

  abort(): string {
    this.#finish = "abort";
    return "";
  }

  close(): string {
    const type = this.#finish === "length" ? "limit" : this.#finish === "abort" ? "none" : "eos";
    return eventOf({ ...this.#counts(), content: "", tokens: [], stop: true, stop_type: type, stopping_word: "" });
  }

  #counts(): object {
    return { index: 0, id_slot: 0, tokens_predicted: this.#made, tokens_evaluated: this.#promptTokens };
  }
}
