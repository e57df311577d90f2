import { HttpConnection, type AnswerEvents, type HttpServerPlace } from "./http-connection.ts";
import { monotonicMs } from "./monotonic.ts";

/** Shorter than any server's keep-alive: a request never meets a connection that its server is just closing. */
const IDLE_MAX_MS = 2_000;

export class HttpPool {
  readonly #place: HttpServerPlace;
  readonly #keepsAlive: boolean;
  readonly #idle: HttpConnection[] = [];

  /** @param how false = every request has a connection of its own. */
  constructor(place: HttpServerPlace, how: { readonly keepsAlive: boolean } = { keepsAlive: true }) {
    this.#place = place;
    this.#keepsAlive = how.keepsAlive;
  }

  /** @returns the connection, so that the caller can give up on it. */
  send(parts: readonly (string | Buffer)[], events: AnswerEvents): HttpConnection {
    const connection = this.#takeIdle() ?? new HttpConnection(this.#place, (released) => this.#release(released));
    connection.send(parts, events);
    return connection;
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  #takeIdle(): HttpConnection | null {
    const freshMs = monotonicMs() - IDLE_MAX_MS;
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.isOpen && connection.idleSinceMs > freshMs) return connection;
      connection.destroy();
    }
    return null;
  }

  #release(connection: HttpConnection): void {
    if (!connection.isOpen) return;
    if (!this.#keepsAlive) return connection.destroy();
    connection.idleSinceMs = monotonicMs();
    this.#idle.push(connection);
  }
}
