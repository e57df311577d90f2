import { Agent, request, type ClientRequest } from "node:http";
import { monotonicMs } from "../failover/monotonic.ts";

/** Tokens of one engine as its clients receive them: nothing that the engine or its account says goes in. */
export interface TokenMeter {
  /** Tokens a second over whole steps of that time: from the first burst in it to the last. null = fewer than two bursts. */
  ratePerSecond(fromMs: number, untilMs: number): number | null;
  /** Ends all clients. */
  stop(): void;
}

export interface Load {
  readonly endpoint: string;
  readonly model: string;
  readonly clientCount: number;
  readonly tokensEach: number;
}

/** Tokens of one step come together; two steps are further apart than this. */
const BURST_MS = 4;
const AGAIN_AFTER_MS = 50;

/** Clients that each ask again as soon as they are answered, so that the engine never waits for one. */
export function saturate(load: Load): TokenMeter {
  const meter = new Meter(load);
  meter.start();
  return meter;
}

class Meter implements TokenMeter {
  readonly #load: Load;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #open = new Set<ClientRequest>();
  readonly #arrivals: { readonly atMs: number; readonly tokens: number }[] = [];
  #isStopped = false;

  constructor(load: Load) {
    this.#load = load;
  }

  start(): void {
    for (let client = 0; client < this.#load.clientCount; client += 1) this.#ask(client);
  }

  ratePerSecond(fromMs: number, untilMs: number): number | null {
    return rateOf(
      this.#arrivals.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs),
      BURST_MS,
    );
  }

  stop(): void {
    this.#isStopped = true;
    for (const call of this.#open) call.destroy();
    this.#agent.destroy();
  }

  #ask(client: number): void {
    if (this.#isStopped) return;
    const { endpoint, model, tokensEach } = this.#load;
    const body = JSON.stringify({
      model,
      prompt: `The tide of ${client}`,
      max_tokens: tokensEach,
      ignore_eos: true,
      stream: true,
      return_token_ids: true,
    });
    const call = request(`${endpoint}/v1/completions`, {
      method: "POST",
      agent: this.#agent,
      headers: { "content-type": "application/json" },
    });
    this.#open.add(call);
    const again = (afterMs: number): void => {
      if (this.#open.delete(call)) setTimeout(() => this.#ask(client), afterMs).unref();
    };
    call.once("error", () => again(AGAIN_AFTER_MS));
    call.once("response", (response) => {
      response.setEncoding("utf8");
      let rest = "";
      response.on("data", (text: string) => {
        const frames = (rest + text).split("\n\n");
        rest = frames.pop() ?? "";
        const tokens = frames.reduce((sum, frame) => sum + tokensOf(frame), 0);
        if (tokens > 0) this.#arrivals.push({ atMs: monotonicMs(), tokens });
      });
      response.once("end", () => again(0));
      response.once("error", () => again(AGAIN_AFTER_MS));
    });
    call.end(body);
  }
}

/** Some tokens make no text yet, so frames are not counted. */
function tokensOf(frame: string): number {
  const ids = /"token_ids":\[([^\]]*)\]/.exec(frame)?.[1];
  return ids === undefined || ids === "" ? 0 : ids.split(",").length;
}

/** @param arrivals oldest first. */
export function rateOf(arrivals: readonly { readonly atMs: number; readonly tokens: number }[], burstMs: number): number | null {
  const bursts: { readonly atMs: number; tokens: number }[] = [];
  for (const { atMs, tokens } of arrivals) {
    const last = bursts.at(-1);
    if (last !== undefined && atMs - last.atMs <= burstMs) last.tokens += tokens;
    else bursts.push({ atMs, tokens });
  }
  const [first] = bursts;
  const last = bursts.at(-1);
  if (first === undefined || last === undefined || last.atMs === first.atMs) return null;
  const tokens = bursts.slice(1).reduce((sum, burst) => sum + burst.tokens, 0);
  return (tokens * 1_000) / (last.atMs - first.atMs);
}
