import {
  logprobOf,
  toolCallId,
  usageJson,
  type AnswerFormat,
  type AnswerIdentity,
  type AnswerTokens,
  type AnswerUsage,
  type FinishReason,
} from "./engine-answer-format.ts";

interface WholeChoice {
  reasoning: string;
  text: string;
  readonly ids: number[];
  readonly logprobs: object[];
  finish: FinishReason | null;
}

/** One JSON document at the end. */
export function createWholeFormat(identity: AnswerIdentity): AnswerFormat {
  const choices = identity.tools.map((): WholeChoice => ({ reasoning: "", text: "", ids: [], logprobs: [], finish: null }));
  return {
    contentType: "application/json",
    token: ({ choice, ids, text, finish, isReasoning }: AnswerTokens) => {
      const whole = choices[choice];
      if (whole === undefined) return "";
      if (isReasoning) whole.reasoning += text;
      else whole.text += text;
      whole.ids.push(...ids);
      if (identity.request.areLogprobsReturned) whole.logprobs.push(...ids.map((id) => logprobOf(id, text)));
      whole.finish = finish;
      return "";
    },
    abort: (choice) => {
      const whole = choices[choice];
      if (whole !== undefined) whole.finish = "abort";
      return "";
    },
    close: (usage) => renderWhole(identity, choices, usage),
  };
}

function renderWhole(identity: AnswerIdentity, choices: readonly WholeChoice[], usage: AnswerUsage): string {
  const { id, created, request } = identity;
  const isChat = request.kind === "chat";
  const document = {
    id,
    object: isChat ? "chat.completion" : "text_completion",
    created,
    model: request.model,
    choices: choices.map((whole, index) => ({
      index,
      ...(isChat ? { message: messageOf(identity, whole, index) } : { text: whole.text }),
      logprobs: request.areLogprobsReturned ? { content: whole.logprobs } : null,
      finish_reason: whole.finish,
      stop_reason: null,
      ...(request.areTokenIdsReturned ? { token_ids: whole.ids } : {}),
      ...(request.areTokenIdsReturned && !isChat
        ? { prompt_token_ids: request.prompts[Math.floor(index / request.choicesPerPrompt)] }
        : {}),
    })),
    ...(request.areTokenIdsReturned && isChat ? { prompt_token_ids: request.prompts[0] } : {}),
  };
  return `${JSON.stringify(document).slice(0, -1)},"usage":${usageJson(usage)}}`;
}

function messageOf(identity: AnswerIdentity, whole: WholeChoice, index: number): object {
  const tool = identity.tools[index] ?? null;
  const reasoning = identity.reasoningTokens > 0 ? { reasoning: whole.reasoning } : {};
  if (tool === null) return { role: "assistant", ...reasoning, content: whole.text };
  const call = { id: toolCallId(identity.id, index), type: "function", function: { name: tool, arguments: whole.text } };
  return { role: "assistant", content: null, tool_calls: [call] };
}
