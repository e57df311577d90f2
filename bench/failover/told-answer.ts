/** One choice of an answer as its client has it, however it was cut into chunks. */
interface ToldChoice {
  content: string;
  /** Name and arguments of each call, by its place. */
  calls: { name: string; arguments: string }[];
  /** Tokens with their log probabilities, in their order. */
  logprobs: string;
  finish: string | null;
}

/** What we read of a chunk or a whole answer; everything else is the server's affair. */
export interface ChoicePayload {
  readonly index?: number;
  readonly delta?: MessagePayload;
  readonly message?: MessagePayload;
  readonly logprobs?: { readonly content?: readonly { readonly token?: string; readonly logprob?: number }[] | null } | null;
  readonly token_ids?: readonly number[] | null;
  readonly finish_reason?: string | null;
}

interface MessagePayload {
  readonly content?: string | null;
  readonly tool_calls?: readonly {
    readonly index?: number;
    readonly function?: { readonly name?: string; readonly arguments?: string };
  }[];
}

/** Everything that the chunks of one stream said, by choice: two streams of one answer are equal in it, whoever served them. */
export class ToldAnswer {
  readonly choices: ToldChoice[] = [];

  /** @returns whether anything was said. */
  add(payload: ChoicePayload): boolean {
    const choice = (this.choices[payload.index ?? 0] ??= { content: "", calls: [], logprobs: "", finish: null });
    const said = payload.delta ?? payload.message;
    const content = said?.content ?? "";
    choice.content += content;
    let isSaid = content !== "";
    for (const part of said?.tool_calls ?? []) {
      const call = (choice.calls[part.index ?? 0] ??= { name: "", arguments: "" });
      call.name += part.function?.name ?? "";
      call.arguments += part.function?.arguments ?? "";
      isSaid ||= (part.function?.arguments ?? "") !== "";
    }
    for (const { token, logprob } of payload.logprobs?.content ?? []) choice.logprobs += `${JSON.stringify(token)}${logprob} `;
    choice.finish = payload.finish_reason ?? choice.finish;
    return isSaid;
  }

  isSameAs(other: ToldAnswer): boolean {
    return JSON.stringify(this.choices) === JSON.stringify(other.choices);
  }

  /** What was told is how the other one begins: a stream that ended by an error told nothing wrong. */
  isBeginningOf(other: ToldAnswer): boolean {
    return this.choices.every((choice, at) => {
      const whole = other.choices[at];
      return (
        whole !== undefined &&
        whole.content.startsWith(choice.content) &&
        whole.logprobs.startsWith(choice.logprobs) &&
        choice.calls.every(({ name, arguments: given }, place) => {
          const call = whole.calls[place];
          return call !== undefined && call.name === name && call.arguments.startsWith(given);
        })
      );
    });
  }

  /** From what another process sent: a class does not cross. */
  static of(choices: readonly ToldChoice[]): ToldAnswer {
    const answer = new ToldAnswer();
    answer.choices.push(...choices);
    return answer;
  }
}
