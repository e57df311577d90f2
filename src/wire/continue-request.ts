import type { EngineKind } from "../api/hot-standby-config.ts";
import { KEPT } from "./continuity.ts";
import { scanJsonObject } from "./json-scan.ts";

/** How an engine goes on from ids. */
export interface IdEngine {
  /**
   * Characters at the end of all that was said that it does not tell before the answer is over, because of a stop string of at most
   * `longest` characters: neither more nor fewer, so that it can be told which token's text was shown. null = it holds back as it likes.
   */
  readonly heldBack: ((longest: number, areStopsShown: boolean) => number) | null;
}

const VLLM: IdEngine = { heldBack: (longest, areStopsShown) => (areStopsShown ? 0 : longest - 1) };
const ID_ENGINES: Readonly<Record<EngineKind, IdEngine | null>> = { simulated: VLLM, vllm: VLLM, sglang: null, "llama.cpp": null };

/** How streams of an engine go on from ids; null = they do not: it does not name the ids of its tokens. */
export const idEngineOf = (engine: EngineKind): IdEngine | null => ID_ENGINES[engine];

export interface ContinueAsk {
  /** The client's body. */
  readonly body: Buffer;
  readonly upstreamModel: string;
  /** As text, `12,345`: what the engine said, digits and commas alone. */
  readonly promptIds: Buffer;
  readonly shownIds: Buffer;
  readonly shownTokens: number;
  /** Still to come at most. */
  readonly tokensLeft: number;
}

/**
 * The body of `POST /v1/completions` by which an engine goes on with an answer: prompt and answer so far as ids, so that no template
 * and no tokenizer comes between; limits less by what was shown; the same sampling.
 */
export function continueBody({ body, upstreamModel, promptIds, shownIds, shownTokens, tokensLeft }: ContinueAsk): Uint8Array {
  const scan = scanJsonObject(body);
  const fields = scan.ok ? scan.value.fields : new Map<string, never>();
  const parts: Uint8Array[] = [Buffer.from(`{"model":${JSON.stringify(upstreamModel)},"prompt":[`), promptIds];
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
