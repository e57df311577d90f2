import { createSimulatedClock, type SimulatedClock } from "../../src/adapters/clock/simulated.ts";
import { createSimulatedLauncher, type SimulatedLauncher } from "../../src/adapters/engine-launcher/simulated.ts";
import { createMemoryEventLog } from "../../src/adapters/event-log/memory.ts";
import { createInProcessLink } from "../../src/adapters/gateway-link/in-process.ts";
import { createSimulatedAccount, type SimulatedAccount } from "../../src/adapters/gpu-driver/simulated.ts";
import { createSeededRandom } from "../../src/adapters/random/simulated.ts";
import { NONE_RETURNED, type ServiceCounts } from "../../src/api/link-message.ts";
import type { ResourceDraft } from "../../src/api/resource.ts";
import { gatewayId, serviceName } from "../../src/base/ids.ts";
import { callEngine } from "../../src/instances/call-engine.ts";
import { createLinkController } from "../../src/controllers/link-controller.ts";
import { createPartitionPlanner, reconcilePartitions } from "../../src/controllers/partition-controller.ts";
import { createStandbyController, serviceOfPartition, type StandbyController } from "../../src/controllers/standby-controller.ts";
import type { ClusterStore } from "../../src/ports/cluster-store.ts";
import type { GatewayLink } from "../../src/ports/gateway-link.ts";
import { createSimulatedNetwork } from "../../src/simulator/network.ts";
import { startWorldEngines } from "../../src/simulator/world-engine.ts";
import { NO_NOISE } from "../../src/simulator/world-noise.ts";
import { CONTROL_PLANE } from "../../src/simulator/world-control-plane.ts";

const STATE_ID = "bench-state";
const SEED = 1;
const GATEWAY_COUNT = 2;
const COUNTS_EVERY_MS = 1_000;
/** Engines end themselves when nobody asks after them; gateways do. */
const CLAIM_EVERY_MS = 10_000;
const GATEWAY = "gateway-0";
const HEALTH = { method: "GET", target: "/health", headers: [], body: null } as const;

/** The control plane's loops over the simulator's network, engines and GPUs; each look is made when it is asked for, and can be timed. */
export interface BenchPlatform {
  readonly clock: SimulatedClock;
  readonly store: ClusterStore;
  readonly launcher: SimulatedLauncher;
  readonly account: SimulatedAccount;
  readonly standby: Pick<StandbyController, "reconcile">;
  /** The partition loop's look. */
  reconcilePartitions(): Promise<void>;
  /** Services that somebody asked to look at since the last call; `null` = nobody asked for the partitions. */
  takeAsked(): { readonly services: readonly string[]; readonly hasPartitions: boolean };
  stop(): Promise<void>;
}

/** @param createStore on the platform's clock. */
export async function startPlatform(
  drafts: readonly ResourceDraft[],
  createStore: (clock: SimulatedClock) => Promise<ClusterStore>,
): Promise<BenchPlatform> {
  const clock = createSimulatedClock(0, createSeededRandom(`${SEED}/order`));
  const log = createMemoryEventLog(0);
  const network = createSimulatedNetwork(clock, createSeededRandom(`${SEED}/network`));
  const store = await createStore(clock);
  const account = createSimulatedAccount(clock);
  const parts = { seed: SEED, stateId: STATE_ID, clock, network, account, lives: new Map(), noise: NO_NOISE, ordered: () => undefined };
  const launcher = createSimulatedLauncher(startWorldEngines(parts));
  const wire = createInProcessLink();
  const random = createSeededRandom(`${SEED}/control-plane`);
  const gatewayProcesses = { running: () => [], watch: () => () => true };
  const asked = new Set<string>();
  const wants = { arePartitionsAsked: true };
  const ask = (service: string): void => void asked.add(service);
  const upstream = network.upstreamOf(CONTROL_PLANE);
  const ports = { store, launcher, driver: account.driver, upstream, clock, random, log, stateId: STATE_ID };
  const link = createLinkController(
    { ...ports, hub: wire.hub, gatewayProcesses },
    {
      ejected: (report) => standby.report(report),
      activated: (report) => standby.activated(report),
      episode: ask,
      acknowledged: ask,
    },
  );
  const standby = createStandbyController({ ...ports, desk: link }, ask);
  const watching = store.watch(({ kind, name }) => {
    if (kind === "HotStandbyConfig" || kind === "GPUNode" || kind === "GPUPartition") wants.arePartitionsAsked = true;
    const service = kind === "HotStandbyConfig" ? name : kind === "GPUPartition" ? serviceOfPartition(name) : null;
    if (service !== null) asked.add(service);
  });
  for (const draft of drafts) if (!(await store.create(draft)).ok) throw new Error(`${draft.kind} ${draft.name} is not created.`);
  await link.open();
  const services = drafts.flatMap(({ kind, name }) => (kind === "HotStandbyConfig" ? [name] : []));
  const gateways = Array.from({ length: GATEWAY_COUNT }, (_, index) => joinGateway(wire.addLink(), index));
  const tellCounts = (): void => {
    for (const gateway of gateways) gateway.send({ type: "counts", services: services.map(countsOf) });
    clock.after(COUNTS_EVERY_MS, tellCounts);
  };
  tellCounts();
  const ending = new AbortController();
  const claim = async (): Promise<void> => {
    const engine = { upstream: network.upstreamOf(GATEWAY), clock, claim: STATE_ID };
    for (const { address } of await launcher.observe())
      void callEngine(engine, address, HEALTH, { timeoutMs: COUNTS_EVERY_MS }, ending.signal);
    clock.after(CLAIM_EVERY_MS, () => void claim());
  };
  void claim();
  const planner = createPartitionPlanner();
  return {
    clock,
    store,
    launcher,
    account,
    standby,
    async reconcilePartitions() {
      await reconcilePartitions({ store, driver: account.driver, clock, log }, planner);
    },
    takeAsked() {
      const taken = { services: [...asked], hasPartitions: wants.arePartitionsAsked };
      asked.clear();
      wants.arePartitionsAsked = false;
      return taken;
    },
    async stop() {
      watching.stop();
      for (const gateway of gateways) gateway.close();
      for (const { instance } of await launcher.observe()) launcher.kill(instance, "the bench ends");
      const stopped = standby.stop();
      await clock.advance(STOP_MS);
      await stopped;
      await store.close();
    },
  };
}

const STOP_MS = 2_000;

/** Acknowledges whatever it is told. */
function joinGateway(link: GatewayLink, index: number): GatewayLink {
  const hello = {
    type: "hello",
    gateway: gatewayId(`gateway-${index}`),
    pid: 1_000 + index,
    address: `127.0.0.1:${8_080 + index}`,
  } as const;
  link.open(hello, {
    connected: () => undefined,
    disconnected: () => undefined,
    message: (message) => {
      if (message.type !== "table") return;
      const { uid, epoch, revision } = message.table;
      link.send({ type: "ack", uid, epoch, revision });
    },
  });
  return link;
}

const countsOf = (service: string): ServiceCounts => ({
  service: serviceName(service),
  requests: 0,
  failed: 0,
  inFlight: 0,
  promptTokens: 0,
  outputTokens: 0,
  firstTokenP99Ms: null,
  alertCounters: null,
  returned: NONE_RETURNED,
});
