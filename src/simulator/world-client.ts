import { encodeText } from "../base/bytes.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Random } from "../ports/random.ts";
import type { Call, Upstream } from "../ports/upstream.ts";

/** How a request ended, as its client saw it. `broken` must never happen: no answer, or one that stops without a word. `left`: the client went away. */
export type Outcome = "open" | "complete" | "refused" | "error-event" | "broken" | "left";

/** One request of the load, counted by its client alone. */
export interface WorldRequest {
  readonly id: number;
  readonly ask: string;
  readonly prompt: string;
  readonly tokensMax: number;
  readonly isStream: boolean;
  readonly startedAtMs: number;
  firstByteAtMs: number | null;
  endedAtMs: number | null;
  outcome: Outcome;
  /** The answer's text, joined. */
  text: string;
  /** The rung that served it; null = the gateway answered itself, or nothing came. */
  servedFrom: string | null;
  /** Of a refusal: in how many seconds to come again; null = it was not said. */
  retryAfter: string | null;
  /** What engines called their answers: more than one = the answer was put together. */
  answerIds: readonly string[];
}

export interface WorldClientPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly upstream: Upstream;
  readonly log: EventLog;
}

export interface WorldLoad {
  readonly gateway: EndpointAddress;
  readonly key: string;
  readonly model: string;
  readonly requestsPerSecond: number;
  /** Drawn from for each request; without them: short and few. */
  readonly prompts?: readonly string[];
  readonly tokensMax?: readonly number[];
}

const STREAM_RATIO = 0.6;
/** Few prompts, asked again and again: equal questions must get equal answers. */
const PROMPTS = ["Tell of the tide.", "Count the waves.", "Why is the sea salt?", "Name a harbour.", "How deep is it?"];
const TOKENS_MAX = [8, 16, 48];

/** An open-loop client: requests start by chance, whether or not earlier ones have ended. */
export class WorldClient {
  readonly requests: WorldRequest[] = [];
  readonly #ports: WorldClientPorts;
  readonly #load: WorldLoad;
  readonly #open = new Map<WorldRequest, { readonly call: Call; readonly received: () => string }>();
  readonly #texts = new KeptTexts();
  #isRunning = true;
  #openCount = 0;

  constructor(ports: WorldClientPorts, load: WorldLoad) {
    this.#ports = ports;
    this.#load = load;
    this.#scheduleNext();
  }

  /** No further request; those that are open go on. */
  stop(): void {
    this.#isRunning = false;
  }

  get openRequests(): readonly WorldRequest[] {
    return this.requests.filter((request) => request.outcome === "open");
  }
  get openCount(): number {
    return this.#openCount;
  }

  /** Goes away from the first `count` of its open requests; no answer to them is read any more. */
  leave(count: number): void {
    for (const request of this.openRequests.slice(0, count)) {
      const open = this.#open.get(request);
      open?.call.abort();
      this.#over(request, "left", open?.received() ?? "");
    }
  }

  #scheduleNext(): void {
    const { clock, random } = this.#ports;
    const gapMs = (-Math.log(1 - random.next()) * 1_000) / this.#load.requestsPerSecond;
    clock.after(gapMs, () => {
      if (!this.#isRunning) return;
      this.#send();
      this.#scheduleNext();
    });
  }

