import { KINDS, PLURALS, type Kind } from "../api/resource.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Apply } from "./apply.ts";
import { answerApplyRefusal } from "./apply-refusal.ts";
import { readForce } from "./apply-routes.ts";
import { RESOURCE_ROOT, toKubernetes, toKubernetesList } from "./kubernetes-form.ts";
import type { AdminAnswer, AdminRequest, AdminRoute } from "./route.ts";
import { answerJson, answerRefusal, JSON_TYPE, refusalOfStore, type Refusal } from "./status.ts";
import type { Watches } from "./watch.ts";

/** What users write. The others are written by the controllers, by `up` and by the key routes. */
const WRITABLE_KINDS: readonly Kind[] = ["HotStandbyConfig", "GPUNode"];
/** Written as another kind, a ConfigMap, and so only through `apply`. */
const APPLIED_KINDS: readonly Kind[] = ["ReservationMap"];

interface ResourcePorts {
  readonly store: ClusterStore;
  readonly log: EventLog;
  readonly watches: Watches;
  readonly apply: Apply;
}

/** List, watch and get for every kind; put and delete for what users write. */
export function resourceRoutes(ports: ResourcePorts): readonly AdminRoute[] {
  return KINDS.flatMap((kind) => {
    const list = `${RESOURCE_ROOT}/${PLURALS[kind]}`;
    const one = `${list}/:name`;
    const reads: AdminRoute[] = [
      {
        method: "GET",
        pattern: list,
        auth: "token",
        accepts: [],
        meaning: "a list; `?watch=true` follows, `?fieldSelector=metadata.name=NAME` chooses one",
        handle: (request) => listOrWatch(kind, request, ports),
      },
      { method: "GET", pattern: one, auth: "token", accepts: [], meaning: "one", handle: (request) => getOne(kind, request, ports.store) },
    ];
    const isWritable = WRITABLE_KINDS.includes(kind);
    return [
      ...reads,
      ...(isWritable ? [putRoute(kind, one, ports)] : []),
      ...(isWritable || APPLIED_KINDS.includes(kind) ? [deleteRoute(kind, one, ports)] : []),
    ];
  });
}

const putRoute = (kind: Kind, pattern: string, ports: ResourcePorts): AdminRoute => ({
  method: "PUT",
  pattern,
  auth: "token",
  accepts: [JSON_TYPE],
  meaning: "creates, or replaces what has the resourceVersion that was sent; `?force=true` as of apply",
  handle: (request) => putOne(kind, request, ports),
});

const deleteRoute = (kind: Kind, pattern: string, ports: ResourcePorts): AdminRoute => ({
  method: "DELETE",
  pattern,
  auth: "token",
  accepts: [],
  meaning: "takes it away",
  handle: (request) => deleteOne(kind, request, ports),
});

async function listOrWatch(kind: Kind, request: AdminRequest, ports: ResourcePorts): Promise<AdminAnswer> {
  const unknown = [...request.query.keys()].find((key) => key !== "watch" && key !== "fieldSelector");
  if (unknown !== undefined) return answerRefusal(badQuery(`${unknown} is no parameter here: watch and fieldSelector are.`));
  const selector = request.query.get("fieldSelector");
  const name = selector === null ? null : (/^metadata\.name=([A-Za-z0-9.-]{1,253})$/.exec(selector)?.[1] ?? null);
  if (selector !== null && name === null) return answerRefusal(badQuery("Only fieldSelector=metadata.name=NAME is understood."));
  const watch = request.query.get("watch");
  if (watch === "true" || watch === "1") return ports.watches.open({ kind, name });
  const listed = await ports.store.list(kind);
  if (!listed.ok) return answerRefusal(refusalOfStore(listed.error));
  const items = listed.value.items.filter((item) => name === null || item.name === name);
  return answerJson(200, toKubernetesList(kind, items));
}

const badQuery = (message: string): Refusal => ({ reason: "BadRequest", message });

async function getOne(kind: Kind, request: AdminRequest, store: ClusterStore): Promise<AdminAnswer> {
  const found = await store.get(kind, request.parameters["name"] ?? "");
  return found.ok ? answerJson(200, toKubernetes(found.value)) : answerRefusal(refusalOfStore(found.error));
}

async function putOne(kind: Kind, request: AdminRequest, ports: ResourcePorts): Promise<AdminAnswer> {
  const name = request.parameters["name"] ?? "";
  const isForced = readForce(request);
  if (!isForced.ok) return answerRefusal({ reason: "BadRequest", message: isForced.error });
  const put = await ports.apply.put({ kind, name, isForced: isForced.value }, request.body);
  if (!put.ok) return answerApplyRefusal(put.error);
  const { resource, action } = put.value;
  ports.log.record({ level: "info", event: "admin.put", fields: { kind, name, action, generation: resource.generation } });
  return answerJson(action === "created" ? 201 : 200, toKubernetes(resource));
}

async function deleteOne(kind: Kind, request: AdminRequest, ports: ResourcePorts): Promise<AdminAnswer> {
  const name = request.parameters["name"] ?? "";
  const removed = await ports.apply.remove(kind, name);
  if (!removed.ok) return answerApplyRefusal(removed.error);
  ports.log.record({ level: "info", event: "admin.delete", fields: { kind, name } });
  return answerJson(200, {
    apiVersion: "v1",
    kind: "Status",
    metadata: {},
    status: "Success",
    details: { kind, name },
    code: 200,
  });
}
