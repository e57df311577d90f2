import type { EndpointAddress } from "../api/route-table.ts";
import type { EjectionCause } from "../api/link-message.ts";
import type { Uid } from "../base/ids.ts";
import type { Timer } from "../ports/clock.ts";
import type { Handler } from "../ports/http-front.ts";
import { endpointKey, HealthIndex, type EndpointKey } from "../routing/health.ts";
import { SmoothWeighted } from "../routing/smooth-weighted.ts";
import { renderPrometheus } from "../wire/prometheus-text.ts";
import { BodyRoom } from "./body-collector.ts";
import { EndpointBoard, type EndpointWatch } from "./endpoint-board.ts";
import { DrainMoves } from "./drain-moves.ts";
import { draining } from "./explain.ts";
import { Ejector } from "./ejector.ts";
import { Episodes } from "./episodes.ts";
import { createGatewayMetrics, type GatewayMetrics } from "./gateway-metrics.ts";
import type { GatewayOptions, GatewayPorts } from "./gateway-ports.ts";
import { KeepAlive } from "./keep-alive.ts";
import { JournalRoom } from "./journal-room.ts";
import { Judge, TICK_MS } from "./judge.ts";
import { KeyIndex } from "./key-index.ts";
import { LinkClient } from "./link-client.ts";
import { CLAIM_EVERY_MS, Prober } from "./prober.ts";
import { Mirror } from "./mirror.ts";
import { Newcomers } from "./newcomers.ts";
import { PoisonWatch } from "./poison-watch.ts";
import { Pump } from "./pump.ts";
import { RouteStore } from "./route-store.ts";
import { SelfSuspicion } from "./self-suspicion.ts";
import { serveExchange } from "./serve-exchange.ts";
import { ServiceDesks } from "./service-desk.ts";
import { Waker } from "./waker.ts";

export interface Gateway {
  /** For the tenants' listener. */
  readonly handler: Handler;
  /** Takes the routes of its memory. Before listening, so that the first request meets them. */
  load(): Promise<void>;
  /** Opens the link, begins to judge and to claim. `address` = where tenants reach it. */
  start(address: EndpointAddress): void;
  /** New requests are refused from now on; those that are open go on, and are told when they cannot after `graceMs`. Resolves when none is open. */
  drain(graceMs: number): Promise<void>;
  /** Ends loops and link at once. */
  stop(): void;
  /** Prometheus text. */
  metricsText(): string;
  readonly metrics: GatewayMetrics;
}

const COUNTS_EVERY_MS = 1_000;
const DRAIN_LOOK_MS = 50;
/** After an engine died all others are asked whether they are still there, at most so often. */
const LOOK_AROUND_EVERY_MS = 100;
const LOOK_AT_SIBLINGS_MS = [15, 40];

/** The data plane, composed over its ports. */
export function createGateway(ports: GatewayPorts, options: GatewayOptions): Gateway {
  return new AssembledGateway(ports, options);
}

class AssembledGateway implements Gateway {
  readonly metrics = createGatewayMetrics();
  readonly handler: Handler;
  readonly #ports: GatewayPorts;
  readonly #routes = new RouteStore();
  readonly #health = new HealthIndex();
  readonly #board = new EndpointBoard();
  readonly #journals = new JournalRoom();
  readonly #drains: DrainMoves;
  readonly #keepAlive = new KeepAlive(this.#board);
  readonly #desks = new ServiceDesks(this.metrics);
  readonly #link: LinkClient;
  readonly #prober: Prober;
  readonly #judge: Judge;
  readonly #waker: Waker;
  readonly #pump: Pump;
  readonly #mirror: Mirror;
  readonly #newcomers: Newcomers;
  readonly #episodes: Episodes;
  readonly #poison: PoisonWatch;
  readonly #loops = new Map<string, Timer>();
  #isDraining = false;
  readonly #siblingLooks = new Set<Uid>();
  /** null = no look at the others was taken lately. */
  #nextLook: { isWanted: boolean } | null = null;

