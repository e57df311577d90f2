import { epoch, serviceName, tenantId, type InstanceName, type ServiceName, type Uid } from "../base/ids.ts";
import { likenessOf } from "../api/attached-likeness.ts";
import type { AttachedStatus } from "../api/attached-status.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { EndpointAddress, RouteTable, RungEndpoint } from "../api/route-table.ts";
import { drawBits, startHash } from "../engine-model/context-hash.ts";
import { MAX_BATCH_DEFAULT } from "../wire/dialect-simulated.ts";

/** One attached engine with what was found there. */
export interface AttachedView {
  readonly name: InstanceName;
  readonly uid: Uid;
  readonly address: EndpointAddress;
  readonly status: AttachedStatus;
}

/** Attached engines belong to nobody in particular: keys of this tenant reach them. */
export const ATTACHED_TENANT = tenantId("default");
/** Of a server that does not tell: it judges the length of prompts itself. */
const UNKNOWN_CONTEXT_LENGTH = 1_000_000;

/** One name for one model, and never the name of a HotStandbyConfig: those have no dot. */
export function attachedService(model: string): ServiceName {
  const escaped = model.replace(/[^A-Za-z0-9-]/g, (letter) => `_${(letter.codePointAt(0) ?? 0).toString(16)}`);
  return serviceName(`attached.${escaped}`);
}

/** The services that attached engines make up: those that serve one model are its equal hot instances. */
export function attachedServices(engines: readonly AttachedView[]): ReadonlyMap<ServiceName, readonly AttachedView[]> {
  const services = new Map<ServiceName, readonly AttachedView[]>();
  for (const engine of engines.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    const { service } = engine.status;
    if (service !== null) services.set(service, [...(services.get(service) ?? []), engine]);
  }
  return services;
}

/** @param members at least one; all of one service. */
export function buildAttachedTable(
  service: ServiceName,
  members: readonly AttachedView[],
  version: { readonly uid: Uid; readonly revision: number },
): RouteTable {
  const ready = members.filter((member) => member.status.state === "Ready");
  const speaking = ready.length > 0 ? ready : members;
  const defaults = defaultsFor(speaking[0]?.status.model ?? "unknown");
  const lengths = speaking.flatMap(({ status }) => (status.contextLength === null ? [] : [status.contextLength]));
  return {
    uid: version.uid,
    epoch: epoch(0),
    revision: version.revision,
    service,
    tenant: ATTACHED_TENANT,
    tier: defaults.tier,
    // A name that only some serve would reach the others too: those answer 404.
    models: speaking[0]?.status.models.filter((model) => speaking.every(({ status }) => status.models.includes(model))) ?? [],
    contextLength: lengths.length > 0 ? Math.min(...lengths) : UNKNOWN_CONTEXT_LENGTH,
    rungs: [{ level: "hot", activation: { kind: "none" }, endpoints: members.map(endpointOf) }],
    serveFrom: "hot",
    returnPercent: 0,
    knownAnswer: null,
    priority: 0,
    grants: { descent: "automatic", movesLeft: defaults.failoverPolicy.maxFailoverCount },
    degraded: defaults.degraded,
    overflow: defaults.overflow,
    limits: defaults.limits,
    mirrorPercent: 0,
    rtoTargetMs: defaults.failoverPolicy.rtoTargetMs,
  };
}

function endpointOf({ name, uid, address, status }: AttachedView): RungEndpoint {
  return {
    instance: name,
    uid,
    generation: status.generation,
    address,
    // An OpenAI server of another kind: its progress would be read differently, and it shows none; ids are not asked of it.
    engine: status.engine ?? "vllm",
    upstreamModel: null,
    isReady: status.state === "Ready",
    isAsleep: false,
    isWaking: false,
    weight: 100,
    maxBatch: MAX_BATCH_DEFAULT,
    node: null,
    zone: null,
    fingerprint: fingerprintOf(name, status),
    hasProgress: status.hasProgress,
    namesIds: status.engine !== null,
  };
}

/** Who is like another gives equal tokens; of whom something is not known, nothing says so: it is its own kind. */
function fingerprintOf(name: InstanceName, status: AttachedStatus): string {
  const likeness = likenessOf(status);
  if (likeness === null) return `attached:${name}`;
  const hash = startHash(likeness);
  return `attached-like:${status.engine}:${drawBits(hash, 1).toString(16)}-${drawBits(hash, 2).toString(16)}`;
}

/** The defaults of a silver service, from the one place that has them. */
function defaultsFor(model: string) {
  const config = parseHotStandbyConfig({ name: "attached", spec: { tenant: ATTACHED_TENANT, tier: "silver" } });
  if (!config.ok) throw new Error(`Broken assumption: the defaults of a silver service for ${model} are valid.`);
  return config.value;
}
