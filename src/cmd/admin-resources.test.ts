import assert from "node:assert/strict";
import { test } from "node:test";
import { FILES_TYPE } from "../admin/apply-routes.ts";
import { BODY_BYTES_MAX } from "../admin/collect-body.ts";
import { isJsonObject, type JsonObject } from "../base/json.ts";
import { createAdminRig, serviceManifest, SERVICES } from "./admin-rig.ts";
import { objectsAt, textAt } from "./json-at.ts";

const APPLY = "/apis/inference.example.com/v1/apply";
const KEYS = "/apis/inference.example.com/v1/apikeys";
const body = (value: JsonObject): { readonly body: string } => ({ body: JSON.stringify(value) });

test("a PUT without a resourceVersion creates, and GET gives it back in Kubernetes' form", async () => {
  const { call } = createAdminRig();
  const created = await call(`PUT ${SERVICES}/gold`, body(serviceManifest("gold")));
  const read = await call(`GET ${SERVICES}/gold`);
  assert.deepEqual([created.status, read.status], [201, 200]);
  assert.deepEqual(read.json, created.json);
  const { apiVersion, kind, metadata, spec } = read.json;
  assert.deepEqual([apiVersion, kind, spec], ["inference.example.com/v1", "HotStandbyConfig", { tenant: "gold", tier: "silver" }]);
  assert.deepEqual(isJsonObject(metadata) ? Object.keys(metadata) : [], [
    "name",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
  ]);
});

test("what GET gave can be PUT again unchanged, and changes nothing", async () => {
  const { call } = createAdminRig();
  const created = await call(`PUT ${SERVICES}/gold`, body(serviceManifest("gold")));
  const again = await call(`PUT ${SERVICES}/gold`, { body: created.text });
  assert.deepEqual([again.status, again.json], [200, created.json]);
});

test("a PUT made from an older version is a Conflict and leaves what is there", async () => {
  const { call } = createAdminRig();
  const first = await call(`PUT ${SERVICES}/gold`, body(serviceManifest("gold")));
  const resourceVersion = textAt(first.json, "metadata", "resourceVersion") ?? "";
  const change = (priority: string) => ({ ...serviceManifest("gold", { priority }), metadata: { name: "gold", resourceVersion } });
  assert.equal((await call(`PUT ${SERVICES}/gold`, body(change("high")))).status, 200);
  const late = await call(`PUT ${SERVICES}/gold`, body(change("low")));
  assert.deepEqual([late.status, late.json["kind"], late.json["reason"], late.json["code"]], [409, "Status", "Conflict", 409]);
  assert.equal(textAt((await call(`GET ${SERVICES}/gold`)).json, "spec", "priority"), "high");
});

test("a PUT without a resourceVersion never replaces", async () => {
  const { call } = createAdminRig();
  await call(`PUT ${SERVICES}/gold`, body(serviceManifest("gold")));
  assert.equal((await call(`PUT ${SERVICES}/gold`, body(serviceManifest("gold", { priority: "low" })))).status, 409);
});

const badPuts: readonly { readonly name: string; readonly text: string; readonly status: number }[] = [
  { name: "another name than the path", text: JSON.stringify(serviceManifest("silver")), status: 400 },
  { name: "no JSON", text: "spec: {}", status: 400 },
  { name: "a key twice", text: '{"kind":"a","kind":"b"}', status: 400 },
  { name: "10,000 levels", text: `{"spec":${"[".repeat(10_000)}${"]".repeat(10_000)}}`, status: 400 },
  { name: "an unknown field", text: JSON.stringify(serviceManifest("gold", { hotStandbi: {} })), status: 422 },
  { name: "a wrong unit", text: JSON.stringify(serviceManifest("gold", { hotStandby: { memoryReserved: "80XB" } })), status: 422 },
  {
    name: "a resourceVersion of nothing that exists",
    text: JSON.stringify({ ...serviceManifest("gold"), metadata: { name: "gold", resourceVersion: "7" } }),
    status: 404,
  },
];
for (const { name, text, status } of badPuts) {
  test(`a PUT with ${name} is answered ${status} and stores nothing`, async () => {
    const { call, store } = createAdminRig();
    const answer = await call(`PUT ${SERVICES}/gold`, { body: text });
    assert.deepEqual([answer.status, answer.json["kind"]], [status, "Status"]);
    const listed = await store.list("HotStandbyConfig");
    assert.ok(listed.ok && listed.value.items.length === 0);
  });
}