  constructor(ports: GatewayPorts, options: GatewayOptions) {
    this.#ports = ports;
    this.#drains = new DrainMoves({ clock: ports.clock, board: this.#board });
    const routes = this.#routes;
    const health = this.#health;
    const keys = new KeyIndex(ports.keyDigest);
    const woken = new Set<EndpointKey>();
    const episodes = new Episodes({ ports, routes, health, woken, metrics: this.metrics });
    this.#episodes = episodes;
    const poison = new PoisonWatch({ ports, metrics: this.metrics });
    this.#poison = poison;
    this.#newcomers = new Newcomers({ health, woken });
    const shared = { ports, routes, health, woken, episodes, poison, journals: this.#journals, metrics: this.metrics };
    const ejector = new Ejector({ ...shared, ejected: (watch, cause) => this.#ejected(watch, cause) });
    const self = new SelfSuspicion({ ...shared, board: this.#board, lookAround: () => this.#lookAround() });
    const parts = { ...shared, ejector, self, board: this.#board, desks: this.#desks };
    this.#mirror = new Mirror(parts);
    this.#waker = new Waker({
      ...parts,
      stateId: () => this.#link.stateId,
      isTrusted: () => !self.isSuspect(),
      ended: (tableUid, endpoint) => {
        if (woken.has(endpointKey(endpoint))) episodes.becameUsable(endpoint);
        this.#newcomers.look(routes.endpoints(), ports.clock.monotonicMs());
        this.#pumpHeld(tableUid);
      },
    });
    const pump = new Pump({ ...parts, mirror: this.#mirror, waker: this.#waker, weights: new SmoothWeighted() });
    this.#pump = pump;
    this.#link = new LinkClient({
      ports,
      options,
      routes,
      keys,
      desks: this.#desks,
      tablesChanged: () => this.#tablesChanged(),
      synced: () => {
        ejector.repeatReports(this.#board.all());
        episodes.repeatReports();
        this.#waker.repeatReports();
      },
    });
    this.#prober = new Prober({ ...parts, stateId: () => this.#link.stateId, returned: (watch) => this.#pumpHeld(watch.tableUid) });
    this.#judge = new Judge({
      ...parts,
      prober: this.#prober,
      suspected: (suspects, tables) => {
        for (const uid of tables) this.#waker.suspected(routes.get(uid), suspects);
      },
    });
    this.handler = serveExchange({
      ...parts,
      keys,
      pump,
      room: new BodyRoom(),
      startedSeconds: Math.floor(ports.clock.wallMs() / 1_000),
      isReady: () => this.#link.hasBeenTold,
      isDraining: () => this.#isDraining,
    });
  }

  async load(): Promise<void> {
    const snapshot = await this.#ports.memory.load();
    if (snapshot !== null) this.#link.remember(snapshot);
  }

  start(address: EndpointAddress): void {
    this.#link.open(`http://${address.host}:${address.port}`);
    this.#judge.reset();
    this.#every("tick", TICK_MS, () => this.#tick());
    this.#every("claim", CLAIM_EVERY_MS, () => this.#claim());
    this.#every("counts", COUNTS_EVERY_MS, () => this.#link.reportCounts());
    this.#claim();
  }

  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    const { clock } = this.#ports;
    const until = clock.monotonicMs() + graceMs;
    const never = new AbortController().signal;
    while (clock.monotonicMs() < until && this.#desks.all().some((desk) => desk.concurrency.open > 0)) {
      await clock.sleep(DRAIN_LOOK_MS, never);
    }
    this.#pump.giveUpAll(draining);
  }

  stop(): void {
    this.#isDraining = true;
    for (const timer of this.#loops.values()) timer.cancel();
    this.#loops.clear();
    this.#mirror.stop();
    this.#waker.stop();
    this.#ports.link.close();
  }

  metricsText(): string {
    this.#desks.showGauges();
    this.metrics.services.with().set(this.#routes.all().length);
    this.metrics.journalBytes.with().set(this.#journals.bytes);
    return renderPrometheus(this.metrics.registry);
  }

  #tick(): void {
    this.#judge.tick();
    this.#pump.tick();
    this.#episodes.tick();
    this.#drains.tick();
    const now = this.#ports.clock.monotonicMs();
    this.#keepAlive.tick(now);
    for (const desk of this.#desks.all()) {
      if (desk.holds.count === 0) continue;
      for (const request of desk.holds.expired(now)) request.pump();
      this.#pump.fillRoom(desk);
      for (const request of desk.holds.waiting()) request.keepAlive();
    }
  }

  #claim(which?: Parameters<Prober["claimAll"]>[1]): void {
    const now = this.#ports.clock.monotonicMs();
    this.#prober.claimAll(({ endpoint, table }) => this.#board.watch(endpoint, table, now), which);
  }

  /** What died with it on its node or in its zone must not wait for a request to be missed, nor who sleeps for a request to be woken. */
  #ejected(watch: EndpointWatch, cause: EjectionCause): void {
    const table = this.#routes.get(watch.tableUid);
    if (table !== null) this.#pump.endpointLost(table);
    if (cause !== "refused" && cause !== "reset" && cause !== "cut") return;
    this.#lookAround();
    this.#lookAtSiblings(watch.tableUid);
  }

  /** Those of one service die within some milliseconds of each other: whether it has anybody left must be known soon. */
  #lookAtSiblings(of: Uid): void {
    if (this.#siblingLooks.has(of)) return;
    this.#siblingLooks.add(of);
    const { clock } = this.#ports;
    for (const afterMs of LOOK_AT_SIBLINGS_MS) clock.after(afterMs, () => this.#claim(({ table }) => table.uid === of));
    clock.after(Math.max(...LOOK_AT_SIBLINGS_MS), () => this.#siblingLooks.delete(of));
  }

  /** At once, and once more for all that dies before the next look is due. */
  #lookAround(): void {
    if (this.#nextLook !== null) {
      this.#nextLook.isWanted = true;
      return;
    }
    const next = { isWanted: false };
    this.#nextLook = next;
    this.#ports.clock.after(LOOK_AROUND_EVERY_MS, () => {
      this.#nextLook = null;
      if (next.isWanted) this.#lookAround();
    });
    this.#claim();
  }

  #pumpHeld(tableUid: Uid): void {
    const table = this.#routes.get(tableUid);
    if (table !== null) this.#pump.pumpHeld(this.#desks.of(table));
  }

