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
  /** Breaks the connection of that gateway, or of all, and lets none come about until `restore`. */
  cut(gateway?: GatewayId): void;
  /** The same name as at the cut; none = whatever was cut. */
  restore(gateway?: GatewayId): void;
}

/** The way between one gateway and the hub: acts later, each direction in order. */
export interface LinkWay {
  up(act: () => void): void;
  down(act: () => void): void;
}

/**
 * Messages arrive later, in order, as the objects that were sent.
 * @param wayOf how they travel; without it they only wait for their sender's step to end.
 */
export function createInProcessLink(wayOf: (gateway: GatewayId) => LinkWay = () => AT_ONCE): InProcessLink {
  const wire = new Wire(wayOf);
  return {
    hub: wire,
    link: wire.addLink(),
    addLink: () => wire.addLink(),
    cut: (gateway) => wire.cut(gateway ?? null),
    restore: (gateway) => wire.restore(gateway ?? null),
  };
}

interface LinkEnd {
  readonly hello: Hello;
  readonly events: GatewayLinkEvents;
  readonly way: LinkWay;
  /** Connections are numbered; null = none, as the hub sees it, and as the gateway does, who hears of it later. */
  hubSession: number | null;
  gatewaySession: number | null;
  isClosed: boolean;
}

class Wire implements GatewayHub {
  readonly #wayOf: (gateway: GatewayId) => LinkWay;
  readonly #ends = new Set<LinkEnd>();
  readonly #byName = new Map<GatewayId, LinkEnd>();
  readonly #cut = new Set<GatewayId>();
  #hubEvents: GatewayHubEvents | null = null;
  #areAllCut = false;
  #sessions = 0;

  constructor(wayOf: (gateway: GatewayId) => LinkWay) {
    this.#wayOf = wayOf;
  }

  addLink(): GatewayLink {
    let end: LinkEnd | null = null;
    return {
      open: (hello, events) => {
        end = { hello, events, way: this.#wayOf(hello.gateway), hubSession: null, gatewaySession: null, isClosed: false };
        this.#ends.add(end);
        this.#connectLater(end);
      },
      send: (message) => end !== null && this.#sendUp(end, message),
      close: () => {
        if (end === null) return;
        end.isClosed = true;
        end.gatewaySession = null;
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
    const session = end?.hubSession ?? null;
    if (end === undefined || session === null) return;
    end.way.down(() => {
      if (end.hubSession === session && end.gatewaySession === session) end.events.message(message);
    });
  }

  async close(): Promise<void> {
    for (const end of this.#byName.values()) this.#disconnect(end);
    this.#hubEvents = null;
  }

  cut(gateway: GatewayId | null): void {
    if (gateway === null) this.#areAllCut = true;
    else this.#cut.add(gateway);
    for (const end of this.#byName.values()) if (this.#isCut(end)) this.#disconnect(end);
  }

  restore(gateway: GatewayId | null): void {
    if (gateway === null) {
      this.#areAllCut = false;
      this.#cut.clear();
    } else this.#cut.delete(gateway);
    for (const end of this.#ends) this.#connectLater(end);
  }

  #isCut(end: LinkEnd): boolean {
    return this.#areAllCut || this.#cut.has(end.hello.gateway);
  }

  #sendUp(end: LinkEnd, message: UpMessage): boolean {
    const session = end.gatewaySession;
    if (session === null) return false;
    end.way.up(() => {
      if (end.hubSession === session) this.#hubEvents?.message(end.hello.gateway, message);
    });
    return true;
  }

  #connectLater(end: LinkEnd): void {
    end.way.up(() => {
      const hub = this.#hubEvents;
      if (hub === null || this.#isCut(end) || end.isClosed || end.hubSession !== null) return;
      const name = end.hello.gateway;
      const before = this.#byName.get(name);
      if (before !== undefined) this.#disconnect(before);
      this.#sessions += 1;
      const session = this.#sessions;
      end.hubSession = session;
      this.#byName.set(name, end);
      end.way.down(() => {
        if (end.isClosed) return;
        end.gatewaySession = session;
        end.events.connected();
      });
      hub.joined(name, end.hello);
    });
  }

  /** The hub knows at once. */
  #disconnect(end: LinkEnd): void {
    if (end.hubSession === null) return;
    end.hubSession = null;
    this.#byName.delete(end.hello.gateway);
    this.#hubEvents?.left(end.hello.gateway);
    end.way.down(() => {
      end.gatewaySession = null;
      if (!end.isClosed) end.events.disconnected();
    });
  }
}

/** A promise keeps the order, and lets the caller finish its own step first. */
const later = (act: () => void): void => void Promise.resolve().then(act);
const AT_ONCE: LinkWay = { up: later, down: later };
