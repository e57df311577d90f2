import { generation, uid, type InstanceName, type ServiceName, type Uid } from "../base/ids.ts";
import type { AttachedStatus } from "../api/attached-status.ts";
import type { UpMessage } from "../api/link-message.ts";
import { attachedStatusJson, parseAttachedStatus } from "../api/parse-attached-status.ts";
import { parseAttachedEngine } from "../api/parse-attached-engine.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { Resource } from "../api/resource.ts";
import type { EnginePorts } from "../instances/call-engine.ts";
import { probeAttached, type AttachedProbeError, type Capabilities } from "../instances/probe-attached.ts";
import { explainProbe } from "../instances/probe-instance.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Random } from "../ports/random.ts";
import { ATTACHED_TENANT, attachedService, attachedServices, buildAttachedTable, type AttachedView } from "./attached-tables.ts";
import type { TableDesk } from "./link-controller.ts";
import { EvidenceDesk } from "./evidence-desk.ts";
import { listAll, must } from "./observe-service.ts";
import type { Requeue } from "./requeue.ts";

export interface AttachPorts {
  readonly store: ClusterStore;
  readonly engine: EnginePorts;
  readonly random: Random;
  readonly log: EventLog;
  readonly desk: TableDesk;
}

export interface AttachController {
  /** Probes one attached engine and stores what was found. It is never started, put to sleep or ended. */
  reconcileEngine(name: string, signal: AbortSignal): Promise<Requeue | null>;
  /** Publishes a table for each model that attached engines serve. */
  publishTables(): Promise<void>;
  /** @returns the engine to look at at once; null = the report is about no attached engine. */
  report(ejected: Extract<UpMessage, { type: "ejected" }>): InstanceName | null;
}

const DOWN_PROBE_MS = 1_000;
const UP_PROBE_MS = 5_000;
/** A busy server may miss one answer, or two; one that refuses is gone. */
const MISSED_MAX = 3;

const UNKNOWN: AttachedStatus = {
  state: "Pending",
  generation: generation(0),
  service: null,
  models: [],
  model: null,
  engine: null,
  contextLength: null,
  hasProgress: false,
  evidence: null,
  message: "not probed yet",
};

/** @param kick looks at an engine at once: something was learned of it. */
export function createAttachController(ports: AttachPorts, kick: (name: string) => void): AttachController {
  const evidence = new EvidenceDesk(ports.engine, kick);
  const missed = new Map<string, number>();
  // New in each run of the control plane: the tables are derived anew, and a new uid wins over what gateways remember.
  const runToken = ports.random.token(8);
  const published = new Map<ServiceName, { readonly uid: Uid; readonly revision: number; readonly text: string }>();

  return {
    async reconcileEngine(name, signal) {
      const found = await ports.store.get("AttachedEngine", name);
      if (!found.ok && found.error.code === "NOT_FOUND") {
        missed.delete(name);
        evidence.forget(name);
        await publishTables(ports, published, runToken);
        return null;
      }
      const resource = must(found, `AttachedEngine ${name}`);
      const engine = parseAttachedEngine(resource);
      if (!engine.ok) throw new Error(`AttachedEngine ${name} cannot be read: ${engine.error[0]?.what ?? "no reason"}`);
      const before = statusOf(resource);
      const probed = await probeAttached(ports.engine, engine.value.address, signal);
      if (signal.aborted) return null;
      missed.set(name, probed.ok ? 0 : (missed.get(name) ?? 0) + 1);
      const owner = probed.ok ? await manifestOwner(ports.store, probed.value.models) : null;
      const seen = probed.ok ? foundStatus(before, probed.value, owner) : missedStatus(before, probed.error, missed.get(name) ?? 0);
      const asked = { name, address: engine.value.address, status: seen };
      const next = probed.ok && seen.service !== null ? withEvidence(seen, evidence.evidenceOf(asked, signal)) : seen;
      if (!(await storeStatus(resource, before, next, ports))) return { afterMs: 0 };
      await publishTables(ports, published, runToken);
      return { afterMs: probed.ok ? UP_PROBE_MS : DOWN_PROBE_MS };
    },
    publishTables: () => publishTables(ports, published, runToken),
    report: ({ service, instance }) => (published.has(service) ? instance : null),
  };
}

