import type { EndpointAddress } from "../api/route-table.ts";

export interface UpstreamRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Path and query, such as `/v1/chat/completions`. */
  readonly target: string;
  /** Raw pairs; `host`, `content-length` and `connection` are the adapter's. */
  readonly headers: readonly string[];
  /** Given; null = none. */
  readonly body: Uint8Array | null;
}

/**
 * REFUSED: the connect was answered by no. CONNECT_TIMEOUT: it was not answered, or could not be made here. RESET: RST. CUT: FIN before
 * the answer was complete. MALFORMED: not HTTP; with `sent: "none"` it was our own request that HTTP cannot carry.
 */
export interface CallFailure {
  readonly code: "REFUSED" | "CONNECT_TIMEOUT" | "RESET" | "CUT" | "MALFORMED";
  /** How much of the request had left: `none` is always safe to send elsewhere. */
  readonly sent: "none" | "some" | "all";
}

/** Nothing before `call()` returns; exactly one of `end` and `failed`, last; nothing after it or after `abort()`. */
export interface CallEvents {
  head(status: number, headers: readonly string[]): void;
  /** Lent: valid until return; copy what must be kept. */
  data(lent: Uint8Array): void;
  /** Complete by HTTP framing. Whether `[DONE]` came is the caller's affair. */
  end(): void;
  failed(failure: CallFailure): void;
}

export interface Call {
  /** What has been received already may still come. */
  pause(): void;
  /** Data comes later, never inside this call. */
  resume(): void;
  /** Closes the connection: the engine stops generating. Idempotent. */
  abort(): void;
}

/**
 * Calls to engines and attached servers; pools connections; never retries, follows no redirect, decodes no encoding.
 * Connect timeout 1 s. No timeout on the answer: judging silence is the caller's affair.
 */
export interface Upstream {
  call(to: EndpointAddress, request: UpstreamRequest, events: CallEvents): Call;
}
