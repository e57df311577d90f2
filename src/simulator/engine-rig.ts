import { createSimulatedClock, type SimulatedClock } from "../adapters/clock/simulated.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { assert } from "../base/assert.ts";
import { GB } from "../base/bytes.ts";
import type { Clock } from "../ports/clock.ts";
import type { Exchange, ExchangeEvents } from "../ports/http-front.ts";
import type { GpuAccount } from "../ports/gpu-account.ts";
import { createEngine, type Engine } from "./engine-handler.ts";
import { ENGINE_DEFAULTS, type EngineOptions } from "./engine-options.ts";

/** What a client saw of one exchange with an engine. */
class RecordedExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly httpVersion = "1.1";
  readonly headers: readonly string[];
  readonly remoteAddress = "127.0.0.1";
  readonly arrivedAt: Exchange["arrivedAt"];
  status: number | null = null;
  answerHeaders: readonly string[] = [];
  /** One for each write. */
  readonly writes: string[] = [];
  isEnded = false;
  isAborted = false;
  /** false = the reader takes nothing more. */
  hasRoom = true;
  events: ExchangeEvents | null = null;

  constructor(
    asked: { readonly method: string; readonly target: string; readonly headers: readonly string[] },
    arrivedAt: Exchange["arrivedAt"],
  ) {
    this.method = asked.method;
    this.target = asked.target;
    this.headers = asked.headers;
    this.arrivedAt = arrivedAt;
  }

  pauseBody(): void {
    assert(!this.isEnded, "an ended exchange has no body");
  }
  resumeBody(): void {
    assert(!this.isEnded, "an ended exchange has no body");
  }
  head(status: number, headers: readonly string[]): void {
    assert(this.status === null, "one head");
    this.status = status;
    this.answerHeaders = headers;
  }
  write(given: Uint8Array): boolean {
    assert(this.status !== null && !this.isEnded && !this.isAborted, "writes lie between head and end");
    this.writes.push(new TextDecoder().decode(given));
    return this.hasRoom;
  }
  end(): void {
    assert(this.status !== null && !this.isEnded && !this.isAborted, "one end, after the head");
    this.isEnded = true;
  }
  abort(): void {
    assert(!this.isEnded, "an ended exchange cannot be cut");
    this.isAborted = true;
  }

  get text(): string {
    return this.writes.join("");
  }
  get isOpen(): boolean {
    return !this.isEnded && !this.isAborted;
  }
  /** The reader catches up. */
  drain(): void {
    this.hasRoom = true;
    this.events?.drained();
  }
  goAway(): void {
    this.events?.gone();
  }
}

/** One engine on a simulated clock, and everything that it told its process. */
export interface EngineRig {
  readonly clock: SimulatedClock;
  readonly engine: Engine;
  readonly crashes: string[];
  readonly unclaimed: number[];
  send(method: string, target: string, body?: unknown, headers?: readonly string[]): RecordedExchange;
  /** Sends, then lets time pass until the answer is over. */
  ask(method: string, target: string, body?: unknown): Promise<RecordedExchange>;
}

/** A small model, so that loads and wakes take 100 ms. */
const RIG_OPTIONS: EngineOptions = {
  ...ENGINE_DEFAULTS,
  model: "tide-8b",
  weightsBytes: 1 * GB,
  memoryBytesPerGpu: 4 * GB,
  load: { link: "disk", bytesPerSecond: 10 * GB },
  wakeBytesPerSecond: 10 * GB,
  areFaultsEnabled: true,
  isSleepEnabled: true,
};
const ANSWER_MS_MAX = 60_000;

/** What a rig may have other than an engine that stands alone. */
interface RigParts {
  readonly account?: GpuAccount;
  /** Its own when absent. */
  readonly clock?: SimulatedClock;
  /** How late every timer fires, as a function so that it can change. */
  readonly lateMs?: () => number;
}

export function createEngineRig(
  options: Partial<EngineOptions> = {},
  { account, clock = createSimulatedClock(), lateMs = () => 0 }: RigParts = {},
): EngineRig {
  const lateClock: Clock = { ...clock, after: (delayMs, fire) => clock.after(delayMs + lateMs(), fire) };
  const crashes: string[] = [];
  const unclaimed: number[] = [];
  const made = createEngine(
    { ...RIG_OPTIONS, ...options },
    { clock: lateClock, random: createSeededRandom(1), account: account ?? null },
    {
      crashed: (reason) => crashes.push(reason),
      gpuEnded: (reason) => crashes.push(reason),
      unclaimed: () => unclaimed.push(clock.monotonicMs()),
    },
  );
  assert(made.ok, "the rig's model fits its memory");
  const send: EngineRig["send"] = (method, target, body, headers = []) => {
    const exchange = new RecordedExchange({ method, target, headers }, clock.monotonicMs());
    const events = made.value.handler(exchange);
    exchange.events = events;
    if (body !== undefined) events.body(new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)));
    events.bodyEnd();
    return exchange;
  };
  return {
    clock,
    engine: made.value,
    crashes,
    unclaimed,
    send,
    ask: async (method, target, body) => {
      const exchange = send(method, target, body);
      for (let waitedMs = 0; exchange.isOpen && waitedMs < ANSWER_MS_MAX; waitedMs += 100) await clock.advance(100);
      return exchange;
    },
  };
}

/** An engine whose weights are in. */
export async function startEngineRig(options: Partial<EngineOptions> = {}, parts: RigParts = {}): Promise<EngineRig> {
  const rig = createEngineRig(options, parts);
  const started = rig.engine.start();
  await rig.clock.advance(1_000);
  assert((await started).ok, "the rig's engine starts");
  return rig;
}
