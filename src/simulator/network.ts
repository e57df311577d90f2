import { ok } from "../base/result.ts";
import { isSameJson } from "../base/same-json.ts";
import type { SimulatedClock } from "../adapters/clock/simulated.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Handler, HttpFront } from "../ports/http-front.ts";
import type { Random } from "../ports/random.ts";
import type { Upstream } from "../ports/upstream.ts";
import { ByteLender } from "./byte-lender.ts";
import { SimulatedConnection, type ConnectionEnd } from "./network-connection.ts";
import { Lane } from "./network-lane.ts";

/** How bytes travel between two parties, each way. */
export interface LinkQuality {
  readonly delayMs: { readonly min: number; readonly max: number };
  /** Share of the frames that are lost once and sent again. */
  readonly lossRatio: number;
  /** Share of the frames at which the connection ends instead: half of them by FIN, half by RST. */
  readonly cutRatio: number;
}

/** What a link is unless it is told otherwise. */
export const LOOPBACK: LinkQuality = { delayMs: { min: 0.05, max: 0.3 }, lossRatio: 0, cutRatio: 0 };
/** Linux' least retransmission timeout. */
const RETRANSMIT_MS = 200;
/** Share of the frames sent at one instant that arrive one by one all the same. */
const APART_RATIO = 0.2;

/** A party is a process with a name; one address belongs to one party. */
export interface SimulatedNetwork {
  /** Calls made by a party. Their events come on the network's clock. */
  upstreamOf(party: string): Upstream;
  /** Listens for a party; port 0 is given the next free one. */
  frontOf(party: string): HttpFront;
  /** The short way to listen. Calls to an address without a handler are refused. */
  attach(address: EndpointAddress, handler: Handler, party?: string): void;
  /** Nobody listens there any more; open exchanges go on. */
  detach(address: EndpointAddress): void;
  /** As SIGKILL: its kernel ends every connection; nothing more happens in the process, and its addresses refuse. */
  crash(party: string): void;
  /** As SIGSTOP: connects are still accepted, bytes wait in both directions until `thaw`. */
  freeze(party: string): void;
  thaw(party: string): void;
  /** One direction between two processes for messages that are no HTTP: in order, delayed, held as every connection is; loses nothing. */
  laneOf(from: string, to: string): Lane;
  /** Makes the party one of a group, whose name then stands for each of its members in `partition` and `heal`. */
  join(party: string, group: string): void;
  /**
   * Bytes between the two wait until `heal`; connects time out. Each is a party or a group; `*` = everybody: the party is half-open
   * for all. What was cut by one pair of names is healed by the same pair.
   */
  partition(one: string, other: string): void;
  heal(one: string, other: string): void;
  setLink(one: string, other: string, quality: Partial<LinkQuality>): void;
  /** Connections that are open now, for checks on leaks. */
  openCount(): number;
  /** Those between one caller and one listener. */
  openBetween(caller: string, listener: string): number;
}

/**
 * A network in one process on a virtual clock: an Upstream's call reaches the Handler at its address, byte for byte through seeded
 * delay, loss, cuts and splits. Lent bytes are overwritten after their callback. The same seed gives the same `log`.
 */
export function createSimulatedNetwork(clock: SimulatedClock, random: Random, log: EventLog | null = null): SimulatedNetwork {
  return new Network(clock, random, log);
}

interface Listening {
  readonly party: string;
  readonly handler: Handler;
}

class Network implements SimulatedNetwork {
  readonly #clock: SimulatedClock;
  readonly #random: Random;
  readonly #log: EventLog | null;
  readonly #listening = new Map<string, Listening>();
  readonly #hosts = new Map<string, string>();
  readonly #connections = new Set<SimulatedConnection>();
  readonly #frozen = new Set<string>();
  readonly #partitions = new Set<string>();
  readonly #links = new Map<string, LinkQuality>();
  readonly #groups = new Map<string, string>();
  readonly #lanes = new Map<string, Lane>();
  readonly #lender = new ByteLender();
  #callCount = 0;
  #nextPort = 40_000;

  constructor(clock: SimulatedClock, random: Random, log: EventLog | null) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  upstreamOf(party: string): Upstream {
    return {
      call: (to, request, events) => {
        this.#callCount += 1;
        const key = keyOf(to);
        const connection = new SimulatedConnection(
          {
            id: this.#callCount,
            clock: this.#clock,
            random: this.#random,
            listenerAt: () => this.#listening.get(key) ?? null,
            hostAt: () => this.#hosts.get(key) ?? null,
            isPartitioned: (other) => this.#isPartitioned(party, other),
            isHeld: (other) => this.#isHeld(party, other),
            frameDelayMs: (other) => this.#frameDelayMs(party, other),
            areTogether: () => this.#areTogether(),
            isFrameCut: (other) => this.#isFrameCut(party, other),
            lend: (bytes, to) => this.#lender.lend(bytes, to),
            log: this.#log,
            closed: (one) => this.#connections.delete(one),
          },
          { from: party, to, request, events },
        );
        this.#connections.add(connection);
        return connection.start();
      },
    };
  }

