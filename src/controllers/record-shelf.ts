import type { ServiceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { oncePer } from "../base/once-per.ts";
import { isSameJson } from "../base/same-json.ts";
import { failoverRecordSpec, failoverRecordStatusJson, parseFailoverRecord } from "../api/parse-failover-record.ts";
import type { FailoverRecord, FailoverRecordStatus } from "../api/failover-record.ts";
import type { Resource, ResourceDraft } from "../api/resource.ts";
import type { ClusterStore, StoreError } from "../ports/cluster-store.ts";
import { createListIndex } from "./list-index.ts";
import { listAll, must } from "./observe-service.ts";

const KIND = "FailoverRecord";
/** Finished ones of a service, the newest; older ones are removed. */
const FINISHED_MAX = 50;

interface Stored {
  readonly resource: Resource;
  readonly record: FailoverRecord;
}

/** The FailoverRecords of all services; read again only when one has changed. */
export interface RecordShelf {
  of(service: ServiceName): Promise<readonly FailoverRecord[]>;
  /** Makes the stored records what they shall be, and takes the oldest finished away. */
  write(service: ServiceName, wanted: readonly FailoverRecord[]): Promise<void>;
  /** The service is gone: a new one of its name counts its epochs from the beginning. */
  removeAll(service: ServiceName): Promise<void>;
  stop(): void;
}

/** @param changed is called with the service of each record that changed. */
export function createRecordShelf(store: ClusterStore, changed: (service: ServiceName) => void): RecordShelf {
  const index = createListIndex(readRecord);
  let reading: Promise<readonly Resource[]> | null = null;
  const read = (): Promise<readonly Resource[]> => {
    if (reading !== null) return reading;
    const mine = listAll(store, KIND);
    reading = mine;
    // Nobody keeps a failed reading.
    mine.catch(() => {
      if (reading === mine) reading = null;
    });
    return mine;
  };
  const storedOf = async (service: ServiceName): Promise<readonly Stored[]> => oldestFirst(index.group(await read(), service));

  async function tell(name: string): Promise<void> {
    const found = await store.get(KIND, name);
    const record = found.ok ? parseFailoverRecord(found.value) : null;
    if (record?.ok === true) changed(record.value.service);
  }
  const watching = store.watch((change) => {
    if (change.kind !== KIND) return;
    reading = null;
    // A look that is not asked for now comes within seconds anyway.
    tell(change.name).catch(() => null);
  });

  return {
    of: async (service) => (await storedOf(service)).map(({ record }) => record),
    async write(service, wanted) {
      const stored = new Map((await storedOf(service)).map((entry) => [entry.record.name, entry]));
      const differing = wanted.filter((record) => isDifferent(record, stored.get(record.name)?.record ?? null));
      const surplus = surplusOf([...stored.values()]);
      if (differing.length + surplus.length === 0) return;
      reading = null;
      for (const record of differing) await writeRecord(store, record, stored.get(record.name)?.resource ?? null);
      for (const name of surplus) await remove(store, name);
      reading = null;
    },
    async removeAll(service) {
      const stored = await storedOf(service);
      if (stored.length > 0) reading = null;
      for (const { record } of stored) await remove(store, record.name);
    },
    stop: () => watching.stop(),
  };
}

function readRecord(resource: Resource): { readonly key: ServiceName; readonly value: Stored } | null {
  const record = parseFailoverRecord(resource);
  return record.ok ? { key: record.value.service, value: { resource, record: record.value } } : null;
}

const oldestFirst = oncePer((stored: readonly Stored[]) =>
  stored.toSorted(
    (left, right) =>
      left.resource.createdAt - right.resource.createdAt || (left.record.status?.epoch ?? 0) - (right.record.status?.epoch ?? 0),
  ),
);

/** Only the newest readable version is written over; a conflict means that somebody else wrote, and the next look compares again. */
async function writeRecord(store: ClusterStore, record: FailoverRecord, known: Resource | null): Promise<void> {
  const resource = known ?? (await createOrGet(store, record));
  if (resource === null) return;
  const at = await writeSpec(store, record, resource);
  if (record.status === null || at === null) return;
  const status = failoverRecordStatusJson(record.status);
  if (at.status !== null && isSameJson(at.status, status)) return;
  settled(await store.writeStatus({ kind: KIND, name: record.name }, status, at.version), record.name);
}

async function createOrGet(store: ClusterStore, record: FailoverRecord): Promise<Resource | null> {
  const created = await store.create(draftOf(record));
  if (created.ok) return created.value;
  if (created.error.code !== "ALREADY_EXISTS") return settled(created, record.name);
  return settled(await store.get(KIND, record.name), record.name);
}

async function writeSpec(store: ClusterStore, record: FailoverRecord, resource: Resource): Promise<Resource | null> {
  // An operator's spec is the operator's; one of the ladder's is what the ladder decided.
  if (record.requestedBy === "operator" || isSameJson(resource.spec, failoverRecordSpec(record))) return resource;
  return settled(await store.writeSpec(draftOf(record), resource.version), record.name);
}

async function remove(store: ClusterStore, name: string): Promise<void> {
  settled(await store.remove(KIND, name), name);
}

const draftOf = (record: FailoverRecord): ResourceDraft => ({
  kind: KIND,
  name: record.name,
  labels: {},
  annotations: {},
  spec: failoverRecordSpec(record),
});

function settled<Value>(
  written: { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: StoreError },
  name: string,
): Value | null {
  if (!written.ok && (written.error.code === "CONFLICT" || written.error.code === "NOT_FOUND")) return null;
  return must(written, `FailoverRecord ${name}`);
}

function isDifferent(wanted: FailoverRecord, stored: FailoverRecord | null): boolean {
  if (stored === null) return true;
  if (wanted.requestedBy === "automatic" && !isSameJson(failoverRecordSpec(wanted), failoverRecordSpec(stored))) return true;
  return !isSameJson(statusJson(wanted.status), statusJson(stored.status));
}
const statusJson = (status: FailoverRecordStatus | null): JsonObject => (status === null ? {} : failoverRecordStatusJson(status));

const isUnfinished = ({ record }: Stored): boolean =>
  record.status === null || record.status.phase === "Requested" || record.status.phase === "Running";

function surplusOf(stored: readonly Stored[]): readonly string[] {
  const finished = stored.filter((entry) => !isUnfinished(entry));
  return finished.slice(0, Math.max(0, finished.length - FINISHED_MAX)).map(({ record }) => record.name);
}