test("a refused PUT names each cause with its path", async () => {
  const { call } = createAdminRig();
  const answer = await call(`PUT ${SERVICES}/gold`, body(serviceManifest("gold", { hotStandby: { gpuCount: -1 } })));
  assert.deepEqual(
    objectsAt(answer.json, "details", "causes").map((cause) => cause["field"]),
    ["spec.hotStandby.gpuCount"],
  );
});

test("a body that is no UTF-8 is answered 400", async () => {
  const { call } = createAdminRig();
  assert.equal((await call(`PUT ${SERVICES}/gold`, { body: new Uint8Array([0x7b, 0xff, 0x7d]) })).status, 400);
});

test("a body over the limit is answered 413 before it is complete", async () => {
  const { call } = createAdminRig();
  const answer = await call(`POST ${APPLY}`, { body: new Uint8Array(BODY_BYTES_MAX + 2).fill(0x20), contentType: "application/yaml" });
  assert.deepEqual([answer.status, answer.json["reason"]], [413, "RequestEntityTooLarge"]);
  assert.ok(answer.headers.includes("close"));
});

test("DELETE takes away, and once more is NotFound", async () => {
  const { call } = createAdminRig();
  await call(`PUT ${SERVICES}/gold`, body(serviceManifest("gold")));
  assert.equal((await call(`DELETE ${SERVICES}/gold`)).json["status"], "Success");
  const again = await call(`DELETE ${SERVICES}/gold`);
  assert.deepEqual([again.status, again.json["reason"]], [404, "NotFound"]);
});

const yaml = (...names: readonly string[]): string => names.map((name) => JSON.stringify(serviceManifest(name))).join("\n---\n");

test("apply stores every document of a YAML text, and says what became of each", async () => {
  const { call } = createAdminRig();
  const first = await call(`POST ${APPLY}`, { body: yaml("a", "b"), contentType: "application/yaml" });
  const second = await call(`POST ${APPLY}`, {
    body: `${yaml("a")}\n---\n${JSON.stringify(serviceManifest("b", { priority: "low" }))}`,
    contentType: "application/yaml",
  });
  const actions = (answer: typeof first): readonly unknown[] => objectsAt(answer.json, "results").map((result) => result["action"]);
  assert.deepEqual(
    [actions(first), actions(second)],
    [
      ["created", "created"],
      ["unchanged", "configured"],
    ],
  );
});

test("apply stores all or nothing: one bad document keeps the good one out", async () => {
  const { call } = createAdminRig();
  const bad = JSON.stringify(serviceManifest("b", { tier: "bronze" }));
  const answer = await call(`POST ${APPLY}`, { body: `${yaml("a")}\n---\n${bad}`, contentType: "application/yaml" });
  assert.equal(answer.status, 422);
  assert.deepEqual(objectsAt((await call(`GET ${SERVICES}`)).json, "items"), []);
});

test("apply judges the new together with what is stored", async () => {
  const { call } = createAdminRig();
  await call(`POST ${APPLY}`, { body: JSON.stringify(serviceManifest("a", { tenant: "t" })) });
  const answer = await call(`POST ${APPLY}`, { body: JSON.stringify(serviceManifest("b", { tenant: "t" })) });
  assert.deepEqual(
    objectsAt(answer.json, "details", "problems").map((problem) => problem["code"]),
    ["DUPLICATE_SERVICE"],
  );
});

test("apply of several files names file, line and column of a problem", async () => {
  const { call } = createAdminRig();
  const files = [
    { path: "good.yaml", text: yaml("a") },
    {
      path: "bad.yaml",
      text: "apiVersion: inference.example.com/v1\nkind: HotStandbyConfig\nmetadata: { name: b }\nspec:\n  tenant: b\n  tier: bronze\n",
    },
  ];
  const answer = await call(`POST ${APPLY}`, { body: JSON.stringify({ files }), contentType: FILES_TYPE });
  const places = objectsAt(answer.json, "details", "problems").map(({ file, line, column, path }) => [file, line, column, path]);
  assert.deepEqual(places, [["bad.yaml", 6, 9, "spec.tier"]]);
});

