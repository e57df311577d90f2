import { isJsonObject } from "../base/json.ts";
import { FIELDS, type WrittenKind } from "./field-catalogue.ts";
import { formatPath, type Path, type WarningFinding } from "./finding.ts";

/** Written fields that this version reads and keeps, without doing anything about them yet. */
export function checkEffects(kind: WrittenKind, spec: unknown): readonly WarningFinding[] {
  const idle = FIELDS[kind].filter((field) => field.effect === "notYet");
  return idle.flatMap(({ path, meaning, anyway }) =>
    writtenAt(spec, path.split(".").slice(1))
      .filter(({ value }) => anyway === null || JSON.stringify(value)?.replaceAll('"', "") !== anyway)
      .map(({ at }) => noEffectYet(["spec", ...at], meaning)),
  );
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

interface Written {
  readonly at: Path;
  readonly value: unknown;
}

/** Every place where the path of a field is written; `name[]` stands for each item of a list. */
function writtenAt(value: unknown, path: readonly string[]): readonly Written[] {
  const [step, ...rest] = path;
  if (step === undefined) return [{ at: [], value }];
  const key = step.replace("[]", "");
  if (!isJsonObject(value) || !Object.hasOwn(value, key)) return [];
  const below = value[key];
  if (!step.endsWith("[]")) return writtenAt(below, rest).map((found) => ({ ...found, at: [key, ...found.at] }));
  if (!Array.isArray(below)) return [];
  return below.flatMap((item: unknown, index) => writtenAt(item, rest).map((found) => ({ ...found, at: [key, index, ...found.at] })));
}
