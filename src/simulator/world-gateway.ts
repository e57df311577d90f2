import { checkedHandler, checkedUpstream } from "../adapters/checked-exchange.ts";
import type { SimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryGatewayMemory } from "../adapters/gateway-memory/memory.ts";
import { createSimulatedHost } from "../adapters/host/simulated.ts";
import { createSha256KeyDigest } from "../adapters/key-digest/sha256.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { assert } from "../base/assert.ts";
import { gatewayId } from "../base/ids.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { GatewayMemory } from "../ports/gateway-memory.ts";
import type { GatewayProcesses } from "../ports/gateway-processes.ts";
import type { Random } from "../ports/random.ts";
import type { GatewayLink } from "../ports/gateway-link.ts";
import type { Upstream } from "../ports/upstream.ts";
import { isGatewayCrashSite, type GatewayCallSite, type GatewayCrashSite } from "./crash-points.ts";
import { Mortal, type Crash, type CrashPoint } from "./mortal.ts";
import type { SimulatedNetwork } from "./network.ts";
import { NO_CALL, ProcessLife } from "./process-life.ts";
import { LAST_BYTES_MS } from "./world-control-plane.ts";
import { clockOf, type WorldNoise } from "./world-noise.ts";

export interface WorldGatewayParts {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly log: EventLog;
  readonly lives: Map<string, ProcessLife>;
  readonly chance: (purpose: string) => Random;
  readonly addLink: () => GatewayLink;
  readonly noise: WorldNoise;
}

const FIRST_PORT = 8_080;
/** How long a host speaks of its worst delay. */
const LAG_SEEN_MS = 1_000;
const STEP_MS = 10;

/** The first gateway is `gateway-0`: its name on the network, on the link and in reports. */
export const gatewayName = (index: number): string => `gateway-${index}`;

interface GatewayDeathAt {
  readonly point: CrashPoint;
  readonly site: GatewayCrashSite | null;
  /** One that comes to no such call in time lives on. */
  readonly isSpared?: boolean;
}

/** All gateways of a world, each with an address, a link and a file of its own. */
export class WorldGateways implements GatewayProcesses {
  readonly #parts: WorldGatewayParts;
  readonly #gateways: readonly WorldGateway[];
  #pids = 0;

  constructor(parts: WorldGatewayParts, count: number) {
    this.#parts = parts;
    assert(Number.isSafeInteger(count) && count >= 1, "a world has at least one gateway");
    this.#gateways = Array.from({ length: count }, (_, index) => new WorldGateway(parts, index));
  }

  get addresses(): readonly { readonly name: string; readonly address: EndpointAddress }[] {
    return this.#gateways.map(({ name, address }) => ({ name, address }));
  }

  async start(): Promise<void> {
    for (const gateway of this.#gateways) await gateway.start(this.#nextPid());
  }

  stop(): void {
    for (const gateway of this.#gateways) gateway.stop();
  }

  async restart(name: string): Promise<void> {
    const gateway = this.#named(name);
    gateway.crash();
    await gateway.start(this.#nextPid());
  }

  /** Dies at its next call of that site (null = any that changes something), or after `withinMs`; the next one starts at once. */
  async crash(name: string, { point, site, isSpared }: GatewayDeathAt, withinMs: number): Promise<boolean> {
    const gateway = this.#named(name);
    const death: { at: GatewayCallSite | null } = { at: null };
    const isAt = (call: GatewayCallSite): boolean => (site === null ? isGatewayCrashSite(call) : call === site);
    const { clock, log, network } = this.#parts;
    const died = (call: GatewayCallSite): void => {
      death.at = call;
      clock.after(LAST_BYTES_MS, () => network.crash(name));
    };
    gateway.dieAt({ point, isAt, died });
    for (let waitedMs = 0; death.at === null && waitedMs < withinMs; waitedMs += STEP_MS) await clock.advance(STEP_MS);
    if (death.at !== null) await clock.advance(LAST_BYTES_MS);
    else if (isSpared === true) {
      gateway.spare();
      return false;
    }
    log.record({ level: "info", event: "world.gateway-crashed", fields: { atMs: clock.monotonicMs(), name, point, site: death.at } });
    await this.restart(name);
    return death.at !== null;
  }

  #named(name: string): WorldGateway {
    const gateway = this.#gateways.find((one) => one.name === name);
    assert(gateway !== undefined, `${name} is a gateway of this world`);
    return gateway;
  }

  running(): readonly number[] {
    return this.#gateways.flatMap(({ pid }) => pid ?? []);
  }

  watch(pid: number): () => boolean {
    return () => this.running().includes(pid);
  }

  #nextPid(): number {
    this.#pids += 1;
    return this.#pids;
  }
}

/** One gateway process after the other; its file outlives them. */
class WorldGateway {
  readonly name: string;
  readonly address: EndpointAddress;
  readonly #parts: WorldGatewayParts;
  readonly #memory: GatewayMemory = createMemoryGatewayMemory();
  #process: { readonly gateway: Gateway; readonly mortal: Mortal<GatewayCallSite>; readonly pid: number } | null = null;
  #starts = 0;

