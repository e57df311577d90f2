import type { GatewayId } from "../base/ids.ts";
import type { DownMessage, UpMessage } from "../api/link-message.ts";

/** The control plane's end. Messages of one gateway keep their order; a broken connection is `left`. */
export interface GatewayHub {
  /** Called once, before gateways are let in. */
  listen(events: GatewayHubEvents): Promise<void>;
  /** Queues for one gateway; silently dropped when it has left (it is told everything when it comes back). */
  send(to: GatewayId, message: DownMessage): void;
  close(): Promise<void>;
}
export interface GatewayHubEvents {
  /** `hello` arrived. Answer with `welcome`, everything, then `synced`. */
  joined(gateway: GatewayId, hello: Extract<UpMessage, { type: "hello" }>): void;
  message(from: GatewayId, message: UpMessage): void;
  left(gateway: GatewayId): void;
}

/** The gateway's end: reconnects for ever with capped backoff, says `hello` first at each connection. */
export interface GatewayLink {
  open(hello: Extract<UpMessage, { type: "hello" }>, events: GatewayLinkEvents): void;
  /** false = not connected, the message is lost. */
  send(message: UpMessage): boolean;
  close(): void;
}
export interface GatewayLinkEvents {
  connected(): void;
  message(message: DownMessage): void;
  disconnected(): void;
}
