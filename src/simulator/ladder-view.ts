import type { MemoryEventLog } from "../adapters/event-log/memory.ts";
import type { FailoverRecord } from "../api/failover-record.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { parseFailoverRecord } from "../api/parse-failover-record.ts";
import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import type { Resource } from "../api/resource.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { oncePer } from "../base/once-per.ts";
import { isSameJson } from "../base/same-json.ts";
import { readConfig, readStatus } from "../controllers/read-stored.ts";
import type { RunningEngine } from "../ports/engine-launcher.ts";
import type { ObservedGpu } from "../ports/gpu-driver.ts";
import type { ScheduledEvent } from "./draw-schedule.ts";
import type { World } from "./world.ts";

export interface ServiceView {
  readonly name: string;
  readonly config: HotStandbyConfig;
  readonly specGeneration: number;
  /** The same object as long as nothing was written; null = not looked at yet. */
  readonly status: ServiceStatus | null;
}

/** What stands in the world at one moment, read from outside in one turn. A list in which nothing changed is the list of the view before. */
export interface LadderView {
  readonly atMs: number;
  readonly wallMs: number;
  readonly services: readonly ServiceView[];
  readonly records: readonly FailoverRecord[];
  /** Those that have a GPU. */
  readonly partitions: readonly GpuPartition[];
  readonly gpus: readonly ObservedGpu[];
  readonly engines: readonly RunningEngine[];
  /** Requests for tokens that gateways began at engines since the view before. */
  readonly begun: readonly Begun[];
  readonly isLinkCut: boolean;
  /** A control plane runs, and nothing delays or loses what it reads and writes: what is stored is what it saw a moment ago. */
  readonly isControlled: boolean;
  /** What was done to the world so far. */
  readonly performed: readonly ScheduledEvent[];
}

export interface Begun {
  readonly instance: string;
  readonly generation: number;
}

export interface LadderEyes {
  /** null = the store or the driver did not answer. */
  look(): Promise<LadderView | null>;
}

/** @param performed grows while the world runs. */
export function createLadderEyes(world: World, performed: readonly ScheduledEvent[]): LadderEyes {
  const services = parsedOnce(readService);
  const records = parsedOnce(readRecord);
  const partitions = parsedOnce(readPartition);
  let lastEngines: readonly RunningEngine[] = [];
  const begunSince = createBegunReader(world.log);
  return {
    async look() {
      const { clock } = world;
      const now = {
        atMs: clock.monotonicMs(),
        wallMs: clock.wallMs(),
        isLinkCut: world.isLinkCut(),
        isControlled: world.isControlled(),
      };
      // All asked for in one turn, so that no write comes between two of them.
      const [configs, stored, promised, gpus, engines] = await Promise.all([
        world.store.list("HotStandbyConfig"),
        world.store.list("FailoverRecord"),
        world.store.list("GPUPartition"),
        world.account.driver.observe(),
        world.launcher.observe(),
      ]);
      if (!configs.ok || !stored.ok || !promised.ok || !gpus.ok) return null;
      if (!isSameJson(engines, lastEngines)) lastEngines = engines;
      return {
        ...now,
        services: services(configs.value.items),
        records: records(stored.value.items),
        partitions: partitions(promised.value.items),
        gpus: gpus.value,
        engines: lastEngines,
        begun: begunSince(),
        performed: [...performed],
      };
    },
  };
}

/** A stored object never changes, nor does a list of the store: each is parsed once. */
function parsedOnce<Value>(read: (resource: Resource) => Value | null): (items: readonly Resource[]) => readonly Value[] {
  const known = oncePer(read);
  return oncePer((items: readonly Resource[]) =>
    items.flatMap((resource) => {
      const value = known(resource);
      return value === null ? [] : [value];
    }),
  );
}

function readService(resource: Resource): ServiceView | null {
  const config = readConfig(resource);
  const status = resource.status === null ? null : readStatus(resource.status);
  if (!config.ok || (status !== null && !status.ok)) return null;
  return { name: resource.name, config: config.value, specGeneration: resource.generation, status: status === null ? null : status.value };
}

function readRecord(resource: Resource): FailoverRecord | null {
  const record = parseFailoverRecord(resource);
  return record.ok ? record.value : null;
}

function readPartition(resource: Resource): GpuPartition | null {
  const partition = parseGpuPartition(resource);
  return partition.ok && partition.value.node !== null ? partition.value : null;
}

/** From the network's own words: which engine process took a gateway's request for tokens. */
function createBegunReader(log: MemoryEventLog): () => readonly Begun[] {
  const asked = new Set<unknown>();
  let begun: Begun[] = [];
  log.listen(({ event, fields: { call, from, target, to } }) => {
    if (event === "network.call" && isGateway(from) && isForTokens(target)) asked.add(call);
    if (event !== "network.request" || !asked.delete(call) || typeof to !== "string") return;
    const slashAt = to.lastIndexOf("/");
    begun.push({ instance: to.slice(0, slashAt), generation: Number(to.slice(slashAt + 1)) });
  });
  return () => {
    const since = begun;
    begun = [];
    return since;
  };
}

const isGateway = (party: unknown): boolean => typeof party === "string" && party.startsWith("gateway-");
const isForTokens = (target: unknown): boolean => typeof target === "string" && target.startsWith("/v1/chat/completions");
