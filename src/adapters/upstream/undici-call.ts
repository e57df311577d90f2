import type { Socket } from "node:net";
import type { Client, Dispatcher } from "undici";
import type { Call, CallEvents, CallFailure, UpstreamRequest } from "../../ports/upstream.ts";
import { connectFailure, callFailure, type FailureCode } from "./undici-failure.ts";

export interface CallGround {
  socket(): Socket | null;
  /** The call is over. */
  release(isReusable: boolean): void;
}

type Sent = CallFailure["sent"];

/** One call: undici's raw handler on one side, the port's events on the other. */
export class UndiciCall implements Call, Dispatcher.DispatchHandler {
  readonly #request: UpstreamRequest;
  readonly #events: CallEvents;
  readonly #leaveQueue: (call: UndiciCall) => void;
  #ground: CallGround | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #isOver = false;
  #isPaused = false;
  #sent: Sent = "none";

  constructor(request: UpstreamRequest, events: CallEvents, leaveQueue: (call: UndiciCall) => void) {
    this.#request = request;
    this.#events = events;
    this.#leaveQueue = leaveQueue;
  }

  runOn(client: Client, ground: CallGround): void {
    this.#ground = ground;
    const { method, target, headers, body } = this.#request;
    try {
      client.dispatch({ method, path: target, headers: withoutOwnHeaders(headers), body }, this);
    } catch (error) {
      this.onResponseError(null, error instanceof Error ? error : new Error(String(error)));
    }
  }

  pause(): void {
    this.#isPaused = true;
    if (!this.#isOver) this.#controller?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    // undici would call `data` before this returns: a caller in the middle of its own step must not be entered.
    queueMicrotask(() => {
      if (!this.#isOver && !this.#isPaused) this.#controller?.resume();
    });
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#ground === null) return this.#leaveQueue(this);
    this.#ground.release(false);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#sent = "some";
  }

  onRequestSent(): void {
    const socket = this.#ground?.socket() ?? null;
    // Written through to the system at once, or when the rest has drained; whatever the engine answers came after it.
    if (socket === null || socket.writableLength === 0) this.#sent = "all";
    else socket.once("drain", () => (this.#sent = "all"));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // 103 and its like say nothing about the answer.
    if (this.#isOver || status < 200) return;
    this.#sent = "all";
    this.#events.head(status, rawPairs(controller));
    if (this.#isPaused) controller.pause();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#events.data(chunk);
    if (this.#isPaused) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const socket = this.#ground?.socket() ?? null;
    // An answer framed by its connection's end is complete at a FIN only; undici takes a reset for one too.
    if (socket !== null && socket.errored !== null) return this.#fail(callFailure(socket.errored));
    this.#ground?.release(true);
    this.#events.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#fail(this.#sent === "none" ? connectFailure(error) : callFailure(this.#ground?.socket()?.errored ?? error));
  }

  #fail(code: FailureCode): void {
    const failure: CallFailure = { code, sent: this.#sent };
    this.#ground?.release(false);
    // undici may fail a request before `dispatch` returns.
    queueMicrotask(() => this.#events.failed(failure));
  }
}

/** The adapter's own headers would be refused or doubled. */
function withoutOwnHeaders(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? "";
    if (!OWN_HEADERS.has(name.toLowerCase())) kept.push(name, headers[at + 1] ?? "");
  }
  return kept;
}
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "connection",
  "transfer-encoding",
  "keep-alive",
  "upgrade",
  "expect",
]);

/** Names and values as sent; undici's own record would join and lower-case them. */
function rawPairs(controller: Dispatcher.DispatchController): readonly string[] {
  const raw = controller.rawHeaders;
  if (!Array.isArray(raw)) return [];
  return raw.map((item) => (typeof item === "string" ? item : item.toString("latin1")));
}
