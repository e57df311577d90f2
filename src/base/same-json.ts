import { isJsonObject } from "./json.ts";

/**
 * Equal as JSON: the order of an object's members does not count, that of a list does, and a member that is `undefined` is absent.
 * Values that are one object are equal without a look.
 */
export function isSameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left) || Array.isArray(right)) return Array.isArray(left) && Array.isArray(right) && isSameList(left, right);
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  let memberCount = 0;
  for (const key in left) {
    const member = left[key];
    if (member === undefined) continue;
    memberCount += 1;
    const other = right[key];
    // What is inherited is no text and no number: only what has members must be asked whose it is.
    if (member !== other && (!Object.hasOwn(right, key) || !isSameJson(member, other))) return false;
  }
  for (const key in right) if (right[key] !== undefined) memberCount -= 1;
  return memberCount === 0;
}

function isSameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (!isSameJson(left[index], right[index])) return false;
  return true;
}
