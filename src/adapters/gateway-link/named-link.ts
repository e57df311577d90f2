import type { UpMessage } from "../../api/link-message.ts";
import type { GatewayId } from "../../base/ids.ts";
import type { GatewayLink, GatewayLinkEvents } from "../../ports/gateway-link.ts";

type Hello = Extract<UpMessage, { type: "hello" }>;

/** A link whose gateway may change its name: two processes of one gateway are joined at once while one takes the other's place. */
export interface NamedLink extends GatewayLink {
  /** Resolves when a control plane has told everything for the first time. */
  readonly told: Promise<void>;
  readonly isConnected: boolean;
  /** Leaves, and joins under that name: it is told everything again, and acknowledges it again. */
  rename(to: GatewayId): void;
}

/** @param first the name to join under instead of the gateway's own; null = its own. */
export const createNamedLink = (make: () => GatewayLink, first: GatewayId | null = null): NamedLink => new RenamedLink(make, first);

class RenamedLink implements NamedLink {
  isConnected = false;
  readonly #make: () => GatewayLink;
  readonly #told = Promise.withResolvers<void>();
  #name: GatewayId | null;
  #link: GatewayLink;
  #open: { readonly hello: Hello; readonly events: GatewayLinkEvents } | null = null;

  constructor(make: () => GatewayLink, first: GatewayId | null) {
    this.#make = make;
    this.#name = first;
    this.#link = make();
  }

  get told(): Promise<void> {
    return this.#told.promise;
  }

  open(hello: Hello, events: GatewayLinkEvents): void {
    this.#open = { hello, events };
    const link = this.#link;
    // What a link that was left had on its way is of an older round.
    const isOurs = (): boolean => this.#link === link;
    link.open(this.#name === null ? hello : { ...hello, gateway: this.#name }, {
      connected: () => {
        if (!isOurs()) return;
        this.isConnected = true;
        events.connected();
      },
      message: (message) => {
        if (!isOurs()) return;
        events.message(message);
        if (message.type === "synced") this.#told.resolve();
      },
      disconnected: () => {
        if (!isOurs()) return;
        this.isConnected = false;
        events.disconnected();
      },
    });
  }

  send(message: UpMessage): boolean {
    return this.#link.send(message);
  }

  rename(to: GatewayId): void {
    this.#name = to;
    const open = this.#open;
    if (open === null) return;
    this.#link.close();
    const wasConnected = this.isConnected;
    this.isConnected = false;
    this.#link = this.#make();
    if (wasConnected) open.events.disconnected();
    this.open(open.hello, open.events);
  }

  close(): void {
    this.#link.close();
  }
}
