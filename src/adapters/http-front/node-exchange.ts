import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { monotonicMs, type MonotonicMs } from "../../base/ids.ts";
import type { Exchange, ExchangeEvents, Handler } from "../../ports/http-front.ts";

/** One client connection; several exchanges when the client sends requests ahead of their answers. */
export interface Connection {
  readonly socket: Socket;
  readonly exchanges: Set<NodeExchange>;
  /** The front answers by itself: no request on this connection reaches a handler any more. */
  isRefused: boolean;
  /** Answered before the request's body was all there: the rest is thrown away until then. */
  lingerUntilMs: number | null;
}

/** How long a client may go on sending after its answer: closing at once would destroy the answer on its way. */
const LINGER_MS = 1_000;
/** A larger write goes out in pieces, so that progress inside it can be seen. */
const WRITE_PIECE_BYTES = 64 * 1_024;

/** One request of node:http as the port's Exchange. */
export class NodeExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly headers: readonly string[];
  readonly remoteAddress: string;
  readonly arrivedAt: MonotonicMs;
  readonly #connection: Connection;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #events: ExchangeEvents = SILENT;
  #isOver = false;
  #isBodyComplete = false;
  #hasEnded = false;
  #hasFinished = false;
  #hasWritten = false;
  #givenBytes = 0;
  #takenBytesSeen = 0;
  #takenSinceMs = 0;

  constructor(connection: Connection, request: IncomingMessage, response: ServerResponse) {
    this.#connection = connection;
    this.#request = request;
    this.#response = response;
    this.method = request.method ?? "";
    this.target = request.url ?? "";
    this.httpVersion = request.httpVersion;
    this.headers = request.rawHeaders;
    this.remoteAddress = connection.socket.remoteAddress ?? "";
    this.arrivedAt = monotonicMs(performance.now());
  }

  start(handler: Handler): void {
    this.#connection.exchanges.add(this);
    this.#events = handler(this);
    // A chunk of node:http is a slice of its own read buffer, which is never written again: it may be kept as it is.
    this.#request.on("data", (chunk: Uint8Array) => {
      if (!this.#isOver && !this.#hasEnded) this.#events.body(chunk);
    });
    this.#request.on("end", () => {
      this.#isBodyComplete = true;
      // The client sent the rest in time: its connection may serve the next request, as its answer's head said.
      if (this.#hasFinished) this.#connection.lingerUntilMs = null;
      if (!this.#isOver && !this.#hasEnded) this.#events.bodyEnd();
    });
    this.#response.on("drain", () => {
      if (!this.#isOver && !this.#hasEnded) this.#events.drained();
    });
    this.#response.on("finish", () => this.#finished());
  }

  pauseBody(): void {
    if (!this.#isOver) this.#request.pause();
  }

  resumeBody(): void {
    if (!this.#isOver) this.#request.resume();
  }

  head(status: number, headers: readonly string[]): void {
    if (this.#isOver) return;
    this.#response.writeHead(status, [...headers]);
    // Head and first bytes belong into one packet; a head that nothing follows at once goes alone.
    queueMicrotask(() => {
      if (!this.#isOver && !this.#hasWritten) this.#response.flushHeaders();
    });
  }

  write(given: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#hasWritten = true;
    this.#givenBytes += given.byteLength;
    if (given.byteLength <= WRITE_PIECE_BYTES) return this.#response.write(given);
    let hasRoom = true;
    for (let from = 0; from < given.byteLength; from += WRITE_PIECE_BYTES) {
      hasRoom = this.#response.write(given.subarray(from, from + WRITE_PIECE_BYTES));
    }
    return hasRoom;
  }

  end(): void {
    if (this.#isOver) return;
    this.#hasWritten = true;
    this.#hasEnded = true;
    this.#response.end();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // An answer without framing ends with its connection: only a reset tells the client that this one did not.
    if (this.httpVersion === "1.0") this.#connection.socket.resetAndDestroy();
    else this.#connection.socket.destroy();
  }

  /** true = bytes of the answer may be out. */
  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  /** Its answer says that the connection closes, if it has not said anything yet. */
  closeIfUnbegun(): void {
    if (!this.#response.headersSent) this.#response.shouldKeepAlive = false;
  }

  /** The listener closes: this connection serves no further request. */
  closeAfterwards(): void {
    this.closeIfUnbegun();
    this.#response.once("finish", () => this.#connection.socket.end());
  }

  connectionClosed(): void {
    this.#connection.exchanges.delete(this);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.gone();
  }

  /** Called now and then; true when bytes wait and none was taken for `limitMs`. */
  isStalled(nowMs: number, limitMs: number): boolean {
    const waitingBytes = this.#response.writableLength;
    const takenBytes = this.#givenBytes - waitingBytes;
    if (waitingBytes === 0 || takenBytes !== this.#takenBytesSeen || this.#takenSinceMs === 0) {
      this.#takenBytesSeen = takenBytes;
      this.#takenSinceMs = nowMs;
      return false;
    }
    return nowMs - this.#takenSinceMs >= limitMs;
  }

  /** All bytes of the answer have been handed to the system. */
  #finished(): void {
    this.#connection.exchanges.delete(this);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#hasFinished = true;
    if (this.#isBodyComplete) return;
    this.#connection.lingerUntilMs = performance.now() + LINGER_MS;
    this.#request.resume();
  }
}

const SILENT: ExchangeEvents = { body: () => {}, bodyEnd: () => {}, drained: () => {}, gone: () => {} };
