import type { Field } from "./field.ts";
import type { Path } from "./finding.ts";
import { gpuNodeFields } from "./gpu-node-fields.ts";
import { hotStandbyConfigFields } from "./hot-standby-config-fields.ts";
import { reservationFields } from "./reservation-fields.ts";

/** Kinds that people write. */
export type WrittenKind = "HotStandbyConfig" | "GPUNode" | "ReservationMap";
export const FIELDS: Readonly<Record<WrittenKind, readonly Field[]>> = {
  HotStandbyConfig: hotStandbyConfigFields,
  GPUNode: gpuNodeFields,
  ReservationMap: reservationFields,
};

/** Where a kind's fields begin. The reservation is a text inside a ConfigMap; its places are written as if it were none. */
export const ROOTS: Readonly<Record<WrittenKind, Path>> = {
  HotStandbyConfig: ["spec"],
  GPUNode: ["spec"],
  ReservationMap: ["data", "reservation", "yaml"],
};

/** What may stand at `at`, and what it means. `isItem` = one item of the field's list or map. null = it is no field, or a whole group. */
export function fieldAt(kind: WrittenKind, at: Path): { readonly field: Field; readonly isItem: boolean } | null {
  const own = FIELDS[kind].find((field) => field.path === pattern(at));
  if (own !== undefined) return { field: own, isItem: false };
  const parent = FIELDS[kind].find((field) => field.itemForm !== null && field.path === pattern(at.slice(0, -1)));
  return parent === undefined ? null : { field: parent, isItem: true };
}

/** Names that may stand directly below `at`. */
export function namesBelow(kind: WrittenKind, at: Path): readonly string[] {
  const prefix = `${pattern(at)}.`;
  const names = FIELDS[kind]
    .filter((field) => field.path.startsWith(prefix))
    .map((field) => /^[^.[]+/.exec(field.path.slice(prefix.length))?.[0] ?? "");
  return [...new Set(names)];
}

const pattern = (at: Path): string => at.map((step, index) => (typeof step === "number" ? "[]" : index === 0 ? step : `.${step}`)).join("");
