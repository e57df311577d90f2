import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";

// Tables read what the admin API says field by field: the schema parsers would double the start of `get`.

/** null = nothing stands there. */
export function valueAt(object: JsonObject | null, ...path: readonly string[]): JsonValue {
  let value: JsonValue | undefined = object;
  for (const step of path) value = isJsonObject(value) ? value[step] : undefined;
  return value ?? null;
}

export function textAt(object: JsonObject | null, ...path: readonly string[]): string | null {
  const value = valueAt(object, ...path);
  return typeof value === "string" ? value : null;
}

export function numberAt(object: JsonObject | null, ...path: readonly string[]): number | null {
  const value = valueAt(object, ...path);
  return typeof value === "number" ? value : null;
}

export function objectsAt(object: JsonObject | null, ...path: readonly string[]): readonly JsonObject[] {
  const value = valueAt(object, ...path);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}
