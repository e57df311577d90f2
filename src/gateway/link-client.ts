import type { DownMessage } from "../api/link-message.ts";
import type { RouteTable } from "../api/route-table.ts";
import type { Uid } from "../base/ids.ts";
import type { GatewayLink } from "../ports/gateway-link.ts";
import type { GatewayMemory, GatewaySnapshot } from "../ports/gateway-memory.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { GatewayOptions } from "./gateway-ports.ts";
import type { KeyIndex } from "./key-index.ts";
import type { RouteStore } from "./route-store.ts";
import type { ServiceDesks } from "./service-desk.ts";

export interface LinkClientParts {
  readonly ports: { readonly link: GatewayLink; readonly memory: GatewayMemory; readonly eventLog: EventLog };
  readonly options: GatewayOptions;
  readonly routes: RouteStore;
  readonly keys: KeyIndex;
  readonly desks: ServiceDesks;
  /** Tables changed: watches, claims and held requests follow. */
  tablesChanged(): void;
  /** A control plane has told everything: it wants to know what is out. */
  synced(): void;
}

/** The gateway's side of the link: takes tables and keys, keeps them in its own file, reports counts. */
export class LinkClient {
  readonly #parts: LinkClientParts;
  /** Tables repeated since `welcome`; null = no first round is running. */
  #round: Set<Uid> | null = null;
  /** Tables heard since the file was last written: they are acknowledged when it is. */
  #unsaved = new Set<Uid>();
  #stateId = "";
  /** The newest leader that was heard of, in this state. */
  #term = 0;
  #hasBeenTold = false;

  constructor(parts: LinkClientParts) {
    this.#parts = parts;
  }

  get stateId(): string {
    return this.#stateId;
  }

  /** true once there is something to serve from: the control plane's word, or the memory of it. */
  get hasBeenTold(): boolean {
    return this.#hasBeenTold;
  }

  remember(snapshot: GatewaySnapshot): void {
    this.#stateId = snapshot.stateId;
    for (const table of snapshot.tables) this.#parts.routes.apply(table);
    this.#parts.keys.replace(snapshot.keys);
    this.#hasBeenTold = true;
    this.#parts.tablesChanged();
  }

  open(address: string): void {
    const { id, pid } = this.#parts.options;
    this.#parts.ports.link.open(
      { type: "hello", gateway: id, pid, address },
      {
        connected: () => this.#log("gateway.link-connected"),
        message: (message) => this.#take(message),
        disconnected: () => {
          this.#round = null;
          this.#log("gateway.link-lost");
        },
      },
    );
  }

  reportCounts(): void {
    const services = this.#parts.desks.current().map((desk) => desk.counts());
    if (services.length > 0) this.#parts.ports.link.send({ type: "counts", services });
    // A disk that was full may have room again.
    if (this.#unsaved.size > 0) this.#save();
  }

  #take(message: DownMessage): void {
    if (!this.#isOfLeader(message)) return;
    switch (message.type) {
      case "welcome":
        this.#stateId = message.stateId;
        this.#round = new Set();
        return;
      case "table":
        this.#takeTable(message.table);
        return;
      case "table-removed":
        this.#parts.routes.remove(message.uid);
        this.#changed();
        return;
      case "keys":
        this.#parts.keys.replace(message.keys);
        this.#save();
        return;
      case "synced":
        this.#endRound();
    }
  }

  /** Of two control planes that both speak the newer one leads; what the other still had on its way is dropped, whole rounds too. */
  #isOfLeader(message: DownMessage): boolean {
    const { term = 0 } = message;
    const isOtherState = message.type === "welcome" && message.stateId !== this.#stateId;
    if (term < this.#term && !isOtherState) {
      this.#parts.ports.eventLog.record({
        level: "warn",
        event: "gateway.word-of-old-leader",
        fields: { gateway: this.#parts.options.id, type: message.type, term, newest: this.#term },
      });
      return false;
    }
    this.#term = term;
    return true;
  }

  #takeTable(table: RouteTable): void {
    this.#round?.add(table.uid);
    this.#unsaved.add(table.uid);
    if (this.#parts.routes.apply(table)) this.#parts.tablesChanged();
    this.#save();
  }

  /** What was not repeated is gone. */
  #endRound(): void {
    const repeated = this.#round;
    this.#round = null;
    this.#hasBeenTold = true;
    if (repeated !== null) for (const table of this.#parts.routes.all()) if (!repeated.has(table.uid)) this.#parts.routes.remove(table.uid);
    this.#changed();
    this.#parts.synced();
  }

  #changed(): void {
    this.#parts.tablesChanged();
    this.#save();
  }

  #save(): void {
    // In the middle of a round the file would hold half of the truth.
    if (this.#round !== null) return;
    const { routes, keys, ports } = this.#parts;
    const inForce = [...this.#unsaved].flatMap((uid) => routes.get(uid) ?? []);
    this.#unsaved = new Set();
    void ports.memory.save({ stateId: this.#stateId, tables: routes.all(), keys: keys.entries }).then((isSaved) => {
      if (isSaved) return this.#acknowledge(inForce);
      this.#log("gateway.memory-not-saved");
      for (const { uid } of inForce) this.#unsaved.add(uid);
    });
  }

  /**
   * Only what is in the file: a gateway that starts again alone serves from it, and what was taken away after an acknowledgement
   * must not be there any more. Names what is in force, also where an older table was refused.
   */
  #acknowledge(saved: readonly RouteTable[]): void {
    for (const { uid, epoch, revision } of saved) this.#parts.ports.link.send({ type: "ack", uid, epoch, revision });
  }

  #log(event: string): void {
    const isBad = event !== "gateway.link-connected";
    this.#parts.ports.eventLog.record({ level: isBad ? "warn" : "info", event, fields: { gateway: this.#parts.options.id } });
  }
}
