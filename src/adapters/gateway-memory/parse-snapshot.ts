import { hash } from "node:crypto";
import { parseKeyEntries, parseRouteTable } from "../../api/parse-link-message.ts";
import type { RouteTable } from "../../api/route-table.ts";
import { isJsonObject } from "../../base/json.ts";
import type { GatewaySnapshot } from "../../ports/gateway-memory.ts";

const FORMAT = "tidegate-gateway-memory 1";

/** A line with the format and the checksum of the rest, then the snapshot as JSON. */
export function renderSnapshot(snapshot: GatewaySnapshot): string {
  const json = JSON.stringify(snapshot);
  return `${FORMAT} ${checksum(json)}\n${json}`;
}

/** @returns null unless every byte is there, this version wrote the format, and every table and key reads. */
export function parseSnapshot(text: string): GatewaySnapshot | null {
  const lineEnd = text.indexOf("\n");
  const json = text.slice(lineEnd + 1);
  if (text.slice(0, lineEnd) !== `${FORMAT} ${checksum(json)}`) return null;
  const raw: unknown = JSON.parse(json);
  if (!isJsonObject(raw) || typeof raw["stateId"] !== "string" || !Array.isArray(raw["tables"])) return null;
  const tables: RouteTable[] = [];
  for (const rawTable of raw["tables"]) {
    const table = parseRouteTable(rawTable);
    if (!table.ok) return null;
    tables.push(table.value);
  }
  const keys = parseKeyEntries(raw["keys"]);
  return keys.ok ? { stateId: raw["stateId"], tables, keys: keys.value } : null;
}

const checksum = (text: string): string => hash("sha256", text, "hex");