  frontOf(party: string): HttpFront {
    return {
      listen: async (at, handler) => {
        const address = { host: at.host, port: at.port === 0 ? this.#freePort(at.host) : at.port };
        if (this.#listening.has(keyOf(address))) return { ok: false, error: { code: "ADDRESS_IN_USE", address } };
        this.attach(address, handler, party);
        return ok({ address, close: (graceMs: number) => this.#close(address, graceMs) });
      },
    };
  }

  attach(address: EndpointAddress, handler: Handler, party: string = keyOf(address)): void {
    this.#listening.set(keyOf(address), { party, handler });
    this.#hosts.set(keyOf(address), party);
  }

  detach(address: EndpointAddress): void {
    this.#listening.delete(keyOf(address));
  }

  crash(party: string): void {
    this.#log?.record({ level: "info", event: "network.crash", fields: { atMs: this.#clock.monotonicMs(), party } });
    for (const [key, listening] of this.#listening) if (listening.party === party) this.#listening.delete(key);
    const wasFrozen = this.#frozen.delete(party);
    for (const connection of this.#connections) connection.partyDied(party, this.#drawEnd());
    if (wasFrozen) this.#wakeAll();
  }

  freeze(party: string): void {
    this.#frozen.add(party);
  }

  thaw(party: string): void {
    this.#frozen.delete(party);
    this.#wakeAll();
  }

  laneOf(from: string, to: string): Lane {
    const key = `${from} ${to}`;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane = new Lane(this.#clock, {
      isHeld: () => this.#isHeld(from, to),
      delayMs: () => this.#frameDelayMs(from, to),
      areTogether: () => this.#areTogether(),
    });
    this.#lanes.set(key, lane);
    return lane;
  }

  join(party: string, group: string): void {
    this.#groups.set(party, group);
  }

  partition(one: string, other: string): void {
    this.#partitions.add(pairOf(one, other));
  }

  heal(one: string, other: string): void {
    this.#partitions.delete(pairOf(one, other));
    this.#wakeAll();
  }

  setLink(one: string, other: string, quality: Partial<LinkQuality>): void {
    const link = { ...this.#linkOf(one, other), ...quality };
    // Where all links are as links are, none is looked up.
    if (isSameJson(link, LOOPBACK)) this.#links.delete(pairOf(one, other));
    else this.#links.set(pairOf(one, other), link);
  }

  openCount(): number {
    return this.#connections.size;
  }

  openBetween(caller: string, listener: string): number {
    return [...this.#connections].filter((one) => one.isBetween(caller, listener)).length;
  }

  async #close(address: EndpointAddress, graceMs: number): Promise<void> {
    const party = this.#listening.get(keyOf(address))?.party;
    this.detach(address);
    const mine = (): readonly SimulatedConnection[] => [...this.#connections].filter((one) => one.isAt(address));
    const untilMs = this.#clock.monotonicMs() + graceMs;
    // Looked at in steps, as the listener has no other news of its exchanges.
    while (mine().length > 0 && this.#clock.monotonicMs() < untilMs) await this.#clock.sleep(1, new AbortController().signal);
    if (party !== undefined) for (const connection of mine()) connection.cutByListener();
  }

  #freePort(host: string): number {
    while (this.#listening.has(keyOf({ host, port: this.#nextPort }))) this.#nextPort += 1;
    return this.#nextPort;
  }

  #isHeld(one: string, other: string): boolean {
    if (this.#frozen.size > 0 && (this.#frozen.has(one) || this.#frozen.has(other))) return true;
    return this.#isPartitioned(one, other);
  }

  #isPartitioned(one: string, other: string): boolean {
    if (this.#partitions.size === 0 || one === other) return false;
    const others = this.#namesOf(other);
    return this.#namesOf(one).some((name) => others.some((of) => this.#partitions.has(pairOf(name, of))));
  }

  #namesOf(party: string): readonly string[] {
    const group = this.#groups.get(party);
    return group === undefined ? [party, "*"] : [party, group, "*"];
  }

  #areTogether(): boolean {
    return this.#random.next() >= APART_RATIO;
  }

  #isFrameCut(one: string, other: string): boolean {
    const { cutRatio } = this.#linkOf(one, other);
    return cutRatio > 0 && this.#random.next() < cutRatio;
  }

  #linkOf(one: string, other: string): LinkQuality {
    if (this.#links.size === 0) return LOOPBACK;
    return this.#links.get(pairOf(one, other)) ?? LOOPBACK;
  }

  #frameDelayMs(one: string, other: string): number {
    const { delayMs, lossRatio } = this.#linkOf(one, other);
    const resentMs = lossRatio > 0 && this.#random.next() < lossRatio ? RETRANSMIT_MS : 0;
    return delayMs.min + this.#random.next() * (delayMs.max - delayMs.min) + resentMs;
  }

  #drawEnd(): ConnectionEnd {
    // A kernel resets where bytes lay unread, and says FIN elsewhere.
    return this.#random.next() < 0.5 ? "CUT" : "RESET";
  }

  #wakeAll(): void {
    for (const connection of this.#connections) connection.wake();
    for (const lane of this.#lanes.values()) lane.wake();
  }
}

const keyOf = (address: EndpointAddress): string => `${address.host}:${address.port}`;
const pairOf = (one: string, other: string): string => (one < other ? `${one} ${other}` : `${other} ${one}`);
