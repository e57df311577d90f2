import type { NodeName, Uid } from "../base/ids.ts";
import type { HotStandbyConfig, Level } from "../api/hot-standby-config.ts";
import type { Activation, EndpointAddress, Grants, RouteTable, Rung, RungEndpoint } from "../api/route-table.ts";
import type { InstanceState, InstanceStatus, ServiceStatus } from "../api/service-status.ts";

/** What a table says beyond config and status. */
export interface TableContext {
  /** The HotStandbyConfig's: a new one always wins at a gateway. */
  readonly uid: Uid;
  /** Sequences that one engine of the model decodes together. */
  readonly maxBatch: number;
  /** Nodes without a zone are absent. */
  readonly zones: ReadonlyMap<NodeName, string>;
}

const LADDER: readonly Level[] = ["hot", "warm", "cold"];

/** The whole ladder of one service as gateways walk it. Same input, same table; level by level in the order of the status. */
export function buildRouteTable(config: HotStandbyConfig, status: ServiceStatus, context: TableContext): RouteTable {
  return {
    uid: context.uid,
    epoch: status.epoch,
    revision: status.revision,
    service: config.name,
    tenant: config.tenant,
    tier: config.tier,
    models: [config.model.name, ...config.model.adapters],
    contextLength: config.model.contextLength,
    rungs: LADDER.flatMap((level) => buildRung(level, config, status, context)),
    serveFrom: status.level === "degraded" ? "hot" : status.level,
    returnPercent: status.failback.step?.percent ?? 0,
    knownAnswer: status.instances.some((instance) => instance.fingerprint === status.knownAnswerOf) ? status.knownAnswer : null,
    priority: config.priority,
    grants: grantsOf(config, status),
    degraded: config.degraded,
    overflow: config.overflow,
    limits: config.limits,
    mirrorPercent: config.traffic.mirrorPercent,
    rtoTargetMs: config.failoverPolicy.rtoTargetMs,
  };
}

/** At the limit of its window, or where an operator decides, nothing is activated: what is Ready serves all the same. */
export function grantsOf({ failoverPolicy }: HotStandbyConfig, { failovers }: Pick<ServiceStatus, "failovers">): Grants {
  const movesLeft = failoverPolicy.isAutomatic ? Math.max(0, failoverPolicy.maxFailoverCount - failovers.inWindow) : 0;
  return { descent: movesLeft > 0 ? "automatic" : "held", movesLeft };
}

/** Weights of `hotCount` hot instances: as asked, else of 100 two take [80, 20], and more take equal shares. */
export function hotWeights(asked: readonly number[] | null, hotCount: number): readonly number[] {
  if (asked !== null && asked.length === hotCount) return asked;
  // R1's split: the first carries the load and keeps its caches warm, the second proves all the time that it can.
  if (hotCount === 2) return [80, 20];
  const rest = 100 % hotCount;
  return Array.from({ length: hotCount }, (_, index) => Math.max(1, Math.floor(100 / hotCount) + (index < rest ? 1 : 0)));
}

/** @returns null when `url` is not `http://host:port`, the form that statuses use. */
export function addressOf(url: string): EndpointAddress | null {
  const match = /^http:\/\/(\[[0-9a-fA-F:.]+\]|[^/:[\]@]+):(\d{1,5})\/?$/.exec(url);
  const [, host, portText] = match ?? [];
  if (host === undefined || portText === undefined) return null;
  const port = Number(portText);
  return port >= 1 && port <= 65_535 ? { host: host.replace(/^\[|\]$/g, ""), port } : null;
}

/** The form that statuses use. */
export const urlOf = (address: EndpointAddress): string =>
  `http://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;

/**
 * May requests go to an instance in this state?
 * A suspect stays: gateways eject it by their own evidence, and a rumour alone must not take capacity away.
 */
export const isRoutable = (state: InstanceState): boolean => state === "Ready" || state === "Suspect";

/** Asleep, not known to wake badly, and its known answer is recorded: without that a wake cannot be verified. */
export const isWakeable = (instance: InstanceStatus, status: Pick<ServiceStatus, "knownAnswer" | "knownAnswerOf">): boolean =>
  instance.state === "Asleep" && instance.failedWakes === 0 && status.knownAnswer !== null && instance.fingerprint === status.knownAnswerOf;

function buildRung(level: Level, config: HotStandbyConfig, status: ServiceStatus, context: TableContext): readonly Rung[] {
  const ofLevel = status.instances.filter((instance) => instance.level === level);
  const endpoints = ofLevel.flatMap((instance) => buildEndpoint(instance, status, { config, context }));
  if (level === "hot" || endpoints.length > 0) return [{ level, activation: activationOf(ofLevel, config, status), endpoints }];
  const isAsked = level === "warm" ? config.warm !== null : config.cold !== null;
  return isAsked ? [{ level, activation: { kind: "controller" }, endpoints: [] }] : [];
}

function activationOf(instances: readonly InstanceStatus[], config: HotStandbyConfig, status: ServiceStatus): Activation {
  if (instances.some((instance) => isRoutable(instance.state))) return { kind: "none" };
  const isGranted = grantsOf(config, status).descent === "automatic";
  if (isGranted && instances.some((instance) => isWakeable(instance, status))) return { kind: "wake" };
  return { kind: "controller" };
}

/** An instance that listens nowhere has no line: there is nothing to send to. */
function buildEndpoint(
  instance: InstanceStatus,
  status: ServiceStatus,
  { config, context }: { readonly config: HotStandbyConfig; readonly context: TableContext },
): readonly RungEndpoint[] {
  const address = instance.endpoint === null ? null : addressOf(instance.endpoint);
  if (address === null) return [];
  const node = instance.members[0]?.node ?? null;
  return [
    {
      instance: instance.name,
      uid: instance.uid,
      generation: instance.generation,
      address,
      engine: config.model.engine,
      upstreamModel: null,
      isReady: isRoutable(instance.state),
      isAsleep: isWakeable(instance, status),
      isWaking: instance.state === "Waking",
      weight: instance.weight,
      maxBatch: context.maxBatch,
      node,
      zone: node === null ? null : (context.zones.get(node) ?? null),
      fingerprint: instance.fingerprint,
      hasProgress: true,
      namesIds: true,
    },
  ];
}
