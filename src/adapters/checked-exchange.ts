import { assert } from "../base/assert.ts";
import { copyOf } from "../base/bytes.ts";
import type { Exchange, ExchangeEvents, Handler, HttpFront } from "../ports/http-front.ts";
import type { Call, CallEvents, Upstream } from "../ports/upstream.ts";

/** The same handler, with the order of calls asserted on both sides: what the handler calls and what the front tells it. */
export const checkedHandler =
  (handler: Handler): Handler =>
  (exchange) => {
    const checked = new CheckedExchange(exchange);
    return checked.events(handler(checked));
  };

/** The same front, every handler checked. */
export const checkedFront = (front: HttpFront): HttpFront => ({ listen: (at, handler) => front.listen(at, checkedHandler(handler)) });

/** Pieces whose bytes are still looked after. */
const GIVEN_MAX = 4;

class CheckedExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly headers: readonly string[];
  readonly remoteAddress: string;
  readonly arrivedAt: Exchange["arrivedAt"];
  readonly #exchange: Exchange;
  readonly #given: { readonly bytes: Uint8Array; readonly copy: Uint8Array }[] = [];
  #isInsideHandler = true;
  #hasHead = false;
  #hasEnded = false;
  #isAborted = false;
  #isGone = false;
  #isBodyOver = false;
  #isFull = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.method = exchange.method;
    this.target = exchange.target;
    this.httpVersion = exchange.httpVersion;
    this.headers = exchange.headers;
    this.remoteAddress = exchange.remoteAddress;
    this.arrivedAt = exchange.arrivedAt;
  }

  pauseBody(): void {
    this.#exchange.pauseBody();
  }

  resumeBody(): void {
    this.#exchange.resumeBody();
  }

  head(status: number, headers: readonly string[]): void {
    this.#checkOpen("head");
    assert(this.#isOver || !this.#hasHead, "a handler sends one head");
    assert(status >= 200 && status <= 599 && headers.length % 2 === 0, "a head has a final status and pairs of headers");
    this.#hasHead = true;
    this.#exchange.head(status, headers);
  }

  write(given: Uint8Array): boolean {
    this.#checkOpen("write");
    assert(this.#isOver || this.#hasHead, "a handler writes after its head");
    checkKept(this.#given.at(-1));
    this.#given.push({ bytes: given, copy: copyOf(given) });
    if (this.#given.length > GIVEN_MAX) checkKept(this.#given.shift());
    const hasRoom = this.#exchange.write(given);
    if (!hasRoom) this.#isFull = true;
    return hasRoom;
  }

  end(): void {
    this.#checkOpen("end");
    assert(this.#isOver || this.#hasHead, "a handler ends after its head");
    for (const kept of this.#given.splice(0)) checkKept(kept);
    this.#hasEnded = true;
    this.#exchange.end();
  }

  abort(): void {
    this.#isAborted = true;
    this.#exchange.abort();
  }

  events(of: ExchangeEvents): ExchangeEvents {
    this.#isInsideHandler = false;
    return {
      body: (given) => {
        this.#checkEvent("body");
        assert(!this.#isBodyOver && given.byteLength > 0, "a body has bytes, and none after its end");
        of.body(given);
      },
      bodyEnd: () => {
        this.#checkEvent("bodyEnd");
        assert(!this.#isBodyOver, "a body ends once");
        this.#isBodyOver = true;
        of.bodyEnd();
      },
      drained: () => {
        this.#checkEvent("drained");
        assert(this.#isFull, "only a full answer drains");
        this.#isFull = false;
        of.drained();
      },
      gone: () => {
        assert(
          !this.#isGone && !this.#isAborted && !this.#isInsideHandler,
          "a client goes once, later, and not when the handler has aborted",
        );
        this.#isGone = true;
        of.gone();
      },
    };
  }

  get #isOver(): boolean {
    return this.#isGone || this.#isAborted;
  }

  #checkOpen(call: string): void {
    assert(this.#isOver || !this.#hasEnded, `a handler calls no ${call} after its end`);
  }

  #checkEvent(event: string): void {
    assert(!this.#isInsideHandler && !this.#isOver && !this.#hasEnded, `no ${event} comes inside the handler's call or after the end`);
  }
}

/** The same upstream, with the order of events and calls asserted. */
export const checkedUpstream = (upstream: Upstream): Upstream => ({
  call: (to, request, events) => {
    const checked = new CheckedCall(events);
    assert(request.headers.length % 2 === 0 && request.target.startsWith("/"), "a request has a path and pairs of headers");
    return checked.call(upstream.call(to, request, checked));
  },
});

class CheckedCall implements CallEvents {
  readonly #events: CallEvents;
  #isInsideCall = true;
  #hasHead = false;
  #isOver = false;

  constructor(events: CallEvents) {
    this.#events = events;
  }

  call(call: Call): Call {
    this.#isInsideCall = false;
    return {
      pause: () => call.pause(),
      resume: () => call.resume(),
      abort: () => {
        this.#isOver = true;
        call.abort();
      },
    };
  }

  head(status: number, headers: readonly string[]): void {
    this.#check("head");
    assert(!this.#hasHead && headers.length % 2 === 0, "an answer has one head, with pairs of headers");
    this.#hasHead = true;
    this.#events.head(status, headers);
  }

  data(lent: Uint8Array): void {
    this.#check("data");
    assert(this.#hasHead && lent.byteLength > 0, "data has bytes and comes after the head");
    this.#events.data(lent);
  }

  end(): void {
    this.#check("end");
    assert(this.#hasHead, "an answer ends after its head");
    this.#isOver = true;
    this.#events.end();
  }

  failed(failure: Parameters<CallEvents["failed"]>[0]): void {
    this.#check("failed");
    this.#isOver = true;
    this.#events.failed(failure);
  }

  #check(event: string): void {
    assert(!this.#isInsideCall && !this.#isOver, `no ${event} comes inside call() or after the end`);
  }
}

/** What was given may be on its way for long: whoever changes it corrupts an answer. Looked at with the next piece, and some pieces later or at the end. */
function checkKept(given: { readonly bytes: Uint8Array; readonly copy: Uint8Array } | undefined): void {
  assert(given === undefined || equalBytes(given.bytes, given.copy), "given bytes are never changed");
}

const equalBytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;
