import type { JsonValue } from "../base/json.ts";
import { DONE_EVENT, eventOf } from "./continued-chunk.ts";
import type { ToldAs } from "./own-surface.ts";

/** What one event of an engine says, whatever its form. */
export interface ToldToken {
  readonly text: string;
  /** null = it does not say them all. */
  readonly ids: readonly number[] | null;
  /** As text, `12,345`; null = not told here. */
  readonly promptIds: string | null;
  readonly finish: "stop" | "length" | "abort" | null;
}

/** As a chunk of a streamed completion. */
export function toldChunk(as: ToldAs, { text, ids, promptIds, finish }: ToldToken): Buffer {
  const choice = { index: 0, text, logprobs: null, finish_reason: finish, ...(ids === null ? {} : { token_ids: ids }) };
  const chunk = eventOf({ ...headOf(as), choices: [choice] });
  if (promptIds === null) return chunk;
  // Ids of a prompt are many, and text already: after the choices, before the brace and the blank line.
  const end = chunk.length - END_BYTES;
  return Buffer.concat([chunk.subarray(0, end), Buffer.from(`,"prompt_token_ids":[${promptIds}]`), chunk.subarray(end)]);
}
const END_BYTES = "}\n\n".length;

/** What ends a streamed completion after its last chunk. */
export function toldEnd(as: ToldAs, tokens: { readonly prompt: number; readonly output: number }): readonly Buffer[] {
  const { prompt, output } = tokens;
  const usage = { prompt_tokens: prompt, completion_tokens: output, total_tokens: prompt + output };
  return [eventOf({ ...headOf(as), choices: [], usage }), DONE_EVENT];
}

const headOf = ({ id, model, createdSeconds }: ToldAs): { id: string; object: string; created: number; model: string } => ({
  id,
  object: "text_completion",
  created: createdSeconds,
  model,
});

export const isIds = (value: JsonValue | undefined): value is readonly number[] =>
  Array.isArray(value) && value.every((id: unknown) => typeof id === "number" && Number.isSafeInteger(id) && id >= 0);
