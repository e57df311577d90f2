import { isJsonObject, type JsonObject } from "../base/json.ts";
import { knowsAll, listed, numberOf, promptOf, renamed, type ChunkTeller, type OwnSurface, type ToldAs } from "./own-surface.ts";
import { glanceSseEvent, parseSseJson } from "./parse-sse-event.ts";
import { isIds, toldChunk, toldEnd, type ToldToken } from "./told-chunk.ts";

const SAMPLING: ReadonlyMap<string, string> = new Map(
  ["temperature", "top_p", "top_k", "min_p", "seed", "ignore_eos", "logit_bias"].map((name) => [name, name]),
);
const MANY = -1;

/**
 * llama.cpp's `POST /completion`. A prompt may be text and ids after it: the text is tokenised as it was at first, and beginning-of-text
 * is added to it alone. So nobody needs to know the ids of the prompt.
 */
export const LLAMA_CPP_OWN: OwnSurface = {
  mayAsk: (body) => knowsAll(body, SAMPLING) && promptOf(body) !== null && numberOf(body, "min_tokens") === null,
  first: ({ body, maxTokens }) => {
    const prompt = promptOf(body);
    const given = prompt?.kind === "ids" ? listed("[", [prompt.bytes], "]") : (prompt?.bytes ?? Buffer.from('""'));
    return { target: "/completion", body: completionBody(body, given, maxTokens ?? MANY) };
  },
  next: ({ body, shownIds, tokensLeft }) => {
    const parts = [promptOf(body)?.bytes ?? Buffer.alloc(0), shownIds].filter(({ length }) => length > 0);
    return { target: "/completion", body: completionBody(body, listed("[", parts, "]"), Number.isFinite(tokensLeft) ? tokensLeft : MANY) };
  },
  tellsPrompt: false,
  teller: (as) => new LlamaCppTeller(as),
};

function completionBody(body: Buffer, prompt: Buffer, mostTokens: number): Buffer {
  const more = [`"n_predict":${mostTokens}`, '"stream":true', '"return_tokens":true'];
  // Its numbers depend on how much of a prompt is read at once: who asks for the same answer each time gets the prompt read whole.
  if (numberOf(body, "temperature") === 0 || numberOf(body, "seed") !== null) more.push('"cache_prompt":false');
  return listed("{", [listed('"prompt":', [prompt], ""), ...more.map((part) => Buffer.from(part)), ...renamed(body, SAMPLING)], "}");
}

/**
 * Its events: text and `tokens` of one step. Tokens that end within a character have no event of their own, and are named by none:
 * `tokens_predicted` tells of them.
 */
class LlamaCppTeller implements ChunkTeller {
  readonly #as: ToldAs;
  #tokens = 0;

  constructor(as: ToldAs) {
    this.#as = as;
  }

  tell(frame: Buffer): readonly Buffer[] {
    const { kind } = glanceSseEvent(frame);
    // It ends with its last event; what may follow is framing.
    if (kind === "done") return [];
    if (kind !== "content" && kind !== "preamble") return [frame];
    const event = parseSseJson(frame);
    return event === null ? [GARBAGE] : this.#read(event);
  }

  #read(event: JsonObject): readonly Buffer[] {
    const { content: text, tokens, tokens_predicted: made, tokens_evaluated: read, stop } = event;
    if (isJsonObject(event["prompt_progress"])) return [];
    if (typeof text !== "string" || !isIds(tokens) || typeof made !== "number" || typeof read !== "number") return [GARBAGE];
    const isWhole = this.#tokens + tokens.length === made;
    this.#tokens = made;
    const finish = stop === true ? finishOf(event) : null;
    // The last event names none: what it has told before is all.
    const ids = isWhole ? tokens : null;
    const chunk = toldChunk(this.#as, { text, ids, promptIds: null, finish });
    return finish === null ? [chunk] : [chunk, ...toldEnd(this.#as, { prompt: read, output: made })];
  }
}

const GARBAGE = Buffer.from("data: ?\n\n");

/** `none`: it was stopped from outside. */
function finishOf({ stop_type: type }: JsonObject): ToldToken["finish"] {
  if (type === "limit") return "length";
  return type === "none" ? "abort" : "stop";
}