test("a dry run of apply checks and stores nothing", async () => {
  const { call } = createAdminRig();
  const answer = await call(`POST ${APPLY}?dryRun=All`, { body: yaml("a"), contentType: "application/yaml" });
  assert.deepEqual([answer.status, answer.json["dryRun"]], [200, true]);
  assert.deepEqual(objectsAt((await call(`GET ${SERVICES}`)).json, "items"), []);
});

test("two applies at once do not both pass a check that only one can", async () => {
  const { call } = createAdminRig();
  const answers = await Promise.all(
    ["a", "b"].map((name) => call(`POST ${APPLY}`, { body: JSON.stringify(serviceManifest(name, { tenant: "t" })) })),
  );
  assert.deepEqual(
    answers.map((answer) => answer.status),
    [200, 422],
  );
});

test("apply looks again when a status was written between its look and its write", async () => {
  const rig = createAdminRig();
  await rig.call(`POST ${APPLY}`, { body: yaml("a") });
  const applyAll = rig.store.applyAll.bind(rig.store);
  let interruptions = 1;
  rig.store.applyAll = async (changes) => {
    const found = await rig.store.get("HotStandbyConfig", "a");
    if (interruptions > 0 && found.ok) {
      interruptions -= 1;
      await rig.store.writeStatus({ kind: "HotStandbyConfig", name: "a" }, { phase: "Normal" }, found.value.version);
    }
    return applyAll(changes);
  };
  const answer = await rig.call(`POST ${APPLY}`, { body: JSON.stringify(serviceManifest("a", { priority: "high" })) });
  assert.equal(answer.status, 200);
  const stored = await rig.call(`GET ${SERVICES}/a`);
  assert.deepEqual([textAt(stored.json, "spec", "priority"), textAt(stored.json, "status", "phase")], ["high", "Normal"]);
});

test("an API key is told once: 256 bits in base64url, and no digest leaves", async () => {
  const { call, store, log } = createAdminRig();
  const created = await call(`POST ${KEYS}`, { body: '{"tenant":"tenant-gold"}' });
  const key = textAt(created.json, "key") ?? "";
  assert.equal(created.status, 201);
  assert.match(key, /^tg-[A-Za-z0-9_-]{43}$/);
  const listed = await call(`GET ${KEYS}`);
  const stored = await store.list("ApiKey");
  assert.ok(stored.ok);
  const hash = textAt(stored.value.items[0]?.spec ?? null, "hash") ?? "";
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.deepEqual(
    objectsAt(listed.json, "items").map((item) => item["spec"]),
    [{ tenant: "tenant-gold", prefix: key.slice(0, 7) }],
  );
  for (const text of [listed.text, log.text()]) assert.ok(!text.includes(hash) && !text.includes(key));
});

test("a key of a tenant that no service has is made with a warning, and one that has it without", async () => {
  const { call } = createAdminRig();
  const early = await call(`POST ${KEYS}`, { body: '{"tenant":"gold"}' });
  assert.match(textAt(early.json, "warning") ?? "", /^No service of tenant gold is there/);
  await call(`PUT ${SERVICES}/gold`, body(serviceManifest("gold")));
  assert.equal(textAt((await call(`POST ${KEYS}`, { body: '{"tenant":"gold"}' })).json, "warning"), null);
});

test("a key that was taken back is gone", async () => {
  const { call } = createAdminRig();
  const id = textAt((await call(`POST ${KEYS}`, { body: '{"tenant":"a"}' })).json, "id") ?? "";
  assert.equal((await call(`DELETE ${KEYS}/${id}`)).status, 200);
  assert.deepEqual(objectsAt((await call(`GET ${KEYS}`)).json, "items"), []);
});

const badTenants = [
  "{}",
  '{"tenant":7}',
  '{"tenant":"A b"}',
  '{"tenant":"a","rights":["*"]}',
  "[]",
  '{"tenant":""}',
  `{"tenant":"${"a".repeat(64)}"}`,
];
for (const text of badTenants) {
  test(`a key for ${text.slice(0, 30)} is not made`, async () => {
    const { call } = createAdminRig();
    assert.equal((await call(`POST ${KEYS}`, { body: text })).status, 400);
  });
}
