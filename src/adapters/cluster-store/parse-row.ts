import type { SQLOutputValue } from "node:sqlite";
import { KINDS, type Resource } from "../../api/resource.ts";
import { uid, wallMs } from "../../base/ids.ts";
import { isJsonObject, type JsonObject } from "../../base/json.ts";

/** @throws when the row is not one that this store writes: damage that a page check does not see. */
export function parseRow(row: Record<string, SQLOutputValue>): Resource {
  const kind = KINDS.find((known) => known === row["kind"]);
  if (kind === undefined) throw new Error(`row of an unknown kind ${String(row["kind"])}`);
  return {
    kind,
    name: text(row, "name"),
    uid: uid(text(row, "uid")),
    version: `${integer(row, "version")}`,
    generation: integer(row, "generation"),
    createdAt: wallMs(integer(row, "created_at_ms")),
    labels: parseStrings(json(row, "labels")),
    annotations: parseStrings(json(row, "annotations")),
    spec: json(row, "spec"),
    status: row["status"] === null ? null : json(row, "status"),
  };
}

function text(row: Record<string, SQLOutputValue>, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw new Error(`column ${column} holds no text`);
  return value;
}

export function integer(row: Record<string, SQLOutputValue>, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw new Error(`column ${column} holds no number`);
  return value;
}

function json(row: Record<string, SQLOutputValue>, column: string): JsonObject {
  const value: unknown = JSON.parse(text(row, column));
  if (!isJsonObject(value)) throw new Error(`column ${column} holds no JSON object`);
  return value;
}

function parseStrings(of: JsonObject): Readonly<Record<string, string>> {
  const strings: [string, string][] = [];
  for (const [key, value] of Object.entries(of)) {
    if (typeof value !== "string") throw new Error(`label ${key} holds no text`);
    strings.push([key, value]);
  }
  return Object.fromEntries(strings);
}