  constructor(parts: WorldGatewayParts, index: number) {
    this.#parts = parts;
    this.name = gatewayName(index);
    this.address = { host: "127.0.0.1", port: FIRST_PORT + index };
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  async start(pid: number): Promise<void> {
    const { clock, chance, network, addLink, log, lives, noise } = this.#parts;
    this.#starts += 1;
    const life = new ProcessLife(clockOf(clock, noise, this.name));
    const mortal = new Mortal<GatewayCallSite>(life);
    const host = createSimulatedHost();
    life.onResume((pausedMs) => {
      host.setLoopLagMs(pausedMs);
      life.clock.after(LAG_SEEN_MS, () => host.setLoopLagMs(0));
    });
    const gateway = createGateway(
      {
        clock: life.clock,
        random: chance(this.#starts === 1 ? this.name : `${this.name} ${this.#starts}`),
        host,
        upstream: checkedUpstream(mortalUpstream(life.upstream(network.upstreamOf(this.name)), mortal)),
        link: mortalLink(addLink(), mortal),
        memory: mortalMemory(this.#memory, mortal),
        keyDigest: createSha256KeyDigest(),
        eventLog: {
          record: (event) => {
            if (!life.isDead) log.record({ ...event, fields: { ...event.fields, gateway: this.name } });
          },
        },
      },
      { id: gatewayId(this.name), pid },
    );
    lives.set(this.name, life);
    network.attach(this.address, checkedHandler(gateway.handler), this.name);
    await gateway.load();
    gateway.start(this.address);
    this.#process = { gateway, mortal, pid };
  }

  dieAt(crash: Crash<GatewayCallSite>): void {
    assert(this.#process !== null, `${this.name} runs`);
    this.#process.mortal.dieAt(crash);
  }

  spare(): void {
    this.#process?.mortal.spare();
  }

  /** As SIGKILL. */
  crash(): void {
    // Its connections first: a dead process has no last word.
    this.#parts.network.crash(this.name);
    this.stop();
  }

  stop(): void {
    this.#process?.gateway.stop();
    this.#process?.mortal.life.end();
    this.#process = null;
    this.#parts.lives.delete(this.name);
  }
}

const mortalUpstream = (upstream: Upstream, mortal: Mortal<GatewayCallSite>): Upstream => ({
  call: (to, request, events) => mortal.tell("upstream.call", NO_CALL, () => upstream.call(to, request, events)),
});

const mortalLink = (link: GatewayLink, mortal: Mortal<GatewayCallSite>): GatewayLink => ({
  open: (hello, events) => mortal.tell("link.open", undefined, () => link.open(hello, events)),
  send: (message) => mortal.tell("link.send", false, () => link.send(message)),
  // The kernel closes what a dead process had open.
  close: () => link.close(),
});

const mortalMemory = (memory: GatewayMemory, mortal: Mortal<GatewayCallSite>): GatewayMemory => ({
  load: () => mortal.ask("memory.load", () => memory.load()),
  save: (snapshot) => mortal.ask("memory.save", () => memory.save(snapshot)),
});
