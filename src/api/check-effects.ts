import { isJsonObject } from "../base/json.ts";
import { FIELDS, type WrittenKind } from "./field-catalogue.ts";
import { formatPath, type Path, type WarningFinding } from "./finding.ts";

/** Written fields that this version reads and keeps, without doing anything about them yet. */
export function checkEffects(kind: WrittenKind, spec: unknown): readonly WarningFinding[] {
  const idle = FIELDS[kind].filter((field) => field.effect === "notYet");
  return idle.flatMap((field) => writtenAt(spec, field.path.split(".").slice(1)).map((at) => noEffectYet(["spec", ...at], field.meaning)));
}

function noEffectYet(at: Path, meaning: string): WarningFinding {
  return {
    code: "NOT_YET",
    at,
    mark: "key",
    what: `${formatPath(at)} has no effect in this version.`,
    why: `It is read, checked and kept. ${meaning}`,
    next: "Do not rely on it yet.",
  };
}

/** Every place where the path of a field is written; `name[]` stands for each item of a list. */
function writtenAt(value: unknown, path: readonly string[]): readonly Path[] {
  const [step, ...rest] = path;
  if (step === undefined) return [[]];
  const key = step.replace("[]", "");
  if (!isJsonObject(value) || !Object.hasOwn(value, key)) return [];
  const below = value[key];
  if (!step.endsWith("[]")) return writtenAt(below, rest).map((at) => [key, ...at]);
  if (!Array.isArray(below)) return [];
  return below.flatMap((item: unknown, index) => writtenAt(item, rest).map((at) => [key, index, ...at]));
}
