import { PLURALS } from "../api/resource.ts";
import { keyId, tenantId, type KeyId, type TenantId } from "../base/ids.ts";
import { isJsonObject, type JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ClusterStore, StoreError } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { KeyDigest } from "../ports/key-digest.ts";
import type { Random } from "../ports/random.ts";
import { RESOURCE_ROOT } from "./kubernetes-form.ts";
import { parseJsonBody } from "./parse-json-body.ts";
import type { AdminAnswer, AdminRequest, AdminRoute } from "./route.ts";
import { answerJson, answerRefusal, JSON_TYPE, refusalOfStore } from "./status.ts";

const KEY_BYTES = 32;
const ID_BYTES = 5;
/** `tg-` and four characters: 24 of 256 bits, enough to recognise a key and far from enough to guess it. */
const PREFIX_LENGTH = 7;
/** Servers that were attached belong to this one. */
const ATTACHED_TENANT = "default";
const TENANT = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export interface KeyPorts {
  readonly store: ClusterStore;
  readonly random: Random;
  readonly digest: KeyDigest;
  readonly log: EventLog;
}

export interface CreatedKey {
  readonly id: KeyId;
  readonly tenant: TenantId;
  /** The whole key. It exists here and with whoever is told; the store keeps its digest. */
  readonly key: string;
}

/** Makes a key of 256 random bits and stores its digest. */
export async function createApiKey(tenant: TenantId, ports: Omit<KeyPorts, "log">): Promise<Result<CreatedKey, StoreError>> {
  const key = `tg-${base64UrlOf(ports.random.token(KEY_BYTES))}`;
  const id = keyId(`key-${ports.random.token(ID_BYTES)}`);
  const spec = { tenant, hash: ports.digest.digest(key), prefix: key.slice(0, PREFIX_LENGTH) };
  const stored = await ports.store.create({ kind: "ApiKey", name: id, labels: {}, annotations: {}, spec });
  return stored.ok ? ok({ id, tenant, key }) : stored;
}

/** Keys are made and taken back here; list, get and watch are those of every kind. */
export function keyRoutes(ports: KeyPorts): readonly AdminRoute[] {
  const list = `${RESOURCE_ROOT}/${PLURALS.ApiKey}`;
  return [
    {
      method: "POST",
      pattern: list,
      auth: "token",
      accepts: [JSON_TYPE],
      meaning: '`{"tenant": NAME}`: makes a key and answers it, this once',
      handle: (request) => create(request, ports),
    },
    {
      method: "DELETE",
      pattern: `${list}/:name`,
      auth: "token",
      accepts: [],
      meaning: "takes a key back",
      handle: (request) => revoke(request, ports),
    },
  ];
}

async function create(request: AdminRequest, ports: KeyPorts): Promise<AdminAnswer> {
  const tenant = parseTenant(request.body);
  if (!tenant.ok) return answerRefusal({ reason: "BadRequest", message: tenant.error });
  const created = await createApiKey(tenant.value, ports);
  if (!created.ok) return answerRefusal(refusalOfStore(created.error));
  const { id, key } = created.value;
  ports.log.record({ level: "info", event: "admin.key-created", fields: { id, tenant: tenant.value } });
  const warning = await unknownTenant(tenant.value, ports.store);
  const told = { id, tenant: tenant.value, prefix: key.slice(0, PREFIX_LENGTH), key };
  return answerJson(201, warning === null ? told : { ...told, warning });
}

/** A key may come before its service; a slip of the name looks the same, so it is said. */
async function unknownTenant(tenant: TenantId, store: ClusterStore): Promise<string | null> {
  const configs = await store.list("HotStandbyConfig");
  const attached = await store.list("AttachedEngine");
  if (!configs.ok || !attached.ok) return null;
  const isServed = configs.value.items.some((config) => config.spec["tenant"] === tenant);
  if (isServed || (tenant === ATTACHED_TENANT && attached.value.items.length > 0)) return null;
  return `No service of tenant ${tenant} is there: until one is applied, the key reaches nothing.`;
}

function parseTenant(body: string): Result<TenantId, string> {
  const parsed = parseJsonBody(body);
  if (!parsed.ok) return err(parsed.error);
  const value: JsonObject = isJsonObject(parsed.value) ? parsed.value : {};
  const tenant = value["tenant"];
  if (Object.keys(value).length !== 1 || typeof tenant !== "string" || !TENANT.test(tenant)) {
    return err('Send {"tenant": NAME}, with a NAME of lower-case letters, digits and dashes, at most 63.');
  }
  return ok(tenantId(tenant));
}

async function revoke(request: AdminRequest, ports: KeyPorts): Promise<AdminAnswer> {
  const id = request.parameters["name"] ?? "";
  const removed = await ports.store.remove("ApiKey", id);
  if (!removed.ok) return answerRefusal(refusalOfStore(removed.error));
  ports.log.record({ level: "info", event: "admin.key-revoked", fields: { id } });
  return answerJson(200, {
    apiVersion: "v1",
    kind: "Status",
    metadata: {},
    status: "Success",
    details: { kind: "ApiKey", name: id },
    code: 200,
  });
}

const base64UrlOf = (hexadecimal: string): string => {
  const bytes = (hexadecimal.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
};
