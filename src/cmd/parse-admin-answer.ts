import type { EndpointAddress } from "../api/route-table.ts";
import { KINDS, type Kind, type Resource } from "../api/resource.ts";
import { uid, wallMs } from "../base/ids.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { parseWall } from "../base/time.ts";

/** null = no JSON. */
export function parseJson(text: string): JsonValue | null {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    if (cause instanceof SyntaxError) return null;
    throw cause;
  }
}

/** Empty = no JSON, or no object. */
export function parseJsonObject(text: string): JsonObject {
  const value = parseJson(text);
  return isJsonObject(value) ? value : {};
}

/** `<data-dir>/admin.json`, as `up` writes it. null = torn or foreign. */
export function parseAdminFile(text: string): EndpointAddress | null {
  const { host, port } = parseJsonObject(text);
  return typeof host === "string" && typeof port === "number" ? { host, port } : null;
}

/** One object of the admin API. null = it is none. */
export function parseAdminObject(value: JsonValue | undefined): Resource | null {
  if (!isJsonObject(value) || !isJsonObject(value["metadata"])) return null;
  const { kind, metadata, spec, status } = value;
  const { name, uid: identity, resourceVersion, generation, creationTimestamp } = metadata;
  if (!isKind(kind) || typeof name !== "string" || typeof creationTimestamp !== "string") return null;
  return {
    kind,
    name,
    uid: uid(typeof identity === "string" ? identity : ""),
    version: typeof resourceVersion === "string" ? resourceVersion : "",
    generation: typeof generation === "number" ? generation : 0,
    createdAt: parseWall(creationTimestamp) ?? wallMs(0),
    labels: stringsOf(metadata["labels"]),
    annotations: stringsOf(metadata["annotations"]),
    spec: isJsonObject(spec) ? spec : {},
    status: isJsonObject(status) ? status : null,
  };
}

export function parseAdminList(value: JsonValue): readonly Resource[] {
  const items = isJsonObject(value) && Array.isArray(value["items"]) ? (value["items"] as readonly JsonValue[]) : [];
  return items.flatMap((item) => parseAdminObject(item) ?? []);
}

export type AdminWatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly resource: Resource }
  /** All that was there has been sent. */
  | { readonly type: "WHOLE" }
  | { readonly type: "ALIVE" };

/** One line of a watch. null = no line of ours. */
export function parseWatchLine(line: string): AdminWatchEvent | null {
  const value = parseJson(line);
  if (!isJsonObject(value) || !isJsonObject(value["object"])) return null;
  const { type, object } = value;
  if (type === "BOOKMARK") {
    const annotations = isJsonObject(object["metadata"]) ? stringsOf(object["metadata"]["annotations"]) : {};
    return { type: annotations["k8s.io/initial-events-end"] === "true" ? "WHOLE" : "ALIVE" };
  }
  const resource = parseAdminObject(object);
  if (resource === null || (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED")) return null;
  return { type, resource };
}

export interface AdminStatus {
  readonly reason: string;
  readonly message: string;
  readonly details: JsonObject;
}

/** A Kubernetes `Status`, or what can be said of a body that is none. */
export function parseAdminStatus(text: string, httpStatus: number): AdminStatus {
  const value = parseJson(text);
  if (isJsonObject(value) && value["kind"] === "Status" && typeof value["message"] === "string") {
    const { reason, message, details } = value;
    return { reason: typeof reason === "string" ? reason : "Unknown", message, details: isJsonObject(details) ? details : {} };
  }
  return { reason: "Unknown", message: `It answered ${httpStatus} with a body that is no Status.`, details: {} };
}

const isKind = (value: unknown): value is Kind => KINDS.some((kind) => kind === value);

function stringsOf(value: unknown): Readonly<Record<string, string>> {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(Object.entries(value).flatMap(([key, text]) => (typeof text === "string" ? [[key, text]] : [])));
}
