import { createSimulatedClock, type SimulatedClock } from "../adapters/clock/simulated.ts";
import { checkedHandler, checkedUpstream } from "../adapters/checked-exchange.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSimulatedLauncher, type SimulatedLauncher } from "../adapters/engine-launcher/simulated.ts";
import { createMemoryEventLog, type MemoryEventLog } from "../adapters/event-log/memory.ts";
import { createInProcessLink, type InProcessLink } from "../adapters/gateway-link/in-process.ts";
import { createMemoryGatewayMemory } from "../adapters/gateway-memory/memory.ts";
import { createSimulatedAccount, type SimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import { createSimulatedHost } from "../adapters/host/simulated.ts";
import { createSha256KeyDigest } from "../adapters/key-digest/sha256.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { createApiKey } from "../admin/api-keys.ts";
import type { ResourceDraft } from "../api/resource.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { assert } from "../base/assert.ts";
import { gatewayId, tenantId } from "../base/ids.ts";
import { startControllers, type Controllers, type ControlPorts } from "../controllers/start-controllers.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import type { GatewayPorts } from "../gateway/gateway-ports.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { GatewayProcesses } from "../ports/gateway-processes.ts";
import type { Random } from "../ports/random.ts";
import type { Upstream } from "../ports/upstream.ts";
import { createMortalPorts, type CrashPoint, type MortalPorts } from "./mortal-ports.ts";
import { createSimulatedNetwork, type SimulatedNetwork } from "./network.ts";
import { startWorldEngines } from "./world-engine.ts";

const STATE_ID = "simulated-state";
const GATEWAY = "gateway-0";
const GATEWAY_ADDRESS: EndpointAddress = { host: "127.0.0.1", port: 8_080 };
/** Calls that are under way when a loop ends. */
const STOP_MS = 2_000;
const CRASH_STEP_MS = 10;

/**
 * The whole platform in one process on a virtual clock: control plane, one gateway, engines on simulated GPUs.
 * The same seed gives the same `log`, to the byte.
 */
export interface World {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly launcher: SimulatedLauncher;
  readonly account: SimulatedAccount;
  readonly store: ClusterStore;
  readonly log: MemoryEventLog;
  readonly gatewayAddress: EndpointAddress;
  /** Chance for one purpose, independent of all others. */
  chance(purpose: string): Random;
  upstreamOf(party: string): Upstream;
  /** A key of that tenant, known to the gateway soon after. */
  createKey(tenant: string): Promise<string>;
  /** Its loops end and its link breaks; engines and gateway run on. */
  stopControlPlane(): Promise<void>;
  /** The next control plane finds the same store and the same engines. */
  startControlPlane(): Promise<void>;
  /** As SIGKILL at its next write to the store, or after `withinMs` without one; the next one starts at once. */
  crashControlPlane(point: CrashPoint, withinMs: number): Promise<void>;
  /** As SIGKILL: its clients are cut. The next one has its file. */
  restartGateway(): Promise<void>;
  /** No word passes between the planes until `restoreLink`. */
  cutLink(): void;
  restoreLink(): void;
  isLinkCut(): boolean;
  /** Ends gateway, loops and engines; nothing must be open afterwards. */
  stop(): Promise<void>;
}

/** Starts everything for these resources; engines are still loading when it resolves. */
export async function startWorld(seed: number, drafts: readonly ResourceDraft[]): Promise<World> {
  const clock = createSimulatedClock();
  const log = createMemoryEventLog();
  const chance = (purpose: string): Random => createSeededRandom(`${seed}/${purpose}`);
  const network = createSimulatedNetwork(clock, chance("network"), log);
  const store = createMemoryStore(clock);
  const account = createSimulatedAccount(clock);
  const launcher = createSimulatedLauncher(startWorldEngines({ seed, stateId: STATE_ID, clock, network, account }));
  const link = createInProcessLink();
  const upstreamOf = (party: string): Upstream => checkedUpstream(network.upstreamOf(party));
  for (const draft of drafts) assert((await store.create(draft)).ok, `${draft.kind} ${draft.name} is created`);

  const gateway = new WorldGateway({ clock, chance, network, upstream: upstreamOf(GATEWAY), addLink: () => link.addLink(), log });
  await gateway.start();
  const controlPlane = new ControlPlane(clock, {
    store,
    launcher,
    driver: account.driver,
    upstream: upstreamOf("control-plane"),
    hub: link.hub,
    gatewayProcesses: gateway,
    clock,
    random: chance("control-plane"),
    log,
    stateId: STATE_ID,
  });
  await controlPlane.start();
  return {
    clock,
    network,
    launcher,
    account,
    store,
    log,
    gatewayAddress: GATEWAY_ADDRESS,
    chance,
    upstreamOf,
    createKey: async (tenant) => {
      const created = await createApiKey(tenantId(tenant), { store, random: chance(`key of ${tenant}`), digest: createSha256KeyDigest() });
      assert(created.ok, "a key is made");
      return created.value.key;
    },
    stopControlPlane: () => controlPlane.stop(),
    startControlPlane: () => controlPlane.start(),
    crashControlPlane: async (point, withinMs) => {
      await controlPlane.crash(point, withinMs);
      network.crash("control-plane");
      await controlPlane.start();
    },
    restartGateway: () => gateway.restart(),
    ...linkSwitch(link),
    stop: async () => {
      gateway.stop();
      await controlPlane.stop();
      for (const engine of await launcher.observe()) launcher.kill(engine.instance, "the world ends");
      await clock.advance(STOP_MS);
    },
  };
}

function linkSwitch(link: InProcessLink): Pick<World, "cutLink" | "restoreLink" | "isLinkCut"> {
  let isCut = false;
  return {
    cutLink: () => {
      isCut = true;
      link.cut();
    },
    restoreLink: () => {
      isCut = false;
      link.restore();
    },
    isLinkCut: () => isCut,
  };
}

type GatewayParts = Pick<GatewayPorts, "upstream"> &
  Pick<World, "clock" | "network" | "log" | "chance"> & { readonly addLink: () => GatewayPorts["link"] };

/** One gateway process after the other; its file outlives them. */
class WorldGateway implements GatewayProcesses {
  readonly #parts: GatewayParts;
  readonly #memory = createMemoryGatewayMemory();
  #gateway: Gateway | null = null;
  #pid = 0;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { clock, chance, network, upstream, addLink, log } = this.#parts;
    this.#pid += 1;
    const gateway = createGateway(
      {
        clock,
        random: chance(this.#pid === 1 ? GATEWAY : `${GATEWAY} ${this.#pid}`),
        host: createSimulatedHost(),
        upstream,
        link: addLink(),
        memory: this.#memory,
        keyDigest: createSha256KeyDigest(),
        eventLog: log,
      },
      { id: gatewayId(GATEWAY), pid: this.#pid },
    );
    network.attach(GATEWAY_ADDRESS, checkedHandler(gateway.handler), GATEWAY);
    await gateway.load();
    gateway.start(GATEWAY_ADDRESS);
    this.#gateway = gateway;
  }

  get known(): readonly number[] {
    return this.#gateway === null ? [] : [this.#pid];
  }

  watch(pid: number): () => boolean {
    return () => this.known.includes(pid);
  }

  stop(): void {
    this.#gateway?.stop();
    this.#gateway = null;
  }

  async restart(): Promise<void> {
    // Its connections first: a dead process has no last word.
    this.#parts.network.crash(GATEWAY);
    this.stop();
    await this.start();
  }
}

/** One after the other, over the same world. */
class ControlPlane {
  readonly #clock: SimulatedClock;
  readonly #ports: ControlPorts;
  #controllers: Controllers | null = null;
  #life: MortalPorts | null = null;

  constructor(clock: SimulatedClock, ports: ControlPorts) {
    this.#clock = clock;
    this.#ports = ports;
  }

  async start(): Promise<void> {
    assert(this.#controllers === null, "one control plane runs at a time");
    this.#life = createMortalPorts(this.#ports);
    this.#controllers = await startControllers(this.#life.ports);
  }

  /** Resolves when it is dead. */
  async crash(point: CrashPoint, withinMs: number): Promise<void> {
    const life = this.#life;
    assert(life !== null && this.#controllers !== null, "a control plane runs");
    let isDead = false;
    life.dieAtWrite(point, () => (isDead = true));
    for (let waitedMs = 0; !isDead && waitedMs < withinMs; waitedMs += CRASH_STEP_MS) await this.#clock.advance(CRASH_STEP_MS);
    life.die();
    this.#controllers = null;
    await this.#ports.hub.close();
  }

  async stop(): Promise<void> {
    const stopping = this.#controllers;
    this.#controllers = null;
    if (stopping === null) return;
    const stopped = stopping.stop();
    await this.#clock.advance(STOP_MS);
    await stopped;
    await this.#ports.hub.close();
  }
}
