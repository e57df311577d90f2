import { ChatCall, chatPrefix, chatRequest, type ChatAnswer, type ChatTarget } from "./chat-call.ts";
import { HttpPool } from "./http-pool.ts";
import { promptTexts, type Reference } from "./prompts.ts";

export const PROMPT_SIZES: readonly number[] = [128, 2_048, 16_384, 32_768];
const ANSWER_TOKENS_MAX = 128;

/** The whole answer of every prompt, asked once while nothing is wrong: what all later answers are compared with. */
export async function takeReferences(target: ChatTarget, model: string): Promise<readonly Reference[]> {
  const pool = new HttpPool(target.host, target.port);
  const asks = PROMPT_SIZES.flatMap((size) => promptTexts(size).map((text) => takeReference(pool, { target, model, size, text })));
  const references = await Promise.all(asks);
  pool.close();
  return references;
}

interface ReferenceAsk {
  readonly target: ChatTarget;
  readonly model: string;
  readonly size: number;
  readonly text: string;
}

async function takeReference(pool: HttpPool, ask: ReferenceAsk): Promise<Reference> {
  const answer = await new Promise<ChatAnswer>((resolve) => {
    const prefix = chatPrefix({ model: ask.model, text: ask.text, isStream: true, withIds: true });
    new ChatCall(true, resolve).sendOver(pool, chatRequest(ask.target, prefix, ANSWER_TOKENS_MAX));
  });
  const { outcome, completionTokens, promptTokens, tokenEnds } = answer;
  if (outcome !== "complete" || promptTokens === null || completionTokens !== ANSWER_TOKENS_MAX || tokenEnds.length !== ANSWER_TOKENS_MAX) {
    throw new Error(
      `The reference answer of a prompt of ${ask.size} tokens is not whole: ${outcome} ${answer.note}, status ${answer.status}, ` +
        `${completionTokens} tokens by its usage, ${tokenEnds.length} token ids.`,
    );
  }
  return { size: ask.size, text: ask.text, promptTokens, answer: answer.text, endOfToken: tokenEnds };
}