  #send(): void {
    const { clock, random, upstream } = this.#ports;
    const prompt = pick(this.#load.prompts ?? PROMPTS, random);
    const tokensMax = pick(this.#load.tokensMax ?? TOKENS_MAX, random);
    const isStream = random.next() < STREAM_RATIO;
    const request: WorldRequest = {
      id: this.requests.length + 1,
      ask: this.#texts.keep(`${prompt} ${tokensMax}`),
      prompt,
      tokensMax,
      isStream,
      startedAtMs: clock.monotonicMs(),
      firstByteAtMs: null,
      endedAtMs: null,
      outcome: "open",
      text: "",
      servedFrom: null,
      retryAfter: null,
      answerIds: [],
    };
    this.requests.push(request);
    this.#openCount += 1;
    const { model, key, gateway } = this.#load;
    const body = { model, stream: isStream, max_tokens: tokensMax, temperature: 0, messages: [{ role: "user", content: prompt }] };
    const headers = ["authorization", `Bearer ${key}`, "content-type", "application/json"];
    const answer = new ReceivedText();
    const received = (): string => answer.text();
    let status = 0;
    const call = upstream.call(
      gateway,
      { method: "POST", target: "/v1/chat/completions", headers, body: encodeText(JSON.stringify(body)) },
      {
        head: (answered, sentHeaders) => {
          status = answered;
          request.servedFrom = headerOf(sentHeaders, "x-tidegate-level");
          request.retryAfter = headerOf(sentHeaders, "retry-after");
        },
        data: (lent) => {
          request.firstByteAtMs ??= clock.monotonicMs();
          answer.add(lent);
        },
        end: () => {
          const text = received();
          this.#over(request, outcomeOf(request, status, text), text);
        },
        failed: () => this.#over(request, "broken", received()),
      },
    );
    this.#open.set(request, { call, received });
  }

  #over(request: WorldRequest, outcome: Outcome, received: string): void {
    this.#openCount -= 1;
    request.outcome = outcome;
    request.endedAtMs = this.#ports.clock.monotonicMs();
    request.text = this.#texts.keep(contentOf(received));
    request.answerIds = answerIdsOf(received);
    this.#open.delete(request);
    const { id, startedAtMs, endedAtMs, text } = request;
    const tookMs = endedAtMs - startedAtMs;
    this.#ports.log.record({ level: "info", event: "client.over", fields: { atMs: endedAtMs, request: id, outcome, tookMs, text } });
  }
}

/** Texts that many requests share, each kept once: worlds run for hours, and what is cut from an answer would keep the whole of it. */
class KeptTexts {
  readonly #kept = new Map<string, string>();

  keep(text: string): string {
    const known = this.#kept.get(text);
    if (known !== undefined) return known;
    const own = ownText(text);
    this.#kept.set(own, own);
    return own;
  }
}

/** The same text with bytes of its own. */
const ownText = (text: string): string => Buffer.from(text).toString();

/** What has come so far, one piece after the other in one place. */
class ReceivedText {
  #place = Buffer.allocUnsafe(2_048);
  #end = 0;

  add(lent: Uint8Array): void {
    if (this.#end + lent.length > this.#place.length) {
      const place = Buffer.allocUnsafe(2 * (this.#end + lent.length));
      place.set(this.#place.subarray(0, this.#end));
      this.#place = place;
    }
    this.#place.set(lent, this.#end);
    this.#end += lent.length;
  }

  text(): string {
    return this.#place.toString("utf8", 0, this.#end);
  }
}

function outcomeOf(request: WorldRequest, status: number, received: string): Outcome {
  if (status !== 200) return received.includes('"error"') ? "refused" : "broken";
  if (!request.isStream) return "complete";
  if (received.endsWith("data: [DONE]\n\n") && !received.includes('"error"')) return "complete";
  return received.includes('data: {"error"') ? "error-event" : "broken";
}

const CONTENT = '"content":"';
const ANSWER_ID = '"id":"chatcmpl-';

/** The pieces of `content` as they stand in the JSON, escaped: enough to compare. */
function contentOf(received: string): string {
  let text = "";
  for (let at = received.indexOf(CONTENT); at >= 0; at = received.indexOf(CONTENT, at)) {
    const from = at + CONTENT.length;
    const to = endOfText(received, from);
    if (to === null) break;
    text += received.slice(from, to);
    at = to + 1;
  }
  return text;
}

/** Where the quote is that ends a JSON text; null = it does not end. */
function endOfText(received: string, from: number): number | null {
  for (let at = from; at < received.length; at += 1) {
    const code = received.charCodeAt(at);
    if (code === 0x22) return at;
    if (code === 0x5c) at += 1;
  }
  return null;
}

function answerIdsOf(received: string): readonly string[] {
  const ids = new Set<string>();
  for (let at = received.indexOf(ANSWER_ID); at >= 0; at = received.indexOf(ANSWER_ID, at + ANSWER_ID.length)) {
    const to = received.indexOf('"', at + ANSWER_ID.length);
    if (to > at + ANSWER_ID.length) ids.add(ownText(received.slice(at + '"id":"'.length, to)));
  }
  return [...ids];
}

/** Raw pairs of name and value. */
function headerOf(headers: readonly string[], name: string): string | null {
  const at = headers.findIndex((header, index) => index % 2 === 0 && header.toLowerCase() === name);
  return at < 0 ? null : (headers[at + 1] ?? null);
}

const pick = <Item>(items: readonly [Item, ...Item[]] | readonly Item[], random: Random): Item => {
  const item = items[Math.floor(random.next() * items.length)];
  if (item === undefined) throw new Error("Broken assumption: there is something to pick.");
  return item;
};
