import type { FailoverRecord } from "../api/failover-record.ts";
import type { HotStandbyConfig, Level } from "../api/hot-standby-config.ts";
import { failoverRecordSpec, parseFailoverRecord } from "../api/parse-failover-record.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import { PLURALS, type Resource } from "../api/resource.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Random } from "../ports/random.ts";
import { RESOURCE_ROOT, toKubernetes } from "./kubernetes-form.ts";
import { parseFailoverRequest, type FailoverRequest } from "./parse-failover-request.ts";
import type { AdminAnswer, AdminRequest, AdminRoute } from "./route.ts";
import { answerJson, answerRefusal, JSON_TYPE, refusalOfStore, type Refusal } from "./status.ts";

interface RequestPorts {
  readonly store: ClusterStore;
  readonly random: Random;
  readonly log: EventLog;
}

const KIND = "FailoverRecord";
const NAME_BYTES = 5;
// Records of the ladder are named `<service>-<epoch>`: a request must never stand where one of those will.
const NAME = /^request-(?=.*[a-z])[a-z0-9-]{1,100}$/;

/** An operator's failover, failback and resume: the command is the record; the service's loop takes it up. */
export function failoverRequestRoutes(ports: RequestPorts): readonly AdminRoute[] {
  const list = `${RESOURCE_ROOT}/${PLURALS[KIND]}`;
  // One after another, so that two at once do not both find that nothing is open.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<AdminAnswer>): Promise<AdminAnswer> => {
    const mine = last.then(work);
    last = mine.catch(() => null);
    return mine;
  };
  return [
    {
      method: "POST",
      pattern: list,
      auth: "token",
      accepts: [JSON_TYPE],
      meaning: '`{"spec": {"service", "action": failover, failback or resume, "to"}}`: asks for a move, under a name that is answered',
      handle: (request) => inTurn(() => ask(request, null, ports)),
    },
    {
      method: "PUT",
      pattern: `${list}/:name`,
      auth: "token",
      accepts: [JSON_TYPE],
      meaning: "the same under a name `request-...` of the caller: may be repeated until it is answered",
      handle: (request) => inTurn(() => ask(request, request.parameters["name"] ?? "", ports)),
    },
    {
      method: "DELETE",
      pattern: `${list}/:name`,
      auth: "token",
      accepts: [],
      meaning: "takes a record away; refused while it is Running",
      handle: (request) => inTurn(() => takeAway(request.parameters["name"] ?? "", ports)),
    },
  ];
}

async function ask(request: AdminRequest, pathName: string | null, ports: RequestPorts): Promise<AdminAnswer> {
  const parsed = parseFailoverRequest(request.body);
  if (!parsed.ok) return answerRefusal({ reason: "BadRequest", message: parsed.error });
  const asked = parsed.value;
  const name = pathName ?? asked.name ?? `request-${asked.action}-${ports.random.token(NAME_BYTES)}`;
  if (!NAME.test(name)) {
    return answerRefusal({ reason: "BadRequest", message: `${name} is no name of a request: it begins with request- and holds a letter.` });
  }
  if (asked.name !== null && asked.name !== name) {
    return answerRefusal({ reason: "BadRequest", message: `The path says ${name}, the body ${asked.name}.` });
  }
  const known = await ports.store.get(KIND, name);
  if (known.ok) return isSameRequest(known.value, asked) ? answerJson(200, toKubernetes(known.value)) : answerRefusal(taken(name));
  if (known.error.code !== "NOT_FOUND") return answerRefusal(refusalOfStore(known.error));
  const from = await checkRequest(asked, ports.store);
  if (!from.ok) return answerRefusal(from.error);
  const { service, action, to } = asked;
  const spec = failoverRecordSpec({ service, action, from: from.value, to, cause: "operator", requestedBy: "operator" });
  const created = await ports.store.create({ kind: KIND, name, labels: {}, annotations: {}, spec });
  if (!created.ok) return answerRefusal(refusalOfStore(created.error));
  ports.log.record({ level: "info", event: "admin.move-requested", fields: { name, service, action, from: from.value, to } });
  return answerJson(201, toKubernetes(created.value));
}

const taken = (name: string): Refusal => ({ reason: "Conflict", message: `${name} is another request already.` });

function isSameRequest({ spec }: Resource, { service, action, to }: FailoverRequest): boolean {
  return spec["service"] === service && spec["action"] === action && spec["to"] === to && spec["requestedBy"] === "operator";
}

/** @returns where the service stands now. */
async function checkRequest(asked: FailoverRequest, store: ClusterStore): Promise<Result<FailoverRecord["from"], Refusal>> {
  const found = await store.get("HotStandbyConfig", asked.service);
  if (!found.ok) return err(refusalOfStore(found.error));
  const config = parseHotStandbyConfig(found.value);
  if (!config.ok) return err({ reason: "Invalid", message: `The config of ${asked.service} cannot be read: mend it first.` });
  if (asked.to !== null && !hasRung(config.value, asked.to)) {
    return err({ reason: "Invalid", message: `${asked.service} has no ${asked.to} level: its config asks for none.` });
  }
  const records = await store.list(KIND);
  if (!records.ok) return err(refusalOfStore(records.error));
  const open = records.value.items.find((resource) => isOpenRequest(resource, asked.service));
  if (open !== undefined) {
    const message = `${asked.service} has an open request already: ${open.name}. Wait for its end, or take it back.`;
    return err({ reason: "Conflict", message, details: { kind: KIND, name: open.name } });
  }
  const status = found.value.status === null ? null : parseServiceStatus(found.value.status);
  return ok(status !== null && status.ok ? status.value.level : "degraded");
}

function hasRung(config: HotStandbyConfig, level: Level): boolean {
  switch (level) {
    case "hot":
      return true;
    case "warm":
      return config.warm !== null;
    case "cold":
      return config.cold !== null;
  }
}

/** Asked, and not answered with an end yet. */
function isOpenRequest(resource: Resource, service: string): boolean {
  const record = parseFailoverRecord(resource);
  if (!record.ok || record.value.service !== service || record.value.requestedBy !== "operator") return false;
  const phase = record.value.status?.phase ?? "Requested";
  return phase === "Requested" || phase === "Running";
}

async function takeAway(name: string, ports: RequestPorts): Promise<AdminAnswer> {
  const found = await ports.store.get(KIND, name);
  if (!found.ok) return answerRefusal(refusalOfStore(found.error));
  if (found.value.status?.["phase"] === "Running") {
    return answerRefusal({
      reason: "Conflict",
      message: `${name} is Running: its clock still stands open.`,
      details: { kind: KIND, name },
    });
  }
  const removed = await ports.store.remove(KIND, name);
  if (!removed.ok) return answerRefusal(refusalOfStore(removed.error));
  ports.log.record({ level: "info", event: "admin.record-deleted", fields: { name } });
  const details = { kind: KIND, name };
  return answerJson(200, { apiVersion: "v1", kind: "Status", metadata: {}, status: "Success", details, code: 200 });
}
