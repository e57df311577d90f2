import { connect, type Socket } from "node:net";
import Client from "undici/lib/dispatcher/client.js";
import type { EndpointAddress } from "../../api/route-table.ts";
import type { UndiciCall } from "./undici-call.ts";
import { ConnectTimeout } from "./undici-failure.ts";

export interface ConnectionLimits {
  readonly connectTimeoutMs: number;
  /** An unused connection closes after that. */
  readonly idleMs: number;
}

export interface ConnectionEvents {
  /** The call is over and the connection may take another one. */
  idle(connection: Connection): void;
  closed(connection: Connection): void;
}

const HEAD_BYTES_MAX = 64 * 1_024;

/** One undici client used as one connection, so that the socket under each call is known: it tells what was sent and why a call ended. */
export class Connection {
  readonly #client: Client;
  readonly #events: ConnectionEvents;
  #socket: Socket | null = null;
  #call: UndiciCall | null = null;
  #isClosed = false;

  constructor(to: EndpointAddress, limits: ConnectionLimits, events: ConnectionEvents) {
    this.#events = events;
    const authority = to.host.includes(":") ? `[${to.host}]:${to.port}` : `${to.host}:${to.port}`;
    this.#client = new Client(`http://${authority}`, {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: limits.idleMs,
      keepAliveMaxTimeout: limits.idleMs,
      maxHeaderSize: HEAD_BYTES_MAX,
      connect: (_options, callback) => {
        this.#socket = openSocket(to, limits.connectTimeoutMs, callback);
      },
    });
    this.#client.on("disconnect", () => {
      if (this.#call === null) this.close();
    });
  }

  take(call: UndiciCall): void {
    this.#call = call;
    call.runOn(this.#client, {
      socket: () => this.#socket,
      release: (isReusable) => {
        this.#call = null;
        if (isReusable && !this.#isClosed && !this.#client.destroyed) this.#events.idle(this);
        else this.close();
      },
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket?.destroy();
    void this.#client.destroy();
    this.#events.closed(this);
  }
}

type Connected = (...result: [error: null, socket: Socket] | [error: Error, socket: null]) => void;

function openSocket(to: EndpointAddress, timeoutMs: number, connected: Connected): Socket {
  const socket = connect({ host: to.host, port: to.port, noDelay: true });
  // undici's own connect timer counts in whole seconds.
  const timer = setTimeout(() => socket.destroy(new ConnectTimeout(`no answer to a connect within ${timeoutMs} ms`)), timeoutMs);
  const failed = (error: Error): void => {
    clearTimeout(timer);
    connected(error, null);
  };
  socket.once("error", failed);
  socket.once("close", () => clearTimeout(timer));
  socket.once("connect", () => {
    clearTimeout(timer);
    socket.off("error", failed);
    connected(null, socket);
  });
  return socket;
}
