import type { KeyEntry } from "../api/link-message.ts";
import { parseApiKey } from "../api/parse-api-key.ts";
import type { Kind } from "../api/resource.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { GatewayHub } from "../ports/gateway-link.ts";
import type { GatewayProcesses } from "../ports/gateway-processes.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import type { Random } from "../ports/random.ts";
import type { Upstream } from "../ports/upstream.ts";
import { createAttachController, type AttachController } from "./attach-controller.ts";
import type { IsolationWatch } from "./isolation-watch.ts";
import { createLinkController, type LinkController } from "./link-controller.ts";
import { listAll } from "./observe-service.ts";
import { createPartitionPlanner, reconcilePartitions } from "./partition-controller.ts";
import { createRelocationSearch } from "./relocations.ts";
import { startLoop, type Loop, type LoopOptions } from "./run-loop.ts";
import { createStandbyController, serviceOfPartition, type StandbyController } from "./standby-controller.ts";

/** Everything that the control plane's loops touch. */
export interface ControlPorts {
  readonly store: ClusterStore;
  readonly launcher: EngineLauncher;
  readonly driver: GpuDriver;
  readonly upstream: Upstream;
  readonly hub: GatewayHub;
  readonly gatewayProcesses: GatewayProcesses;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: EventLog;
  /** Names this state to its engines and gateways. */
  readonly stateId: string;
}

export interface Controllers {
  /** Who is joined, and what they count. */
  readonly link: Pick<LinkController, "gateways" | "countsOf" | "alertStates">;
  /** Who was found to take more of a shared GPU than it was granted. */
  readonly isolation: Pick<IsolationWatch, "counts" | "everyMs">;
  /** Ends the loops; engines and gateways run on. */
  stop(): Promise<void>;
}

const STORE_RETRY_MS = 200;
/** Gateways serve from their own memory meanwhile; longer than this they shall not wait. */
const FIRST_LOOKS_MAX_MS = 1_000;
const ALL = "all";

/**
 * Starts one loop per kind, and lets gateways in as soon as what is stored is published. Resolves when they are let in.
 * @param giveUp ends the wait for that: the store may be away for long. What has begun still wants `stop`.
 */
export async function startControllers(ports: ControlPorts, giveUp?: AbortSignal): Promise<Controllers> {
  const ending = new AbortController();
  giveUp?.addEventListener("abort", () => ending.abort(), { once: true });
  const loops: Loop[] = [];
  const kick = { service: (_name: string): void => undefined, engine: (_name: string): void => undefined };
  const link = createLinkController(ports, {
    ejected(report) {
      standby.report(report);
      const engine = attach.report(report);
      if (engine !== null) kick.engine(engine);
    },
    activated: (report) => standby.activated(report),
    episode: (service) => kick.service(service),
    acknowledged: (service) => kick.service(service),
  });
  const standby = createStandbyController({ ...ports, desk: link }, (service) => kick.service(service));
  const attach = createAttachController({ ...ports, engine: { ...ports, claim: ports.stateId }, desk: link }, (name) => kick.engine(name));
  await publishStored({ link, standby, attach }, ports, ending.signal);

  const begin = (options: LoopOptions): Loop => {
    const loop = startLoop(options, ports);
    loops.push(loop);
    return loop;
  };
  begin(keysLoop(ports.store, link));
  const planner = createPartitionPlanner();
  const search = createRelocationSearch();
  begin(
    wholeLoop("partition", ["HotStandbyConfig", "GPUNode", "GPUPartition", "GPURelocation"], () =>
      reconcilePartitions(ports, planner, search),
    ),
  );
  const services = begin(standbyLoop(standby));
  begin(wholeLoop("isolation", ["GPUPartition"], () => standby.isolation.look()));
  const engines = begin(attachLoop(ports.store, attach));
  kick.service = (name) => services.kick(name);
  kick.engine = (name) => engines.kick(name);
  // What is stored may be older than the engines: a first look, bounded, and gateways hear at once what runs.
  await Promise.race([services.firstLooks, ports.clock.sleep(FIRST_LOOKS_MAX_MS, ending.signal)]);
  await link.open();
  return {
    link,
    isolation: standby.isolation,
    async stop() {
      ending.abort();
      await Promise.all(loops.map((loop) => loop.stop()));
      await standby.stop();
    },
  };
}

/** A gateway drops what its first round does not repeat: so first everything that is known, then the door. */
async function publishStored(
  to: { readonly link: LinkController; readonly standby: StandbyController; readonly attach: AttachController },
  ports: ControlPorts,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for (const table of await to.standby.storedTables()) to.link.publish(table);
      await to.attach.publishTables();
      to.link.replaceKeys(await storedKeys(ports.store));
      return;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      ports.log.record({ level: "warn", event: "link.not-open-yet", fields: { reason } });
      await ports.clock.sleep(STORE_RETRY_MS, signal);
    }
  }
}

async function storedKeys(store: ClusterStore): Promise<readonly KeyEntry[]> {
  return (await listAll(store, "ApiKey")).flatMap((resource) => {
    const key = parseApiKey(resource);
    return key.ok ? [{ hash: key.value.hash, id: key.value.id, tenant: key.value.tenant }] : [];
  });
}

function standbyLoop(standby: StandbyController): LoopOptions {
  return {
    name: "standby",
    namesOf({ kind, name }) {
      if (kind === "HotStandbyConfig") return [name];
      const service = kind === "GPUPartition" ? serviceOfPartition(name) : null;
      return service === null ? [] : [service];
    },
    firstNames: () => standby.names(),
    reconcile: (name) => standby.reconcile(name),
  };
}

function attachLoop(store: ClusterStore, attach: AttachController): LoopOptions {
  return {
    name: "attach",
    namesOf: ({ kind, name }) => (kind === "AttachedEngine" ? [name] : []),
    firstNames: async () => (await listAll(store, "AttachedEngine")).map((resource) => resource.name),
    reconcile: (name, signal) => attach.reconcileEngine(name, signal),
  };
}

const keysLoop = (store: ClusterStore, link: LinkController): LoopOptions =>
  wholeLoop("keys", ["ApiKey"], async () => {
    link.replaceKeys(await storedKeys(store));
    return null;
  });

/** A loop that looks at everything of some kinds at once. */
function wholeLoop(name: string, kinds: readonly Kind[], reconcile: LoopOptions["reconcile"]): LoopOptions {
  return {
    name,
    namesOf: ({ kind }) => (kinds.includes(kind) ? [ALL] : []),
    firstNames: async () => [ALL],
    reconcile,
  };
}
