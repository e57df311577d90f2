import type { SimulatedClock } from "../adapters/clock/simulated.ts";
import type { Timer } from "../ports/clock.ts";
import type { Call, CallEvents, CallFailure, UpstreamRequest } from "../ports/upstream.ts";

/** How the engine meets calls. */
export type EngineMode =
  | "well"
  /** Its port is closed. */
  | "dead"
  /** SIGSTOP: connections open, nothing is answered. */
  | "stopped"
  /** Health and metrics answer, no step is made. */
  | "hung";

interface OpenCall {
  readonly request: UpstreamRequest;
  readonly events: CallEvents;
  timer: Timer | null;
  isOver: boolean;
  isPaused: boolean;
  tokens: number;
  /** What it would do now, were the engine not stopped or hung. */
  waiting: (() => void) | null;
}

/** A small engine for tests of the gateway: streams `tokenCount` numbered tokens, one each `gapMs`, or answers in one piece. */
export class ScriptedEngine {
  readonly #clock: SimulatedClock;
  readonly #open = new Set<OpenCall>();
  mode: EngineMode = "well";
  tokenCount = 5;
  gapMs = 20;
  prefillMs = 50;
  steps = 0;
  /** Answers instead of work. */
  status = 200;
  /** How long it thinks before it says that. */
  statusAfterMs = 0;
  errorBody = '{"error":{"message":"secret 0x7ffd","code":null}}';
  /** Ends a stream after so many tokens, in this way. */
  breakAfter: { readonly tokens: number; readonly how: "reset" | "end" | "half-frame" | "garbage" | "error-event" | "stall" } | null = null;
  /** It dies so long after it began a request whose body holds this text. */
  diesOf: { readonly text: string; readonly afterMs: number } | null = null;
  readonly requests: UpstreamRequest[] = [];
  aborts = 0;
  pauses = 0;
  isLosingProbes = false;
  /** Questions for its metrics alone find no answer. */
  isLosingMetrics = false;
  isAsleep = false;
  /** How long a wake takes. */
  wakeMs = 300;
  wakes = 0;
  knownAnswer = "tide";
  /** Requests for work that came while it slept; each kills it, as it does a real engine. */
  workWhileAsleep = 0;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  /** Requests for work, without probes, wakes and known answers. */
  get work(): readonly UpstreamRequest[] {
    return this.requests.filter((request) => request.method === "POST" && !isWake(request) && !asksKnownAnswer(request));
  }
  get openCount(): number {
    return [...this.#open].filter((call) => call.request.method === "POST").length;
  }

  call(request: UpstreamRequest, events: CallEvents): Call {
    const call: OpenCall = { request, events, timer: null, isOver: false, isPaused: false, tokens: 0, waiting: null };
    this.requests.push(request);
    this.#open.add(call);
    call.timer = this.#clock.after(0, () => this.#meet(call));
    return {
      pause: () => {
        this.pauses += 1;
        call.isPaused = true;
      },
      resume: () => {
        if (!call.isPaused) return;
        call.isPaused = false;
        call.timer = this.#clock.after(0, () => this.#token(call));
      },
      abort: () => {
        if (call.isOver) return;
        if (request.method === "POST") this.aborts += 1;
        this.#close(call);
      },
    };
  }

  /** SIGKILL: every socket is reset, the port is closed. */
  kill(): void {
    this.mode = "dead";
    for (const call of Array.from(this.#open)) this.#fail(call, { code: "RESET", sent: "all" });
  }

  stop(): void {
    this.mode = "stopped";
  }

  /** SIGCONT, or the end of a hang: what waited goes on. */
  goOn(): void {
    this.mode = "well";
    for (const call of Array.from(this.#open)) {
      const { waiting } = call;
      call.waiting = null;
      waiting?.();
    }
  }

  #meet(call: OpenCall): void {
    if (call.isOver || this.#mustWait(call, ["stopped"], () => this.#meet(call))) return;
    if (this.mode === "dead") return this.#fail(call, { code: "REFUSED", sent: "none" });
    if (call.request.target === "/is_sleeping") return this.#whole(call, 200, JSON.stringify({ is_sleeping: this.isAsleep }));
    if (call.request.method === "GET") return this.#isLost(call) ? undefined : this.#page(call);
    if (this.#mustWait(call, ["hung"], () => this.#meet(call))) return;
    if (isWake(call.request)) return this.#wake(call);
    if (this.isAsleep) {
      this.workWhileAsleep += 1;
      return this.kill();
    }
    if (asksKnownAnswer(call.request)) return this.#whole(call, 200, JSON.stringify({ choices: [{ text: this.knownAnswer }] }));
    if (this.status !== 200) return this.#say(call, this.status);
    const { diesOf } = this;
    if (diesOf !== null && Buffer.from(call.request.body ?? []).includes(diesOf.text)) {
      this.#clock.after(diesOf.afterMs, () => (call.isOver ? undefined : this.kill()));
    }
    const isStream = Buffer.from(call.request.body ?? []).includes('"stream":true');
    call.timer = this.#clock.after(isStream ? this.prefillMs : this.prefillMs + this.gapMs * this.tokenCount, () => {
      if (isStream) this.#begin(call);
      else this.#answer(call);
    });
  }

  #say(call: OpenCall, status: number): void {
    if (this.statusAfterMs === 0) return this.#whole(call, status, this.errorBody);
    call.timer = this.#clock.after(this.statusAfterMs, () => this.#whole(call, status, this.errorBody));
  }

  #isLost({ request }: OpenCall): boolean {
    return this.isLosingProbes || (this.isLosingMetrics && request.target === "/metrics");
  }

  #wake(call: OpenCall): void {
    this.wakes += 1;
    call.timer = this.#clock.after(this.wakeMs, () => {
      if (this.mode !== "well" || call.isOver) return;
      this.isAsleep = false;
      this.#whole(call, 200, "{}");
    });
  }

  #answer(call: OpenCall): void {
    if (call.isOver || this.#mustWait(call, ["stopped", "hung"], () => this.#answer(call))) return;
    this.#whole(call, 200, ANSWER);
  }

  #mustWait(call: OpenCall, modes: readonly EngineMode[], until: () => void): boolean {
    if (!modes.includes(this.mode)) return false;
    call.waiting = until;
    return true;
  }

  #page(call: OpenCall): void {
    const running = this.openCount;
    this.#whole(
      call,
      200,
      `vllm:iteration_tokens_total_count ${this.steps}\nvllm:num_requests_running ${running}\nvllm:num_requests_waiting 0\n`,
    );
  }

  #begin(call: OpenCall): void {
    if (call.isOver || this.#mustWait(call, ["stopped", "hung"], () => this.#begin(call))) return;
    call.events.head(200, ["content-type", "text/event-stream"]);
    this.#data(call, `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n`);
    this.#token(call);
  }

  #token(call: OpenCall): void {
    if (call.isOver || call.isPaused || this.#mustWait(call, ["stopped", "hung"], () => this.#token(call))) return;
    this.steps += 1;
    if (call.tokens === this.breakAfter?.tokens) return this.#break(call, this.breakAfter.how);
    if (call.tokens >= this.tokenCount) {
      this.#data(call, "data: [DONE]\n\n");
      return this.#end(call);
    }
    this.#data(call, `data: {"choices":[{"index":0,"delta":{"content":"t${call.tokens} "}}]}\n\n`);
    call.tokens += 1;
    call.timer = this.#clock.after(this.gapMs, () => this.#token(call));
  }

  #break(call: OpenCall, how: "reset" | "end" | "half-frame" | "garbage" | "error-event" | "stall"): void {
    switch (how) {
      case "reset":
        return this.#fail(call, { code: "RESET", sent: "all" });
      case "end":
        return this.#end(call);
      case "half-frame":
        this.#data(call, 'data: {"choices":[{"index":0,"delta":{"cont');
        return this.#fail(call, { code: "CUT", sent: "all" });
      case "garbage":
        return this.#data(call, "data: \u0001\u0002 nothing\n\n");
      case "error-event":
        return this.#data(call, 'data: {"error":{"message":"secret 0x7ffd"}}\n\n');
      case "stall":
        call.timer = this.#clock.after(this.gapMs, () => this.#stepOn(call));
    }
  }

  /** The stream is lost, but its engine works on. */
  #stepOn(call: OpenCall): void {
    if (call.isOver) return;
    this.steps += 1;
    call.timer = this.#clock.after(this.gapMs, () => this.#stepOn(call));
  }

  #whole(call: OpenCall, status: number, body: string): void {
    if (call.request.method === "POST") this.steps += 1;
    call.events.head(status, ["content-type", "application/json"]);
    this.#data(call, body);
    this.#end(call);
  }

  /** The bytes are lent: overwritten afterwards, so that a gateway that keeps them fails its test. */
  #data(call: OpenCall, text: string): void {
    if (call.isOver) return;
    const lent = Buffer.from(text);
    call.events.data(lent);
    lent.fill(0x21);
  }

  #end(call: OpenCall): void {
    if (call.isOver) return;
    this.#close(call);
    call.events.end();
  }

  #fail(call: OpenCall, failure: CallFailure): void {
    if (call.isOver) return;
    this.#close(call);
    call.events.failed(failure);
  }

  #close(call: OpenCall): void {
    call.isOver = true;
    call.timer?.cancel();
    this.#open.delete(call);
  }
}

const ANSWER =
  '{"choices":[{"index":0,"message":{"role":"assistant","content":"whole"}}],"usage":{"prompt_tokens":3,"completion_tokens":5}}';

const isWake = (request: UpstreamRequest): boolean => request.target === "/wake_up";
const asksKnownAnswer = (request: UpstreamRequest): boolean => Buffer.from(request.body ?? []).includes('"prompt":"The tide');
