import { isJsonObject, type JsonObject, type JsonValue } from "../../base/json.ts";

/** A frozen copy in which members that are `undefined` are absent: what a round trip through JSON text gives. */
export function copyJson(value: JsonObject): JsonObject {
  const copy: Record<string, JsonValue> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) define(copy, key, copyValue(member));
  }
  return Object.freeze(copy);
}

const copyValue = (value: JsonValue): JsonValue => {
  if (isList(value)) return Object.freeze(value.map(copyValue));
  return isJsonObject(value) ? copyJson(value) : value;
};

/** A member named `__proto__` must stay a member. */
function define(into: Record<string, JsonValue>, key: string, value: JsonValue): void {
  if (key === "__proto__") Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
  else into[key] = value;
}

const isList = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);
