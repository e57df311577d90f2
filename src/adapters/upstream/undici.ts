import type { EndpointAddress } from "../../api/route-table.ts";
import type { Call, CallEvents, Upstream, UpstreamRequest } from "../../ports/upstream.ts";
import { UndiciCall } from "./undici-call.ts";
import { Connection } from "./undici-connection.ts";

export interface UndiciUpstreamOptions {
  readonly connectTimeoutMs?: number;
  /** Connections to one address; calls above it wait for one, in order. */
  readonly connectionsMax?: number;
}

/**
 * Below the 5 s after which vLLM's and Node's servers close an idle connection: a request must not meet such a close on its way,
 * or a healthy engine would look dead.
 */
const IDLE_MS = 2_000;

/** A pool of HTTP/1.1 connections for each address, one call at a time on each; an address without connections is forgotten. */
export function createUndiciUpstream(options: UndiciUpstreamOptions = {}): Upstream {
  const { connectTimeoutMs = 1_000, connectionsMax = 1_024 } = options;
  const pools = new Map<string, AddressPool>();
  return {
    call: (to, request, events) => {
      const key = `${to.host} ${to.port}`;
      let pool = pools.get(key);
      if (pool === undefined) {
        pool = new AddressPool(to, { connectTimeoutMs, connectionsMax }, () => pools.delete(key));
        pools.set(key, pool);
      }
      return pool.call(request, events);
    },
  };
}

class AddressPool {
  readonly #to: EndpointAddress;
  readonly #limits: Required<UndiciUpstreamOptions>;
  readonly #whenEmpty: () => void;
  /** The connection used last is used next, so that surplus ones grow idle and go. */
  readonly #idle: Connection[] = [];
  readonly #waiting: UndiciCall[] = [];
  #connectionCount = 0;

  constructor(to: EndpointAddress, limits: Required<UndiciUpstreamOptions>, whenEmpty: () => void) {
    this.#to = to;
    this.#limits = limits;
    this.#whenEmpty = whenEmpty;
  }

  call(request: UpstreamRequest, events: CallEvents): Call {
    const call = new UndiciCall(request, events, (one) => this.#leaveQueue(one));
    const connection = this.#idle.pop() ?? this.#connect();
    if (connection === null) this.#waiting.push(call);
    else connection.take(call);
    return call;
  }

  #connect(): Connection | null {
    if (this.#connectionCount >= this.#limits.connectionsMax) return null;
    this.#connectionCount += 1;
    const limits = { connectTimeoutMs: this.#limits.connectTimeoutMs, idleMs: IDLE_MS };
    return new Connection(this.#to, limits, {
      idle: (connection) => this.#serveNext(connection),
      closed: (connection) => this.#closed(connection),
    });
  }

  #serveNext(connection: Connection): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(connection);
    else connection.take(next);
  }

  #closed(connection: Connection): void {
    this.#connectionCount -= 1;
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#connect()?.take(next);
    else if (this.#connectionCount === 0) this.#whenEmpty();
  }

  #leaveQueue(call: UndiciCall): void {
    const at = this.#waiting.indexOf(call);
    if (at >= 0) this.#waiting.splice(at, 1);
  }
}
