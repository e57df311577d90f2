import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_CLOCK, type RecordPhase } from "../api/failover-record.ts";
import { failoverRecordStatusJson } from "../api/parse-failover-record.ts";
import type { JsonObject } from "../base/json.ts";
import { createAdminRig, serviceManifest, SERVICES } from "./admin-rig.ts";
import { objectsAt, textAt, valueAt } from "./json-at.ts";

const RECORDS = "/apis/inference.example.com/v1/failoverrecords";
const body = (spec: JsonObject, more: JsonObject = {}): { readonly body: string } => ({ body: JSON.stringify({ spec, ...more }) });
const move = (service: string, to: string | null = null): JsonObject => ({ service, action: "failover", to });

async function rigWith(...services: readonly JsonObject[]) {
  const rig = createAdminRig();
  for (const service of services) {
    const name = textAt(service, "metadata", "name") ?? "";
    const put = await rig.call(`PUT ${SERVICES}/${name}`, { body: JSON.stringify(service) });
    assert.equal(put.status, 201, put.text);
  }
  return rig;
}
const gold = serviceManifest("gold", { warmStandby: {}, coldStandby: {} });

async function setPhase(rig: Awaited<ReturnType<typeof rigWith>>, name: string, phase: RecordPhase): Promise<void> {
  const found = await rig.store.get("FailoverRecord", name);
  assert.ok(found.ok);
  const status = { epoch: null, clock: NO_CLOCK, rtoMs: null, capacityRtoMs: null, mttrrMs: null, affected: { requests: 0, lost: 0 } };
  const json = failoverRecordStatusJson({ ...status, phase, reason: "" });
  assert.ok((await rig.store.writeStatus({ kind: "FailoverRecord", name }, json, found.value.version)).ok);
}

test("an operator's failover becomes a record without a status, from where the service stands, in the operator's name", async () => {
  const { call } = await rigWith(gold);
  const { status, json } = await call(`POST ${RECORDS}`, body(move("gold", "warm")));
  assert.equal(status, 201);
  assert.match(textAt(json, "metadata", "name") ?? "", /^request-failover-[0-9a-f]{10}$/);
  const expected = { service: "gold", action: "failover", from: "degraded", to: "warm", cause: "operator", requestedBy: "operator" };
  assert.deepEqual([json["spec"], json["status"]], [expected, undefined]);
});

test("a failback always goes to hot, a resume nowhere", async () => {
  const { call } = await rigWith(gold, serviceManifest("other"));
  const back = await call(`POST ${RECORDS}`, body({ service: "gold", action: "failback" }));
  const resume = await call(`POST ${RECORDS}`, body({ service: "other", action: "resume" }));
  assert.deepEqual([valueAt(back.json, "spec", "to"), valueAt(resume.json, "spec", "to")], ["hot", null]);
});

