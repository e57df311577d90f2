import { isJsonObject, type JsonObject } from "../base/json.ts";
import type { ColdSpec, HotStandbyConfig, LevelSpec } from "./hot-standby-config.ts";
import type { LevelKey, ReservationConflict } from "./reservation-conflict.ts";
import { formatQuantity } from "./parse-quantity.ts";
import { LEVEL_KEYS, parseReservationEntry, type ReservationEntry } from "./reservation-schema.ts";
import type { ResourceDraft } from "./resource.ts";

export const RESERVATION_NAME = "standby-gpu-reservation";
export const RESERVATION_NAMESPACE = "kube-system";
/** The key of the ConfigMap's data under which the YAML stands. */
export const RESERVATION_KEY = "reservation.yaml";

/** On a HotStandbyConfig: its entry of the reservation, as JSON. Written by the apply door alone, so that the spec stays the user's. */
const ENTRY_ANNOTATION = "tidegate/reservation";
/** On a HotStandbyConfig that nobody wrote: it follows from the reservation, and goes with it. */
const SOURCE_LABEL = "tidegate/source";
const SOURCE_RESERVATION = "reservation";

export const isDerived = ({ kind, labels }: Pick<ResourceDraft, "kind" | "labels">): boolean =>
  kind === "HotStandbyConfig" && labels[SOURCE_LABEL] === SOURCE_RESERVATION;

/** The draft as its writer meant it: what the apply door adds is the door's to add again. */
export function withoutReservation(draft: ResourceDraft): ResourceDraft {
  if (draft.kind !== "HotStandbyConfig") return draft;
  const { [ENTRY_ANNOTATION]: _entry, ...annotations } = draft.annotations;
  const { [SOURCE_LABEL]: source, ...labels } = draft.labels;
  return { ...draft, annotations, labels: source === SOURCE_RESERVATION ? labels : draft.labels };
}

export const withReservation = (draft: ResourceDraft, entry: JsonObject): ResourceDraft => ({
  ...draft,
  annotations: { ...draft.annotations, [ENTRY_ANNOTATION]: JSON.stringify(entry) },
});

/** The service of a tenant that only the reservation names, with every default. */
export function derivedConfig(entry: JsonObject, name: string): ResourceDraft {
  const { name: tenant, ...levels } = entry;
  const labels = { [SOURCE_LABEL]: SOURCE_RESERVATION };
  return { kind: "HotStandbyConfig", name, labels, annotations: {}, spec: { tenant, ...levels } };
}

/** A spec with the levels that it lacks taken from the entry beside it. */
export interface FilledSpec {
  readonly spec: JsonObject;
  readonly entry: ReservationEntry | null;
  readonly filled: readonly LevelKey[];
}

export function fillSpec({ spec, annotations }: Pick<ResourceDraft, "spec"> & Partial<Pick<ResourceDraft, "annotations">>): FilledSpec {
  const text = annotations?.[ENTRY_ANNOTATION];
  const read = text === undefined ? null : parseReservationEntry(text);
  if (read === null) return { spec, entry: null, filled: [] };
  const filled = LEVEL_KEYS.filter((key) => spec[key] === undefined && isJsonObject(read.raw[key]));
  const levels = Object.fromEntries(filled.map((key) => [key, read.raw[key]]));
  return { spec: { ...spec, ...levels }, entry: read.entry, filled };
}

/**
 * Where the entry asks for something else than holds. The config wins; a field that the entry leaves out says nothing.
 * `config` has every default and every filled level.
 */
export function reservationConflicts(
  config: Pick<HotStandbyConfig, "hot" | "warm" | "cold">,
  entry: ReservationEntry,
): readonly ReservationConflict[] {
  const { hot, warm, cold } = config;
  const held = {
    hotStandby: commonOf(hot, { minGpuCount: hot.minGpuCount, maxGpuCount: hot.maxGpuCount }),
    warmStandby: warm === null ? null : commonOf(warm, { rest: warm.rest, lend: warm.lend }),
    coldStandby: cold === null ? null : commonOf(cold, { imageCache: cold.isImageCached }),
  };
  return LEVEL_KEYS.flatMap((level) => {
    const reserved = entry[level];
    return reserved === undefined ? [] : levelConflicts(level, held[level], reserved);
  });
}

type HeldValue = string | number | boolean | null | undefined | Readonly<Record<string, string>>;
type Held = Readonly<Record<string, HeldValue>>;

function commonOf(level: LevelSpec | ColdSpec, more: Held): Held {
  return {
    gpuCount: level.gpuCount,
    memoryReserved: level.memoryReservedBytes,
    nodeSelector: level.nodeSelector,
    gpuMemoryShare: level.isShared,
    capacityType: level.capacityType,
    ...more,
  };
}

function levelConflicts(level: LevelKey, held: Held | null, reserved: Held): readonly ReservationConflict[] {
  if (held === null) {
    return reserved["gpuCount"] === 0 ? [] : [{ level, field: null, configured: "absent", reserved: "present" }];
  }
  return Object.entries(reserved)
    .filter(([field, value]) => value !== undefined && textOf(field, value) !== textOf(field, held[field]))
    .map(([field, value]) => ({ level, field, configured: textOf(field, held[field]), reserved: textOf(field, value) }));
}

function textOf(field: string, value: HeldValue): string {
  if (field === "memoryReserved" && typeof value === "number") return formatQuantity(value);
  if (value === null) return "any";
  if (typeof value !== "object") return String(value);
  const pairs = Object.entries(value).map(([name, text]) => `${name}: ${text}`);
  return pairs.length === 0 ? "any" : `{ ${pairs.toSorted().join(", ")} }`;
}
