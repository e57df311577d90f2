import { createSimulatedClock, type SimulatedClock } from "../adapters/clock/simulated.ts";
import { checkedHandler, checkedUpstream } from "../adapters/checked-exchange.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSimulatedLauncher, type SimulatedLauncher } from "../adapters/engine-launcher/simulated.ts";
import { createMemoryEventLog, type MemoryEventLog } from "../adapters/event-log/memory.ts";
import { createInProcessLink } from "../adapters/gateway-link/in-process.ts";
import { createMemoryGatewayMemory } from "../adapters/gateway-memory/memory.ts";
import { createSimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import { createSimulatedHost } from "../adapters/host/simulated.ts";
import { createSha256KeyDigest } from "../adapters/key-digest/sha256.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { createApiKey } from "../admin/api-keys.ts";
import type { ResourceDraft } from "../api/resource.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { assert } from "../base/assert.ts";
import { gatewayId, tenantId } from "../base/ids.ts";
import { startControllers, type Controllers } from "../controllers/start-controllers.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { Random } from "../ports/random.ts";
import type { Upstream } from "../ports/upstream.ts";
import { createSimulatedNetwork, type SimulatedNetwork } from "./network.ts";
import { startWorldEngines } from "./world-engine.ts";

const STATE_ID = "simulated-state";
const GATEWAY = "gateway-0";

/**
 * The whole platform in one process on a virtual clock: control plane, one gateway, engines on simulated GPUs.
 * The same seed gives the same `log`, to the byte.
 */
export interface World {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly launcher: SimulatedLauncher;
  readonly store: ClusterStore;
  readonly log: MemoryEventLog;
  readonly gatewayAddress: EndpointAddress;
  /** Chance for one purpose, independent of all others. */
  chance(purpose: string): Random;
  upstreamOf(party: string): Upstream;
  /** A key of that tenant, known to the gateway soon after. */
  createKey(tenant: string): Promise<string>;
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

  const gateway = createGateway(
    {
      clock,
      random: chance(GATEWAY),
      host: createSimulatedHost(),
      upstream: upstreamOf(GATEWAY),
      link: link.link,
      memory: createMemoryGatewayMemory(),
      keyDigest: createSha256KeyDigest(),
      eventLog: log,
    },
    { id: gatewayId(GATEWAY), pid: 1 },
  );
  const gatewayAddress = { host: "127.0.0.1", port: 8_080 };
  network.attach(gatewayAddress, checkedHandler(gateway.handler), GATEWAY);
  await gateway.load();
  gateway.start(gatewayAddress);
  const controllers = await startControllers({
    store,
    launcher,
    driver: account.driver,
    upstream: upstreamOf("control-plane"),
    hub: link.hub,
    clock,
    random: chance("control-plane"),
    log,
    stateId: STATE_ID,
  });
  return {
    clock,
    network,
    launcher,
    store,
    log,
    gatewayAddress,
    chance,
    upstreamOf,
    createKey: async (tenant) => {
      const created = await createApiKey(tenantId(tenant), { store, random: chance(`key of ${tenant}`), digest: createSha256KeyDigest() });
      assert(created.ok, "a key is made");
      return created.value.key;
    },
    stop: () => stopAll({ clock, launcher, gateway, controllers }),
  };
}

interface Running {
  readonly clock: SimulatedClock;
  readonly launcher: SimulatedLauncher;
  readonly gateway: Gateway;
  readonly controllers: Controllers;
}

async function stopAll({ clock, launcher, gateway, controllers }: Running): Promise<void> {
  const stopped = controllers.stop();
  gateway.stop();
  await clock.advance(2_000);
  await stopped;
  for (const engine of await launcher.observe()) launcher.kill(engine.instance, "the world ends");
  await clock.advance(2_000);
}