const badRequests: readonly { readonly name: string; readonly text: string; readonly status: number; readonly says: RegExp }[] = [
  {
    name: "of an unknown service",
    text: JSON.stringify({ spec: move("nobody") }),
    status: 404,
    says: /hotstandbyconfigs "nobody" not found/,
  },
  { name: "to an unknown rung", text: JSON.stringify({ spec: move("silver", "tepid") }), status: 400, says: /spec\.to/ },
  {
    name: "to a rung that the service does not have",
    text: JSON.stringify({ spec: move("silver", "warm") }),
    status: 422,
    says: /silver has no warm level/,
  },
  {
    name: "in the name of the ladder",
    text: JSON.stringify({ spec: { ...move("silver"), requestedBy: "automatic" } }),
    status: 400,
    says: /requestedBy/,
  },
  { name: "of no known action", text: JSON.stringify({ spec: { service: "silver", action: "drill" } }), status: 400, says: /spec\.action/ },
  {
    name: "to resume somewhere",
    text: JSON.stringify({ spec: { service: "silver", action: "resume", to: "hot" } }),
    status: 400,
    says: /goes nowhere/,
  },
  {
    name: "to fail back to warm",
    text: JSON.stringify({ spec: { service: "silver", action: "failback", to: "warm" } }),
    status: 400,
    says: /goes to hot/,
  },
  { name: "with a field nobody knows", text: JSON.stringify({ spec: { ...move("silver"), force: true } }), status: 400, says: /force/ },
  {
    name: "under the name that a record of the ladder will have",
    text: JSON.stringify({ metadata: { name: "silver-2" }, spec: move("silver") }),
    status: 400,
    says: /silver-2 is no name of a request/,
  },
  { name: "that is no JSON", text: "failover silver", status: 400, says: /JSON/ },
];
for (const { name, text, status, says } of badRequests) {
  test(`a request ${name} is answered ${status} and stores nothing`, async () => {
    const { call } = await rigWith(serviceManifest("silver"));
    const answer = await call(`POST ${RECORDS}`, { body: text });
    assert.equal(answer.status, status, answer.text);
    assert.match(textAt(answer.json, "message") ?? "", says);
    assert.deepEqual(objectsAt((await call(`GET ${RECORDS}`)).json, "items"), []);
  });
}

for (const phase of ["none", "Requested", "Running"] as const) {
  test(`a second request of a service is a Conflict while the first is in phase ${phase}`, async () => {
    const rig = await rigWith(gold, serviceManifest("other"));
    const first = textAt((await rig.call(`POST ${RECORDS}`, body(move("gold", "warm")))).json, "metadata", "name") ?? "";
    if (phase !== "none") await setPhase(rig, first, phase);
    const second = await rig.call(`POST ${RECORDS}`, body({ service: "gold", action: "failback" }));
    assert.deepEqual([second.status, second.json["reason"]], [409, "Conflict"]);
    assert.ok((textAt(second.json, "message") ?? "").includes(first));
    assert.equal((await rig.call(`POST ${RECORDS}`, body(move("other")))).status, 201);
  });
}

for (const phase of ["Completed", "Failed", "Refused"] as const) {
  test(`a second request of a service is taken when the first is ${phase}`, async () => {
    const rig = await rigWith(gold);
    const first = textAt((await rig.call(`POST ${RECORDS}`, body(move("gold", "warm")))).json, "metadata", "name") ?? "";
    await setPhase(rig, first, phase);
    assert.equal((await rig.call(`POST ${RECORDS}`, body({ service: "gold", action: "failback" }))).status, 201);
  });
}

test("of two requests at once one is taken", async () => {
  const { call } = await rigWith(gold);
  const answers = await Promise.all([call(`POST ${RECORDS}`, body(move("gold"))), call(`POST ${RECORDS}`, body(move("gold")))]);
  assert.deepEqual(
    answers.map((answer) => answer.status).toSorted((one, other) => one - other),
    [201, 409],
  );
});

test("a request under a name of the caller may be repeated, and is stored once", async () => {
  const { call } = await rigWith(gold);
  const put = () => call(`PUT ${RECORDS}/request-mine`, body(move("gold", "cold")));
  const [first, again] = [await put(), await put()];
  assert.deepEqual([first.status, again.status, again.json], [201, 200, first.json]);
  const other = await call(`PUT ${RECORDS}/request-mine`, body(move("gold", "warm")));
  assert.equal(other.status, 409);
});

test("a record is taken away when it has ended, and not while it is Running", async () => {
  const rig = await rigWith(gold);
  const name = textAt((await rig.call(`POST ${RECORDS}`, body(move("gold")))).json, "metadata", "name") ?? "";
  await setPhase(rig, name, "Running");
  assert.equal((await rig.call(`DELETE ${RECORDS}/${name}`)).status, 409);
  await setPhase(rig, name, "Completed");
  assert.equal((await rig.call(`DELETE ${RECORDS}/${name}`)).status, 200);
  assert.equal((await rig.call(`DELETE ${RECORDS}/${name}`)).status, 404);
});
