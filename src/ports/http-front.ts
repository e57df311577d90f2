import type { Result } from "../base/result.ts";
import type { MonotonicMs } from "../base/ids.ts";
import type { EndpointAddress } from "../api/route-table.ts";

/** Answers one exchange: called when its head has arrived, returns what to do with the rest. Must not throw. */
export type Handler = (exchange: Exchange) => ExchangeEvents;

/** One request and its answer. `head` once, then `write`s, then `end`; or `abort` at any time. After `gone` all calls do nothing. */
export interface Exchange {
  readonly method: string;
  /** As sent: not decoded, not normalised. */
  readonly target: string;
  readonly httpVersion: string;
  /** Raw pairs: name, value, name, value; names as sent. */
  readonly headers: readonly string[];
  readonly remoteAddress: string;
  readonly arrivedAt: MonotonicMs;
  pauseBody(): void;
  resumeBody(): void;
  /** Raw pairs. A `content-length` is the caller's affair; without one the answer is chunked. */
  head(status: number, headers: readonly string[]): void;
  /** The bytes are given: never changed afterwards. false = full until `drained()`. */
  write(given: Uint8Array): boolean;
  end(): void;
  /** Cuts the connection at once: the client sees a broken answer. */
  abort(): void;
}

/**
 * Never called inside the Handler call itself. Exactly one of `bodyEnd` or `gone` ends the body; `gone` may also come later.
 * After `end()` nothing comes but `gone`, after `abort()` nothing at all.
 */
export interface ExchangeEvents {
  /** The bytes are given: they may be kept. */
  body(given: Uint8Array): void;
  bodyEnd(): void;
  drained(): void;
  /** The client went away, or was cut for slowness; nothing comes after it. Not called after a complete `end()`. */
  gone(): void;
}

export type ListenError =
  | { readonly code: "ADDRESS_IN_USE"; readonly address: EndpointAddress }
  | { readonly code: "ADDRESS_REFUSED"; readonly address: EndpointAddress; readonly reason: string };

export interface Listener {
  /** The port is the real one, also where 0 was asked. */
  readonly address: EndpointAddress;
  /** Stops accepting, lets open exchanges end for `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}

/**
 * A hardened HTTP/1.1 server. It answers by itself, and closes: malformed requests 400, heads over the limit 431,
 * slow heads and bodies 408; it cuts a reader that takes no byte for the write-stall limit. Parsed requests all reach the handler.
 */
export interface HttpFront {
  listen(at: EndpointAddress, handler: Handler): Promise<Result<Listener, ListenError>>;
}
