import { isJsonObject, type JsonObject } from "../base/json.ts";
import { knowsAll, listed, numberOf, promptOf, renamed, saysNull, type ChunkTeller, type OwnSurface, type ToldAs } from "./own-surface.ts";
import { glanceSseEvent, parseSseJson } from "./parse-sse-event.ts";
import { isIds, toldChunk, toldEnd, type ToldToken } from "./told-chunk.ts";

const SAMPLING: ReadonlyMap<string, string> = new Map([
  ["temperature", "temperature"],
  ["top_p", "top_p"],
  ["top_k", "top_k"],
  ["min_p", "min_p"],
  ["seed", "sampling_seed"],
  ["repetition_penalty", "repetition_penalty"],
  ["ignore_eos", "ignore_eos"],
  ["stop_token_ids", "stop_token_ids"],
  ["skip_special_tokens", "skip_special_tokens"],
]);
/** Of a completion that names no limit, as OpenAI says; its own is another one. */
const TOKENS_UNASKED = 16;

/** SGLang's `POST /generate`: text or ids in, text and ids out. */
export const SGLANG_OWN: OwnSurface = {
  // What null is as a limit each of its versions takes in a way of its own: its OpenAI form is asked.
  mayAsk: (body) => knowsAll(body, SAMPLING) && promptOf(body) !== null && !saysNull(body, "max_tokens"),
  first: ({ body, maxTokens }) => {
    const prompt = promptOf(body);
    const asked = maxTokens ?? TOKENS_UNASKED;
    const input =
      prompt?.kind === "ids" ? listed('"input_ids":[', [prompt.bytes], "]") : listed('"text":', [prompt?.bytes ?? Buffer.from('""')], "");
    return { target: "/generate", body: generateBody(body, input, { mostTokens: asked, leastTokens: numberOf(body, "min_tokens") ?? 0 }) };
  },
  next: ({ body, promptIds, shownIds, shownTokens, tokensLeft }) => {
    const input = listed(
      '"input_ids":[',
      [promptIds ?? Buffer.alloc(0), shownIds].filter(({ length }) => length > 0),
      "]",
    );
    const leastTokens = (numberOf(body, "min_tokens") ?? 0) - shownTokens;
    return { target: "/generate", body: generateBody(body, input, { mostTokens: tokensLeft, leastTokens }) };
  },
  tellsPrompt: true,
  teller: (as) => new SglangTeller(as),
};

function generateBody(
  body: Buffer,
  input: Buffer,
  { mostTokens, leastTokens }: { readonly mostTokens: number; readonly leastTokens: number },
): Buffer {
  const limits = [Buffer.from(`"max_new_tokens":${mostTokens}`)];
  if (leastTokens > 0) limits.push(Buffer.from(`"min_new_tokens":${leastTokens}`));
  const sampling = listed('"sampling_params":{', [...limits, ...renamed(body, SAMPLING)], "}");
  return listed("{", [input, sampling, Buffer.from('"stream":true,"return_prompt_token_ids":true')], "}");
}

/**
 * Its events: `text` and `output_ids` of the whole answer so far, or of the last step where its incremental output is on;
 * `meta_info.completion_tokens` tells which. Errors come as events, and are handed on.
 */
class SglangTeller implements ChunkTeller {
  readonly #as: ToldAs;
  #text = "";
  #tokens = 0;
  #isPromptTold = false;
  #end: readonly Buffer[] = [];

  constructor(as: ToldAs) {
    this.#as = as;
  }

  tell(frame: Buffer): readonly Buffer[] {
    const { kind } = glanceSseEvent(frame);
    if (kind === "done") return this.#end.length === 0 ? [] : this.#end;
    if (kind !== "content" && kind !== "preamble") return [frame];
    const event = parseSseJson(frame);
    const token = event === null ? null : this.#read(event);
    return token === null ? [GARBAGE] : [toldChunk(this.#as, token)];
  }

  #read(event: JsonObject): ToldToken | null {
    const { text, output_ids: ids, meta_info: meta } = event;
    if (typeof text !== "string" || !isIds(ids) || !isJsonObject(meta)) return null;
    const { prompt_tokens: promptTokens, completion_tokens: completionTokens, finish_reason: reason } = meta;
    if (typeof completionTokens !== "number") return null;
    const isWhole = ids.length === completionTokens;
    // What was told before stands.
    if (isWhole && (!text.startsWith(this.#text) || ids.length < this.#tokens)) return null;
    const fresh = isWhole ? ids.slice(this.#tokens) : ids;
    const said = isWhole ? text.slice(this.#text.length) : text;
    this.#text = isWhole ? text : "";
    const isGap = this.#tokens + fresh.length !== completionTokens;
    this.#tokens = completionTokens;
    const finish = finishOf(reason);
    if (finish !== null && typeof promptTokens === "number")
      this.#end = toldEnd(this.#as, { prompt: promptTokens, output: completionTokens });
    return { text: said, ids: isGap ? null : fresh, promptIds: this.#promptIds(event, meta), finish };
  }

  #promptIds(event: JsonObject, meta: JsonObject): string | null {
    if (this.#isPromptTold) return null;
    this.#isPromptTold = true;
    const ids = event["prompt_token_ids"] ?? meta["prompt_token_ids"];
    if (isIds(ids)) return ids.join();
    const asked = promptOf(this.#as.body);
    return asked?.kind === "ids" ? asked.bytes.toString("latin1").replaceAll(/\s/g, "") : null;
  }
}

/**
 * Of text that ends within a character it tells what it calls printable: up to the last space, or up to the last character where that is one of
 * those that are written without spaces. What ends otherwise is all that its ids say.
 */
export const endsPrinted = (text: string): boolean => !/[ \p{Script=Han}]$/u.test(text);

const GARBAGE = Buffer.from("data: ?\n\n");

function finishOf(reason: unknown): ToldToken["finish"] {
  const type = isJsonObject(reason) ? reason["type"] : null;
  if (type === "length" || type === "abort") return type;
  return type === null || type === undefined ? null : "stop";
}
