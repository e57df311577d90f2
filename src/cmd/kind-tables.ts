import { formatBytes } from "../base/bytes.ts";
import type { JsonObject, JsonValue } from "../base/json.ts";
import { formatDuration } from "../base/time.ts";
import { inferTier } from "../api/tier-table.ts";
import { parseDuration } from "../api/parse-duration.ts";
import type { Kind, Resource } from "../api/resource.ts";
import { numberAt, objectsAt, textAt, valueAt } from "./json-at.ts";
import { plainCell, type Cell } from "./print-table.ts";

/** How `get` shows one kind. */
export interface KindTable {
  readonly kind: Kind;
  /** What people may type, plural first. */
  readonly names: readonly string[];
  readonly titles: readonly string[];
  readonly cells: (resource: Resource, nowMs: number) => readonly Cell[];
}

const textOf = (value: JsonValue): string => (value === null ? "-" : typeof value === "object" ? JSON.stringify(value) : `${value}`);
const cell = (object: JsonObject | null, ...path: readonly string[]): Cell => plainCell(textOf(valueAt(object, ...path)));

function formatAge(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
const age = (resource: Resource, nowMs: number): Cell => plainCell(formatAge(nowMs - resource.createdAt));

export const KIND_TABLES: readonly KindTable[] = [
  {
    kind: "HotStandbyConfig",
    names: ["services", "service", "hotstandbyconfigs", "hotstandbyconfig"],
    titles: ["SERVICE", "TENANT", "TIER", "MODEL", "SERVED", "PHASE", "READY", "RTO", "LAST RTO", "EPOCH", "MOVES", "AGE"],
    cells: serviceCells,
  },
  {
    kind: "GPUNode",
    names: ["nodes", "node", "gpunodes", "gpunode"],
    titles: ["NODE", "ZONE", "CAPACITY", "GPUS", "HOST MEMORY", "AGE"],
    cells: (node, nowMs) => [
      plainCell(node.name),
      plainCell(node.labels["topology.kubernetes.io/zone"] ?? "-"),
      plainCell(textAt(node.spec, "capacityType") ?? "on-demand"),
      plainCell(
        objectsAt(node.spec, "gpus")
          .map((group) => `${numberAt(group, "count") ?? 1} x ${textAt(group, "model") ?? "?"}`)
          .join(", "),
      ),
      cell(node.spec, "hostMemory"),
      age(node, nowMs),
    ],
  },
  {
    kind: "GPUPartition",
    names: ["partitions", "partition", "gpupartitions", "gpupartition"],
    titles: ["PARTITION", "INSTANCE", "MODE", "GPU", "MEMORY", "PHASE", "REFUSED BECAUSE"],
    cells: partitionCells,
  },
  {
    kind: "GPURelocation",
    names: ["relocations", "relocation", "gpurelocations", "gpurelocation"],
    titles: ["RELOCATION", "ROOM AT", "MOVED", "PHASE", "STEP", "AGE"],
    cells: (relocation, nowMs) => [
      plainCell(relocation.name),
      plainCell(roomOf(relocation.spec)),
      plainCell(objectsAt(relocation.spec, "victims").map(movedOf).join(", ")),
      relocationPhase(relocation),
      plainCell(textAt(relocation.status, "message") ?? ""),
      age(relocation, nowMs),
    ],
  },
  {
    kind: "FailoverRecord",
    names: ["records", "record", "failoverrecords", "failoverrecord"],
    titles: ["RECORD", "SERVICE", "FROM", "TO", "CAUSE", "PHASE", "RTO", "AGE"],
    cells: (record, nowMs) => [
      plainCell(record.name),
      ...["service", "from", "to", "cause"].map((field) => cell(record.spec, field)),
      recordPhase(record),
      plainCell(milliseconds(numberAt(record.status, "rtoMs"))),
      age(record, nowMs),
    ],
  },
  {
    kind: "ApiKey",
    names: ["keys", "key", "apikeys", "apikey"],
    titles: ["KEY", "TENANT", "BEGINS WITH", "AGE"],
    cells: (key, nowMs) => [plainCell(key.name), cell(key.spec, "tenant"), cell(key.spec, "prefix"), age(key, nowMs)],
  },
  {
    kind: "AttachedEngine",
    names: ["attached", "attachedengines", "attachedengine"],
    titles: ["ENGINE", "URL", "STATE", "MODEL", "MESSAGE"],
    cells: (engine) => [
      plainCell(engine.name),
      cell(engine.spec, "url"),
      cell(engine.status, "state"),
      cell(engine.status, "model"),
      plainCell(textAt(engine.status, "message") ?? ""),
    ],
  },
  {
    kind: "ReservationMap",
    names: ["reservations", "reservation", "reservationmaps", "reservationmap"],
    titles: ["RESERVATION", "ENTRIES", "AGE"],
    cells: (map, nowMs) => [
      plainCell(map.name),
      plainCell(
        objectsAt(map.spec, "tenants")
          .map((entry) => textAt(entry, "name") ?? "?")
          .join(", "),
      ),
      age(map, nowMs),
    ],
  },
];

const milliseconds = (value: number | null): string => (value === null ? "-" : `${Math.round(value)} ms`);

function serviceCells(service: Resource, nowMs: number): readonly Cell[] {
  const { spec, status } = service;
  const instances = objectsAt(status, "instances");
  const countOf = (state: string): number => instances.filter((instance) => textAt(instance, "state") === state).length;
  const [readyCount, asleepCount] = [countOf("Ready"), countOf("Asleep")];
  const targetMs = numberAt(status, "rto", "targetMs");
  const served = textAt(status, "level");
  const isWhole = instances.length > 0 && readyCount + asleepCount === instances.length;
  const asleep = asleepCount === 0 ? "" : ` +${asleepCount} asleep`;
  return [
    plainCell(service.name),
    cell(spec, "tenant"),
    plainCell(tierOf(spec)),
    plainCell(textAt(spec, "model", "name") ?? "tidegate-sim-8b"),
    { text: served ?? "-", tone: served === "degraded" ? "bad" : "plain" },
    cell(status, "phase"),
    { text: `${readyCount}/${instances.length}${asleep}`, tone: isWhole ? "good" : "busy" },
    plainCell(targetMs === null ? "-" : formatDuration(targetMs)),
    plainCell(milliseconds(numberAt(status, "rto", "lastMs"))),
    cell(status, "epoch"),
    movesOf(service),
    age(service, nowMs),
  ];
}

/** Automatic moves of the window, of how many; whether they are held. */
function movesOf({ spec, status }: Resource): Cell {
  const counted = numberAt(status, "failovers", "inWindow");
  const max = numberAt(status, "failovers", "max");
  if (counted === null || max === null) return plainCell("-");
  if (valueAt(spec, "failoverPolicy", "autoFailover") === false) return { text: "advises", tone: "busy" };
  return counted >= max ? { text: `${counted}/${max} hold`, tone: "bad" } : plainCell(`${counted}/${max}`);
}

/** Journals of before several GPUs have one place. */
function roomOf(spec: JsonObject): string {
  const places = objectsAt(spec, "places");
  return places.length === 0 ? placeOf(spec, "place") : places.map((place) => placeOf({ place }, "place")).join(" ");
}

function placeOf(object: JsonObject, field: string): string {
  const profile = textAt(object, field, "mig", "profile");
  const mig = profile === null ? "" : ` ${profile}@${numberAt(object, field, "mig", "start") ?? 0}`;
  return `${textAt(object, field, "node") ?? "?"}/${numberAt(object, field, "gpu") ?? 0}${mig}`;
}
const movedOf = (victim: JsonObject): string =>
  `${textAt(victim, "instance") ?? "?"} ${placeOf(victim, "from")} -> ${placeOf(victim, "to")}`;

function relocationPhase({ status }: Resource): Cell {
  const phase = textAt(status, "phase") ?? "Running";
  return { text: phase, tone: phase === "Completed" ? "good" : phase === "Failed" ? "bad" : "busy" };
}

/** A request that no loop has looked at yet has no status. */
function recordPhase(record: Resource): Cell {
  const phase = textAt(record.status, "phase") ?? "Requested";
  const isBad = phase === "Failed" || phase === "Refused";
  return { text: phase, tone: isBad ? "bad" : phase === "Completed" ? "good" : "busy" };
}

function tierOf(spec: JsonObject): string {
  const written = textAt(spec, "tier");
  if (written !== null) return written;
  const target = parseDuration(textAt(spec, "failoverPolicy", "rtoTarget") ?? "");
  return inferTier(target.ok ? target.value : null);
}

/** MIG with its instance, as in `mig 2g@4`. */
function modeOf(spec: JsonObject): string {
  const profile = textAt(spec, "mig", "profile");
  const mode = textAt(spec, "mode") ?? "-";
  return profile === null ? mode : `${mode} ${profile}@${numberAt(spec, "mig", "start") ?? 0}`;
}

function partitionCells(partition: Resource): readonly Cell[] {
  const { spec, status } = partition;
  const phase = textAt(status, "phase") ?? "Pending";
  const node = textAt(spec, "node");
  const memory = valueAt(spec, "memory");
  return [
    plainCell(partition.name),
    cell(spec, "instance"),
    plainCell(modeOf(spec)),
    plainCell(node === null ? "-" : `${node}/${numberAt(spec, "gpu") ?? 0}`),
    plainCell(typeof memory === "number" ? formatBytes(memory) : textOf(memory)),
    { text: phase, tone: phase === "Bound" ? "good" : "busy" },
    plainCell(refusalOf(partition)),
  ];
}

function refusalOf({ status }: Resource): string {
  const code = textAt(status, "refusal", "code");
  const why = textAt(status, "refusal", "why");
  return code === null || why === null ? (why ?? "") : `${code}: ${why}`;
}
