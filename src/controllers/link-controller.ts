import type { GatewayId, MonotonicMs, ServiceName, Uid } from "../base/ids.ts";
import type { AlertGauge, AlertRule } from "../api/alert-rules.ts";
import { NONE_RETURNED, type DownMessage, type KeyEntry, type ServiceCounts, type UpMessage } from "../api/link-message.ts";
import type { RouteTable } from "../api/route-table.ts";
import type { CapacitySample } from "../failover/capacity-rto.ts";
import type { EpisodeView } from "../failover/episode-view.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { GatewayHub } from "../ports/gateway-link.ts";
import type { GatewayProcesses } from "../ports/gateway-processes.ts";
import { createAlertDesk, type AlertDesk, type AlertView } from "./alert-desk.ts";
import { addReturned, createCapacitySamples, worse } from "./capacity-samples.ts";
import { createEpisodeShelf } from "./episode-shelf.ts";

/** What the loops need of the gateways: tell them, and know what they know. */
export interface TableDesk {
  /** Sends the table to every gateway unless it has this version already. A table of another uid of the same service is withdrawn. */
  publish(table: RouteTable): void;
  withdraw(uid: Uid): void;
  tableOf(uid: Uid): RouteTable | null;
  /**
   * Every gateway has acknowledged the version in force; true when there is none, or nothing is published. One whose process lives and
   * that is not joined holds it up: it may send by an older table.
   */
  isAcknowledged(uid: Uid): boolean;
}

/** What gateways measured of a service. */
export interface GatewayReports {
  /** Sums over the joined gateways since each one's start; of the time to first token the worst. */
  countsOf(service: ServiceName): Omit<ServiceCounts, "alertCounters">;
  /** The newest of each loss that a gateway saw, those of the last minutes. */
  episodesOf(service: ServiceName): readonly EpisodeView[];
  /** One a second, oldest first, of the last six minutes. */
  capacitySamplesOf(service: ServiceName): readonly CapacitySample[];
  /** Alert rules that fire for it, by what gateways counted and by its status. */
  firingAlertsOf(service: ServiceName, gauges: Readonly<Record<AlertGauge, boolean>> | null): readonly AlertRule[];
}

export interface LinkController extends TableDesk, GatewayReports {
  /**
   * Lets gateways in. Call it when everything stored is published: a gateway drops what its first round does not repeat.
   */
  open(): Promise<void>;
  replaceKeys(keys: readonly KeyEntry[]): void;
  gateways(): readonly JoinedGateway[];
  /** Every alert of every service that has a table, and of the platform. */
  alertStates(): readonly AlertView[];
}
interface JoinedGateway {
  readonly id: GatewayId;
  readonly pid: number;
  readonly address: string;
  /** Tables that it has not acknowledged yet. */
  readonly behind: number;
}

export interface LinkEvents {
  /** A gateway took an endpoint out of rotation. */
  ejected(report: Extract<UpMessage, { type: "ejected" }>): void;
  /** A gateway woke an instance, or could not. */
  activated(report: Extract<UpMessage, { type: "rung-activated" }>): void;
  /** A gateway told something new of a loss. */
  episode(service: ServiceName): void;
  /** Every gateway knows the table in force of that service. */
  acknowledged(service: ServiceName): void;
}

interface Gateway {
  readonly hello: Extract<UpMessage, { type: "hello" }>;
  readonly acknowledged: Map<Uid, Pick<RouteTable, "epoch" | "revision">>;
  counts: ReadonlyMap<ServiceName, ServiceCounts>;
}

/** The control plane's side of GatewayLink: the tables in force, who has them, and what gateways report. */
export function createLinkController(ports: LinkPorts, events: LinkEvents): LinkController {
  return new Link(ports, events);
}

interface LinkPorts {
  readonly hub: GatewayHub;
  readonly clock: Clock;
  readonly log: EventLog;
  readonly stateId: string;
  readonly gatewayProcesses: GatewayProcesses;
}

class Link implements LinkController {
  readonly #ports: LinkPorts;
  readonly #events: LinkEvents;
  readonly #tables = new Map<Uid, RouteTable>();
  /** More than one for as long as the table of an earlier object of the same name is not withdrawn. */
  readonly #uids = new Map<ServiceName, Set<Uid>>();
  readonly #gateways = new Map<GatewayId, Gateway>();
  readonly #episodes = createEpisodeShelf();
  readonly #samples = createCapacitySamples();
  readonly #alerts: AlertDesk;
  /** Gateways that are not joined, by pid, with whether they live. */
  readonly #absent = new Map<number, () => boolean>();
  #keys: readonly KeyEntry[] = [];

