import { KIND_ANSWER_TOKENS, type AskKind } from "./ask-kind.ts";
import { ChatCall, chatPrefix, chatRequest, type ChatAnswer, type ChatTarget } from "./chat-call.ts";
import { HttpPool } from "./http-pool.ts";
import { promptTexts, type Reference } from "./prompts.ts";
import type { ToldAnswer } from "./told-answer.ts";

export const PROMPT_SIZES: readonly number[] = [128, 2_048, 16_384, 32_768];
const ANSWER_TOKENS_MAX = 128;

/** The whole answer of every prompt, asked once while nothing is wrong: what all later answers are compared with. */
export async function takeReferences(target: ChatTarget, model: string): Promise<readonly Reference[]> {
  const pool = new HttpPool(target);
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
  return { size: ask.size, text: ask.text, promptTokens, answer: answer.text, endOfToken: tokenEnds, told: {} };
}

/** The same with what is told for each of these kinds. */
export async function takeKinds(
  references: readonly Reference[],
  of: { readonly target: ChatTarget; readonly model: string; readonly kinds: readonly AskKind[] },
): Promise<readonly Reference[]> {
  const pool = new HttpPool(of.target);
  const tell = async (reference: Reference): Promise<Reference> => {
    const told: Partial<Record<AskKind, ToldAnswer["choices"]>> = {};
    for (const kind of of.kinds) told[kind] = await takeTold(pool, { ...of, text: reference.text, kind });
    return { ...reference, told };
  };
  const all = await Promise.all(references.map(tell));
  pool.close();
  return all;
}

async function takeTold(
  pool: HttpPool,
  ask: { readonly target: ChatTarget; readonly model: string; readonly text: string; readonly kind: AskKind },
): Promise<ToldAnswer["choices"]> {
  const answer = await new Promise<ChatAnswer>((resolve) => {
    const prefix = chatPrefix({ model: ask.model, text: ask.text, isStream: true, kind: ask.kind });
    new ChatCall(true, resolve).sendOver(pool, chatRequest(ask.target, prefix, KIND_ANSWER_TOKENS));
  });
  if (answer.outcome !== "complete")
    throw new Error(
      `The reference answer of the kind ${ask.kind} is not whole: ${answer.outcome} ${answer.note}, status ${answer.status}.`,
    );
  return answer.told.choices;
}
