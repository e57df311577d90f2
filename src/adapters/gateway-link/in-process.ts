import type { DownMessage, UpMessage } from "../../api/link-message.ts";
import type { GatewayId } from "../../base/ids.ts";
import type { GatewayHub, GatewayHubEvents, GatewayLink, GatewayLinkEvents } from "../../ports/gateway-link.ts";

type Hello = Extract<UpMessage, { type: "hello" }>;

/** Both ends in one process. The hub may be closed and listen again: that is a control plane's restart. */
export interface InProcessLink {
  readonly hub: GatewayHub;
  readonly link: GatewayLink;
  /** The end of one more gateway. */
  addLink(): GatewayLink;
  /** Breaks every connection and lets none come about until `restore`. */
  cut(): void;
  restore(): void;
}

/** Messages arrive later, in order, as the objects that were sent. */
export function createInProcessLink(): InProcessLink {
  const wire = new Wire();
  return {
    hub: wire,
    link: wire.addLink(),
    addLink: () => wire.addLink(),
    cut: () => wire.cut(),
    restore: () => wire.restore(),
  };
}

interface LinkEnd {
  readonly hello: Hello;
  readonly events: GatewayLinkEvents;
  isConnected: boolean;
  isClosed: boolean;
}

class Wire implements GatewayHub {
  readonly #ends = new Set<LinkEnd>();
  readonly #byName = new Map<GatewayId, LinkEnd>();
  #hubEvents: GatewayHubEvents | null = null;
  #isCut = false;

  addLink(): GatewayLink {
    let end: LinkEnd | null = null;
    return {
      open: (hello, events) => {
        end = { hello, events, isConnected: false, isClosed: false };
        this.#ends.add(end);
        this.#connectLater(end);
      },
      send: (message) => end !== null && this.#sendUp(end, message),
      close: () => {
        if (end === null) return;
        end.isClosed = true;
        this.#ends.delete(end);
        this.#disconnect(end);
      },
    };
  }

  async listen(events: GatewayHubEvents): Promise<void> {
    this.#hubEvents = events;
    for (const end of this.#ends) this.#connectLater(end);
  }

  send(to: GatewayId, message: DownMessage): void {
    const end = this.#byName.get(to);
    if (end === undefined) return;
    later(() => {
      if (end.isConnected && this.#byName.get(to) === end) end.events.message(message);
    });
  }

  async close(): Promise<void> {
    for (const end of this.#byName.values()) this.#disconnect(end);
    this.#hubEvents = null;
  }

  cut(): void {
    this.#isCut = true;
    for (const end of this.#byName.values()) this.#disconnect(end);
  }

  restore(): void {
    this.#isCut = false;
    for (const end of this.#ends) this.#connectLater(end);
  }

  #sendUp(end: LinkEnd, message: UpMessage): boolean {
    if (!end.isConnected) return false;
    const hub = this.#hubEvents;
    later(() => {
      if (this.#hubEvents === hub && this.#byName.get(end.hello.gateway) === end) hub?.message(end.hello.gateway, message);
    });
    return true;
  }

  #connectLater(end: LinkEnd): void {
    later(() => {
      const hub = this.#hubEvents;
      if (hub === null || this.#isCut || end.isClosed || end.isConnected) return;
      const name = end.hello.gateway;
      const before = this.#byName.get(name);
      if (before !== undefined) this.#disconnect(before);
      end.isConnected = true;
      this.#byName.set(name, end);
      hub.joined(name, end.hello);
      end.events.connected();
    });
  }

  #disconnect(end: LinkEnd): void {
    if (!end.isConnected) return;
    end.isConnected = false;
    this.#byName.delete(end.hello.gateway);
    const hub = this.#hubEvents;
    hub?.left(end.hello.gateway);
    if (!end.isClosed) later(() => end.events.disconnected());
  }
}

/** A promise keeps the order, and lets the caller finish its own step first. */
const later = (act: () => void): void => void Promise.resolve().then(act);