  #tablesChanged(): void {
    const now = this.#ports.clock.monotonicMs();
    const named = this.#routes.endpoints();
    for (const { endpoint, table } of named) this.#board.watch(endpoint, table, now);
    const keys = new Set(named.map(({ endpoint }) => endpointKey(endpoint)));
    this.#health.retain(keys);
    this.#newcomers.look(named, now);
    this.#loseOldGenerations(keys);
    this.#mirror.tablesChanged();
    this.#episodes.tablesChanged();
    this.#poison.tablesChanged(keys);
    this.#board.retain(keys);
    this.#drains.tablesChanged(keys);
    this.#waker.tablesChanged();
    // Before its first request: what counts from zero is known to have been zero.
    for (const table of this.#routes.all()) this.#desks.of(table);
    for (const desk of this.#desks.all()) this.#pump.pumpHeld(desk);
  }

  /** A newer generation of an instance is the word that the older one is dead: its late bytes are dropped. */
  #loseOldGenerations(named: ReadonlySet<string>): void {
    for (const watch of this.#board.all()) {
      if (named.has(endpointKey(watch.endpoint)) || watch.calls.size === 0) continue;
      const newest = this.#routes.endpointOf(watch.endpoint);
      if (newest === null || newest.generation <= watch.endpoint.generation) continue;
      for (const call of Array.from(watch.calls)) call.lose({ isHard: true, code: "upstream_lost" });
    }
  }

  #every(name: string, everyMs: number, act: () => void): void {
    const again = (): void => {
      this.#loops.set(
        name,
        this.#ports.clock.after(everyMs, () => {
          again();
          act();
        }),
      );
    };
    again();
  }
}
