import { connect } from "node:net";
import { parseDownMessage } from "../../api/parse-link-message.ts";
import type { DownMessage, UpMessage } from "../../api/link-message.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { GatewayLink, GatewayLinkEvents } from "../../ports/gateway-link.ts";
import { MessageSocket } from "./message-socket.ts";

const BACKOFF_MS = { first: 20, max: 500 } as const;

type Hello = Extract<UpMessage, { type: "hello" }>;

/** The gateway's end on a Unix socket. */
export const createUnixGatewayLink = (path: string, clock: Clock): GatewayLink => new UnixGatewayLink(path, clock);

class UnixGatewayLink implements GatewayLink {
  readonly #path: string;
  readonly #clock: Clock;
  #peer: MessageSocket<DownMessage, UpMessage> | null = null;
  #isConnected = false;
  #isClosed = false;
  #retry: Timer | null = null;
  #backoffMs: number = BACKOFF_MS.first;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  open(hello: Hello, events: GatewayLinkEvents): void {
    const socket = connect(this.#path);
    const peer = new MessageSocket<DownMessage, UpMessage>(socket, parseDownMessage, (message) => {
      if (this.#peer !== peer || this.#isClosed) return;
      this.#backoffMs = BACKOFF_MS.first;
      events.message(message);
    });
    this.#peer = peer;
    socket.once("connect", () => {
      if (this.#isClosed) return;
      this.#isConnected = true;
      peer.send(hello);
      events.connected();
    });
    socket.once("close", () => {
      const wasConnected = this.#isConnected;
      this.#isConnected = false;
      if (this.#isClosed) return;
      if (wasConnected) events.disconnected();
      this.#retry = this.#clock.after(this.#backoffMs, () => this.open(hello, events));
      this.#backoffMs = Math.min(2 * this.#backoffMs, BACKOFF_MS.max);
    });
  }

  send(message: UpMessage): boolean {
    return this.#isConnected && this.#peer !== null && this.#peer.send(message);
  }

  close(): void {
    this.#isClosed = true;
    this.#isConnected = false;
    this.#retry?.cancel();
    this.#peer?.destroy();
  }
}