  constructor(ports: LinkPorts, events: LinkEvents) {
    this.#ports = ports;
    this.#events = events;
    this.#alerts = createAlertDesk(ports.log);
  }

  open(): Promise<void> {
    return this.#ports.hub.listen({
      joined: (gateway, hello) => this.#join(gateway, hello),
      message: (from, message) => this.#receive(from, message),
      left: (gateway) => this.#leave(gateway),
    });
  }

  publish(table: RouteTable): void {
    const before = this.#tables.get(table.uid);
    if (before !== undefined && before.epoch === table.epoch && before.revision === table.revision) return;
    this.#tables.set(table.uid, table);
    const uids = this.#uids.get(table.service) ?? new Set();
    this.#uids.set(table.service, uids.add(table.uid));
    this.#tell({ type: "table", table });
    for (const other of uids) if (other !== table.uid) this.withdraw(other);
  }

  withdraw(uid: Uid): void {
    const table = this.#tables.get(uid);
    if (table === undefined) return;
    this.#tables.delete(uid);
    this.#uids.get(table.service)?.delete(uid);
    this.#tell({ type: "table-removed", uid });
    if (this.#hasTable(table.service)) return;
    this.#uids.delete(table.service);
    this.#alerts.forget(table.service);
  }

  tableOf(uid: Uid): RouteTable | null {
    return this.#tables.get(uid) ?? null;
  }

  isAcknowledged(uid: Uid): boolean {
    const table = this.#tables.get(uid);
    if (table === undefined) return true;
    this.#lookForAbsent();
    return this.#absent.size === 0 && [...this.#gateways.values()].every((gateway) => knows(gateway, table));
  }

  replaceKeys(next: readonly KeyEntry[]): void {
    if (JSON.stringify(next) === JSON.stringify(this.#keys)) return;
    this.#keys = next;
    this.#tell({ type: "keys", keys: next });
  }

  gateways(): readonly JoinedGateway[] {
    return [...this.#gateways].map(([id, gateway]) => ({
      id,
      pid: gateway.hello.pid,
      address: gateway.hello.address,
      behind: [...this.#tables.values()].filter((table) => !knows(gateway, table)).length,
    }));
  }

  countsOf(service: ServiceName): Omit<ServiceCounts, "alertCounters"> {
    return sumCounts(service, [...this.#gateways.values()]);
  }

  episodesOf(service: ServiceName): readonly EpisodeView[] {
    return this.#episodes.of(service, this.#ports.clock.wallMs());
  }

  capacitySamplesOf(service: ServiceName): readonly CapacitySample[] {
    return this.#samples.of(service, this.#ports.clock.wallMs());
  }

  firingAlertsOf(service: ServiceName, gauges: Readonly<Record<AlertGauge, boolean>> | null): readonly AlertRule[] {
    const now = this.#lookAtPlatform();
    // Without a table it serves nobody, and nothing would end what is kept of it.
    return this.#hasTable(service) ? this.#alerts.look(service, gauges, now) : [];
  }

  alertStates(): readonly AlertView[] {
    return this.#alerts.all(this.#lookAtPlatform());
  }

  /** At every look, so that it does not wait for a scrape. @returns now. */
  #lookAtPlatform(): MonotonicMs {
    const now = this.#ports.clock.monotonicMs();
    this.#alerts.lookPlatform(this.#gateways.size > 0 ? now : null, now);
    return now;
  }

  /** Who runs and is not joined: its link is cut, it has not come back yet, or it was just started. */
  #lookForAbsent(): void {
    const { gatewayProcesses } = this.#ports;
    const joined = new Set([...this.#gateways.values()].map(({ hello }) => hello.pid));
    for (const pid of gatewayProcesses.running())
      if (!joined.has(pid) && !this.#absent.has(pid)) this.#absent.set(pid, gatewayProcesses.watch(pid));
    for (const [pid, isAlive] of this.#absent) if (!isAlive()) this.#absent.delete(pid);
  }

  #hasTable(service: ServiceName): boolean {
    return (this.#uids.get(service)?.size ?? 0) > 0;
  }

  #tell(message: DownMessage): void {
    for (const id of this.#gateways.keys()) this.#ports.hub.send(id, message);
  }

  #join(id: GatewayId, hello: Gateway["hello"]): void {
    this.#gateways.set(id, { hello, acknowledged: new Map(), counts: new Map() });
    this.#absent.delete(hello.pid);
    this.#ports.log.record({
      level: "info",
      event: "link.gateway-joined",
      fields: { gateway: id, pid: hello.pid, address: hello.address },
    });
    const round: readonly DownMessage[] = [
      { type: "welcome", stateId: this.#ports.stateId },
      ...[...this.#tables.values()].map((table): DownMessage => ({ type: "table", table })),
      { type: "keys", keys: this.#keys },
      { type: "synced" },
    ];
    for (const message of round) this.#ports.hub.send(id, message);
  }

  #leave(id: GatewayId): void {
    const left = this.#gateways.get(id);
    if (left === undefined) return;
    this.#gateways.delete(id);
    this.#absent.set(left.hello.pid, this.#ports.gatewayProcesses.watch(left.hello.pid));
    this.#samples.forget(id);
    this.#ports.log.record({ level: "info", event: "link.gateway-left", fields: { gateway: id } });
    // If it ended it holds up nobody any more.
    for (const table of this.#tables.values()) if (this.isAcknowledged(table.uid)) this.#events.acknowledged(table.service);
  }

  #receive(id: GatewayId, message: UpMessage): void {
    const from = this.#gateways.get(id);
    if (from === undefined) return;
    switch (message.type) {
      case "hello":
        return;
      case "episode": {
        const heard = { gateway: id, atMs: this.#ports.clock.wallMs() };
        if (this.#episodes.hear(message, heard)) this.#events.episode(message.service);
        return;
      }
      case "rung-activated": {
        const { service, instance, generation, because, outcome, reason, ageMs } = message;
        const fields = { gateway: id, service, instance, generation, because, outcome, reason, ageMs };
        this.#ports.log.record({ level: outcome === "awake" ? "info" : "warn", event: "link.rung-activated", fields });
        return this.#events.activated(message);
      }
      case "ack":
        return this.#acknowledge(from, message);
      case "counts":
        from.counts = new Map(message.services.map((counts) => [counts.service, counts]));
        this.#samples.count(id, message.services, this.#ports.clock.wallMs());
        return this.#countForAlerts(id, message.services);
      case "ejected": {
        const { service, instance, generation, cause, ageMs } = message;
        const fields = { gateway: id, service, instance, generation, cause, ageMs };
        this.#ports.log.record({ level: "warn", event: "link.ejected", fields });
        return this.#events.ejected(message);
      }
    }
  }

  /** A gateway counts on for services that are gone. */
  #countForAlerts(id: GatewayId, services: readonly ServiceCounts[]): void {
    this.#alerts.count(
      id,
      services.filter(({ service }) => this.#hasTable(service)),
      this.#ports.clock.monotonicMs(),
    );
  }

  #acknowledge(from: Gateway, { uid, epoch, revision }: Extract<UpMessage, { type: "ack" }>): void {
    from.acknowledged.set(uid, { epoch, revision });
    const table = this.#tables.get(uid);
    if (table !== undefined && this.isAcknowledged(uid)) this.#events.acknowledged(table.service);
  }
}

function knows(gateway: Gateway, table: RouteTable): boolean {
  const known = gateway.acknowledged.get(table.uid);
  if (known === undefined) return false;
  return known.epoch > table.epoch || (known.epoch === table.epoch && known.revision >= table.revision);
}

function sumCounts(service: ServiceName, gateways: readonly Gateway[]): Omit<ServiceCounts, "alertCounters"> {
  const sum = { service, requests: 0, failed: 0, inFlight: 0, promptTokens: 0, outputTokens: 0 };
  let firstTokenP99Ms: number | null = null;
  let returned = NONE_RETURNED;
  for (const gateway of gateways) {
    const counts = gateway.counts.get(service);
    if (counts === undefined) continue;
    sum.requests += counts.requests;
    sum.failed += counts.failed;
    sum.inFlight += counts.inFlight;
    sum.promptTokens += counts.promptTokens;
    sum.outputTokens += counts.outputTokens;
    firstTokenP99Ms = worse(firstTokenP99Ms, counts.firstTokenP99Ms);
    returned = addReturned(returned, counts.returned);
  }
  return { ...sum, firstTokenP99Ms, returned };
}
