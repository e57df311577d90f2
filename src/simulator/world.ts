import { createSimulatedClock, type SimulatedClock } from "../adapters/clock/simulated.ts";
import { checkedUpstream } from "../adapters/checked-exchange.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSimulatedLauncher, type SimulatedLauncher } from "../adapters/engine-launcher/simulated.ts";
import { createMemoryEventLog, type MemoryEventLog } from "../adapters/event-log/memory.ts";
import { createInProcessLink, type InProcessLink, type LinkWay } from "../adapters/gateway-link/in-process.ts";
import { createSimulatedAccount, type SimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import { createSha256KeyDigest } from "../adapters/key-digest/sha256.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { createApiKey } from "../admin/api-keys.ts";
import { computeSlowdowns } from "../engine-model/compute-slowdown.ts";
import type { ResourceDraft } from "../api/resource.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { assert } from "../base/assert.ts";
import { gatewayId, tenantId } from "../base/ids.ts";
import type { ControlPorts } from "../controllers/start-controllers.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { GatewayProcesses } from "../ports/gateway-processes.ts";
import type { Random } from "../ports/random.ts";
import type { Upstream } from "../ports/upstream.ts";
import type { CallSite, CrashPlace, CrashSite, GatewayCrashSite } from "./crash-points.ts";
import { createFaultyStore, type FaultyStore, type StoreFaults } from "./faulty-store.ts";
import { jointLink } from "./joint-link.ts";
import type { CrashPoint, Standstill } from "./mortal.ts";
import { createSimulatedNetwork, type SimulatedNetwork } from "./network.ts";
import { NodeAgent, type AgentPorts, type ObeyedOrder } from "./node-agent.ts";
import type { ProcessLife } from "./process-life.ts";
import { CONTROL_PLANE, WorldControlPlane } from "./world-control-plane.ts";
import { startWorldEngines } from "./world-engine.ts";
import { WorldLeaders } from "./world-leaders.ts";
import { gatewayName, WorldGateways } from "./world-gateway.ts";
import { clockOf, NO_NOISE, type WorldNoise } from "./world-noise.ts";

const STATE_ID = "simulated-state";
/** Calls that are under way when everything ends. */
const STOP_MS = 2_000;

export interface WorldOptions {
  /** At least 1, which is also what is meant by none. */
  readonly gateways?: number;
  /** How many events the log keeps; 0 = none, only their hash. */
  readonly eventsMax?: number;
  /** Without it: nothing is uneven but the network. */
  readonly noise?: WorldNoise;
  /** 2 = a leader and a stand-by; 1, as without it: one alone, which needs no lease. */
  readonly controlPlanes?: 1 | 2;
  /** Of two control planes: what leaders ordered, as it was obeyed or refused. */
  readonly orders?: Pick<AgentPorts, "obeyed" | "refused">;
}

/**
 * The whole platform in one process on a virtual clock: control plane, gateways, engines on simulated GPUs. Who comes first of those
 * that are ready at the same instant is drawn from the seed. The same seed gives the same `log`, to the byte.
 *
 * Parties, by their names on the network: `control-plane` (and `control-plane-1`), `gateway-0` and so on, `<instance>/<generation>` (`partyOf`), and all of
 * these as the group `engines`; any two of them can be parted by `network.partition`.
 */
export interface World {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly launcher: SimulatedLauncher;
  readonly account: SimulatedAccount;
  /** The truth: faults of the store come between it and the control plane. */
  readonly store: ClusterStore;
  readonly log: MemoryEventLog;
  /** Of the first gateway. */
  readonly gatewayAddress: EndpointAddress;
  readonly gateways: readonly { readonly name: string; readonly address: EndpointAddress }[];
  /** Chance for one purpose, independent of all others. */
  chance(purpose: string): Random;
  upstreamOf(party: string): Upstream;
  /** A key of that tenant, known to the gateways soon after. */
  createKey(tenant: string): Promise<string>;
  /** Its loops end and its link breaks; engines and gateways run on. */
  stopControlPlane(): Promise<void>;
  /** The next control plane finds the same store and the same engines. */
  startControlPlane(): Promise<void>;
  /**
   * Of one alone: as SIGKILL at its next call of that kind (without `site`: its next write to the store), or after `withinMs` without one; the next
   * one starts at once.
   * @returns whether it came to that call.
   */
  crashControlPlane(point: CrashPoint, withinMs: number, site?: CrashSite): Promise<boolean>;
  /** As SIGKILL: its clients are cut. The next one has its file. Without a name: the first one. */
  restartGateway(name?: string): Promise<void>;
  /** As `crashControlPlane`; without `site`: its next call that changes anything. */
  crashGateway(
    name: string,
    at: { readonly point: CrashPoint; readonly site: GatewayCrashSite | null },
    withinMs: number,
  ): Promise<boolean>;
  /**
   * As SIGKILL at its next such call within `withinMs` (of the first gateway, where it is a gateway's), and the next one starts at once;
   * a process that comes to no such call lives on.
   * @returns whether it died.
   */
  crashAt(place: CrashPlace, withinMs: number): Promise<boolean>;
  /** As SIGSTOP of a control plane, a gateway or an engine: nothing happens in it, its bytes wait, and time goes on until `resume`. */
  pause(party: string): void;
  /** As SIGCONT; a party that has died meanwhile stays dead. */
  resume(party: string): void;
  /** No word passes between control plane and that gateway, or any, until `restoreLink` of the same. */
  cutLink(gateway?: string): void;
  restoreLink(gateway?: string): void;
  isLinkCut(gateway?: string): boolean;
  /** A control plane runs, does not stand still, leads where there are two, and its store has no fault. */
  isControlled(): boolean;
  /** Of two: the party that leads and runs; null = nobody does. */
  leader(): string | null;
  /** Of two: that one stands still at such a call, as `pause` does, until `resume`; null takes the order back. */
  standAt(party: string, standstill: Standstill<CallSite> | null): void;
  /** The control plane's store misbehaves for so long, and so only; a later order replaces it. */
  faultStore(faults: Partial<StoreFaults>, forMs: number): void;
  healStore(): void;
  /** Ends gateways, loops and engines; nothing must be open afterwards. */
  stop(): Promise<void>;
}

/** Starts everything for these resources; engines are still loading when it resolves. */
export async function startWorld(seed: number, drafts: readonly ResourceDraft[], options: WorldOptions = {}): Promise<World> {
  const ground = createGround(seed, options);
  const { clock, network, store, account, launcher, log, chance, lives, faulty, links } = ground;
  for (const draft of drafts) assert((await store.create(draft)).ok, `${draft.kind} ${draft.name} is created`);
  const gateways = new WorldGateways({ ...ground, addLink: () => jointLink(links.map((link) => link.addLink())) }, options.gateways ?? 1);
  await gateways.start();
  const leaders = options.controlPlanes === 2 ? createLeaders(ground, gateways) : null;
  const alone = createControlPlane(ground, gateways);
  const controlPlane = leaders ?? alone;
  await controlPlane.start();
  const [first] = gateways.addresses;
  assert(first !== undefined, "there is a gateway");
  const faults = storeFaults(clock, faulty);
  const { pause, resume } = pauses(network, lives);
  const isLooking = (): boolean => lives.get(CONTROL_PLANE)?.isPaused === false;
  return {
    clock,
    network,
    launcher,
    account,
    store,
    log,
    gatewayAddress: first.address,
    gateways: gateways.addresses,
    chance,
    upstreamOf: (party) => checkedUpstream(network.upstreamOf(party)),
    createKey: async (tenant) => {
      const created = await createApiKey(tenantId(tenant), { store, random: chance(`key of ${tenant}`), digest: createSha256KeyDigest() });
      assert(created.ok, "a key is made");
      return created.value.key;
    },
    stopControlPlane: () => controlPlane.stop(),
    startControlPlane: () => controlPlane.start(),
    ...deaths(alone, gateways),
    pause,
    resume,
    ...linkSwitch(links),
    isControlled: () => (leaders === null ? isLooking() : leaders.leader() !== null) && faulty.isSound(),
    leader: () => leaders?.leader() ?? null,
    standAt: (party, standstill) => leaders?.standAt(party, standstill),
    ...faults,
    stop: async () => {
      faults.healStore();
      for (const party of lives.keys()) resume(party);
      gateways.stop();
      await controlPlane.stop();
      for (const engine of await launcher.observe()) launcher.kill(engine.instance, "the world ends");
      await clock.advance(STOP_MS);
    },
  };
}

/** Two control planes only stand still: what one alone does after its death, a stand-by does sooner. */
function deaths(
  alone: WorldControlPlane,
  gateways: WorldGateways,
): Pick<World, "crashControlPlane" | "restartGateway" | "crashGateway" | "crashAt"> {
  return {
    crashControlPlane: async (point, withinMs, site) => {
      const hasReached = await alone.crash({ point, site: site ?? null }, withinMs);
      await alone.start();
      return hasReached;
    },
    restartGateway: (name) => gateways.restart(name ?? gatewayName(0)),
    crashGateway: (name, at, withinMs) => gateways.crash(name, at, withinMs),
    crashAt: async (place, withinMs) => {
      if (place.process === "gateway") return gateways.crash(gatewayName(0), { ...place, isSpared: true }, withinMs);
      const hasDied = await alone.crash({ ...place, isSpared: true }, withinMs);
      if (hasDied) await alone.start();
      return hasDied;
    },
  };
}

/** What all processes of a world stand on. */
interface Ground extends Pick<World, "clock" | "network" | "launcher" | "account" | "store" | "log" | "chance"> {
  readonly faulty: FaultyStore;
  /** One to each control plane, in their order. */
  readonly links: readonly InProcessLink[];
  readonly agent: NodeAgent;
  /** Every living process, by its party. */
  readonly lives: Map<string, ProcessLife>;
  readonly noise: WorldNoise;
}

const PLANES = [CONTROL_PLANE, `${CONTROL_PLANE}-1`];

function createGround(seed: number, { eventsMax, controlPlanes = 1, orders, noise = NO_NOISE }: WorldOptions): Ground {
  const chance = (purpose: string): Random => createSeededRandom(`${seed}/${purpose}`);
  const clock = createSimulatedClock(0, chance("order"));
  const log = createMemoryEventLog(eventsMax);
  const network = createSimulatedNetwork(clock, chance("network"), log);
  const store = createMemoryStore(clockOf(clock, noise, "store"));
  const account = createSimulatedAccount(clock, { slowdowns: computeSlowdowns });
  const lives = new Map<string, ProcessLife>();
  const ordered = (order: Pick<ObeyedOrder, "verb" | "term" | "whom">): void => agent.obeyed(order.verb, order.term, order.whom);
  const launcher = createSimulatedLauncher(startWorldEngines({ seed, stateId: STATE_ID, clock, network, account, lives, noise, ordered }));
  const agent = new NodeAgent({ launcher, driver: account.driver, obeyed: orders?.obeyed ?? ignore, refused: orders?.refused ?? ignore });
  return {
    clock,
    log,
    network,
    store,
    account,
    lives,
    noise,
    chance,
    faulty: createFaultyStore(store, { clock, random: chance("store"), log }),
    launcher,
    agent,
    links: PLANES.slice(0, controlPlanes).map((plane) => createInProcessLink((gateway) => linkWay(network, plane, gateway))),
  };
}

const ignore = (): void => undefined;

function createControlPlane(ground: Ground, gatewayProcesses: GatewayProcesses): WorldControlPlane {
  const { clock, network, lives } = ground;
  return new WorldControlPlane({ clock, network, lives, ports: controlPorts(ground, CONTROL_PLANE, gatewayProcesses) });
}

function createLeaders(ground: Ground, gatewayProcesses: GatewayProcesses): WorldLeaders {
  const { clock, lives, agent } = ground;
  const portsOf = new Map(PLANES.map((plane) => [plane, controlPorts(ground, plane, gatewayProcesses)]));
  return new WorldLeaders({ clock, lives, agent, portsOf });
}

function controlPorts(ground: Ground, plane: string, gatewayProcesses: GatewayProcesses): ControlPorts {
  const { clock, network, faulty, launcher, account, links, chance, log, noise } = ground;
  const link = links[PLANES.indexOf(plane)];
  assert(link !== undefined, "each control plane has its own link");
  return {
    store: faulty.store,
    launcher,
    driver: account.driver,
    upstream: checkedUpstream(network.upstreamOf(plane)),
    hub: link.hub,
    gatewayProcesses,
    clock: clockOf(clock, noise, plane),
    random: chance(plane),
    log,
    stateId: STATE_ID,
  };
}

/** The link's words travel as all others do: delayed, in order, and not to who is parted or stands still. */
function linkWay(network: SimulatedNetwork, plane: string, gateway: string): LinkWay {
  const up = network.laneOf(gateway, plane);
  const down = network.laneOf(plane, gateway);
  return { up: (act) => up.send(0, false, act), down: (act) => down.send(0, false, act) };
}

function linkSwitch(links: readonly InProcessLink[]): Pick<World, "cutLink" | "restoreLink" | "isLinkCut"> {
  const cut = new Set<string>();
  let areAllCut = false;
  return {
    cutLink: (gateway) => {
      if (gateway === undefined) areAllCut = true;
      else cut.add(gateway);
      for (const link of links) link.cut(gateway === undefined ? undefined : gatewayId(gateway));
    },
    restoreLink: (gateway) => {
      if (gateway === undefined) {
        areAllCut = false;
        cut.clear();
      } else cut.delete(gateway);
      for (const link of links) link.restore(gateway === undefined ? undefined : gatewayId(gateway));
    },
    isLinkCut: (gateway) => areAllCut || (gateway === undefined ? cut.size > 0 : cut.has(gateway)),
  };
}

function pauses(network: SimulatedNetwork, lives: ReadonlyMap<string, ProcessLife>): Pick<World, "pause" | "resume"> {
  return {
    pause: (party) => {
      const life = lives.get(party);
      assert(life !== undefined, `${party} is a living process of this world`);
      network.freeze(party);
      life.pause();
    },
    resume: (party) => {
      // Its life first: what waited in the process came before what waits on the wire.
      lives.get(party)?.resume();
      network.thaw(party);
    },
  };
}

function storeFaults(clock: SimulatedClock, faulty: FaultyStore): Pick<World, "faultStore" | "healStore"> {
  let orders = 0;
  const heal = (): void => {
    orders += 1;
    faulty.set({});
  };
  return {
    faultStore: (faults, forMs) => {
      heal();
      const order = orders;
      faulty.set(faults);
      clock.after(forMs, () => {
        if (orders === order) heal();
      });
    },
    healStore: heal,
  };
}
