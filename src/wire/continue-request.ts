import { KEPT } from "./continuity.ts";
import { fieldsOf, type ContinueAsk } from "./own-surface.ts";

/**
 * The body of `POST /v1/completions` by which an engine goes on with an answer: prompt and answer so far as ids, so that no template
 * and no tokenizer comes between; limits less by what was shown; the same sampling.
 */
export function continueBody({ body, upstreamModel, promptIds, shownIds, shownTokens, tokensLeft }: ContinueAsk): Uint8Array {
  const fields = fieldsOf(body);
  const parts: Uint8Array[] = [Buffer.from(`{"model":${JSON.stringify(upstreamModel)},"prompt":[`), promptIds ?? Buffer.alloc(0)];
  if (shownIds.length > 0) parts.push(Buffer.from(","), shownIds);
  parts.push(Buffer.from(`],"max_tokens":${tokensLeft},"stream":true,"stream_options":{"include_usage":true},"return_token_ids":true`));
  const minTokens = fields.get("min_tokens");
  const leastAsked = minTokens === undefined ? 0 : Number(body.toString("utf8", minTokens.start, minTokens.end));
  if (leastAsked > shownTokens) parts.push(Buffer.from(`,"min_tokens":${leastAsked - shownTokens}`));
  for (const name of KEPT) {
    const field = fields.get(name);
    if (field !== undefined) parts.push(Buffer.from(`,${JSON.stringify(name)}:`), body.subarray(field.start, field.end));
  }
  parts.push(Buffer.from("}"));
  return Buffer.concat(parts);
}
