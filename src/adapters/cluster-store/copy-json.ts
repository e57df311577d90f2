import { isJsonObject, type JsonObject, type JsonValue } from "../../base/json.ts";

/** A frozen copy in which members that are `undefined` are absent: what a round trip through JSON text gives. */
export function copyJson(value: JsonObject): JsonObject {
  const copy: Record<string, JsonValue> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) define(copy, key, copyValue(member));
  }
  return Object.freeze(copy);
}

/** Equal as JSON: the order of an object's members does not count, that of a list does. */
export function sameJson(left: JsonValue, right: JsonValue): boolean {
  if (left === right) return true;
  if (isList(left) || isList(right)) {
    if (!isList(left) || !isList(right) || left.length !== right.length) return false;
    return left.every((item, index) => sameJson(item, right[index] ?? null));
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  const members = present(left);
  if (members.length !== present(right).length) return false;
  return members.every(([key, member]) => Object.hasOwn(right, key) && sameJson(member, right[key] ?? null));
}

const copyValue = (value: JsonValue): JsonValue => {
  if (isList(value)) return Object.freeze(value.map(copyValue));
  return isJsonObject(value) ? copyJson(value) : value;
};

/** A member named `__proto__` must stay a member. */
function define(into: Record<string, JsonValue>, key: string, value: JsonValue): void {
  Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
}

const isList = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);

function present(of: JsonObject): [string, JsonValue][] {
  const members: [string, JsonValue][] = [];
  for (const [key, member] of Object.entries(of)) if (member !== undefined) members.push([key, member]);
  return members;
}