function foundStatus(
  before: AttachedStatus,
  { models, contextLength, engine, hasProgress }: Capabilities,
  owner: string | null,
): AttachedStatus {
  const model = models[0] ?? "";
  const cameBack = before.state !== "Ready";
  return {
    state: "Ready",
    generation: cameBack ? generation(before.generation + 1) : before.generation,
    service: owner === null ? attachedService(model) : null,
    models,
    model,
    engine,
    contextLength,
    hasProgress,
    evidence: before.evidence,
    message: owner === null ? describe(engine, hasProgress) : `HotStandbyConfig ${owner} names ${model}: it serves there, not here`,
  };
}

function describe(engine: AttachedStatus["engine"], hasProgress: boolean): string {
  const kind = engine ?? "an OpenAI server";
  return hasProgress ? `${kind}, hangs are seen by its progress` : `${kind} without progress counter: a hang is seen only by silence`;
}

function withEvidence(status: AttachedStatus, evidence: AttachedStatus["evidence"]): AttachedStatus {
  if (evidence === null) return { ...status, evidence };
  const found = evidence.kind === "known" ? `version ${evidence.version}` : `its streams end with it: ${evidence.why}`;
  return { ...status, evidence, message: `${status.message}; ${found}` };
}

function missedStatus(before: AttachedStatus, error: AttachedProbeError, missedCount: number): AttachedStatus {
  const reason = error.code === "NO_MODEL_LIST" ? "it lists no models" : explainProbe(error);
  const isGone = error.code === "REFUSED" || error.code === "RESET" || missedCount >= MISSED_MAX;
  if (before.state === "Ready" && !isGone) return before;
  return { ...before, state: before.generation === 0 ? "Pending" : "Failed", message: reason };
}

/** The manifest of the attached engines' tenant that serves one of these models. */
async function manifestOwner(store: ClusterStore, models: readonly string[]): Promise<string | null> {
  for (const resource of await listAll(store, "HotStandbyConfig")) {
    const config = parseHotStandbyConfig(resource);
    if (config.ok && config.value.tenant === ATTACHED_TENANT && models.includes(config.value.model.name)) return resource.name;
  }
  return null;
}

/** @returns false when somebody else wrote meanwhile. */
async function storeStatus(resource: Resource, before: AttachedStatus, next: AttachedStatus, ports: AttachPorts): Promise<boolean> {
  if (resource.status !== null && JSON.stringify(before) === JSON.stringify(next)) return true;
  const written = await ports.store.writeStatus(
    { kind: "AttachedEngine", name: resource.name },
    attachedStatusJson(next),
    resource.version,
  );
  if (!written.ok && (written.error.code === "CONFLICT" || written.error.code === "NOT_FOUND")) return false;
  must(written, `The status of ${resource.name}`);
  const fields = { engine: resource.name, state: next.state, generation: next.generation, message: next.message };
  ports.log.record({ level: "info", event: "attach.seen", fields });
  return true;
}

async function publishTables(
  ports: AttachPorts,
  published: Map<ServiceName, { readonly uid: Uid; readonly revision: number; readonly text: string }>,
  runToken: string,
): Promise<void> {
  const resources = await listAll(ports.store, "AttachedEngine");
  const services = attachedServices(resources.flatMap(viewOf));
  for (const [service, members] of services) {
    const known = published.get(service) ?? { uid: uid(`${service}.${runToken}`), revision: 0, text: "" };
    const text = JSON.stringify(buildAttachedTable(service, members, { uid: known.uid, revision: 0 }));
    if (text === known.text) continue;
    const version = { uid: known.uid, revision: known.revision + 1 };
    published.set(service, { ...version, text });
    ports.desk.publish(buildAttachedTable(service, members, version));
  }
  for (const [service, { uid: gone }] of published) {
    if (services.has(service)) continue;
    published.delete(service);
    ports.desk.withdraw(gone);
  }
}

function viewOf(resource: Resource): readonly AttachedView[] {
  const engine = parseAttachedEngine(resource);
  return engine.ok ? [{ name: engine.value.name, uid: resource.uid, address: engine.value.address, status: statusOf(resource) }] : [];
}

/** One that cannot be read is as none: the next probe says all of it anew. */
function statusOf(resource: Resource): AttachedStatus {
  const parsed = resource.status === null ? null : parseAttachedStatus(resource.status);
  return parsed?.ok === true ? parsed.value : UNKNOWN;
}
