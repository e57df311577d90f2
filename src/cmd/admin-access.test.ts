import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdminRig } from "./admin-rig.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const open = { host: "0.0.0.0", token: TOKEN };

test("every admin route but the two health pages asks for the token beyond loopback", async () => {
  const { admin, call } = createAdminRig(open);
  const anybody: string[] = [];
  for (const { method, pattern } of admin.routes) {
    const { status } = await call(`${method} ${pattern.replace(":name", "some-name")}`);
    if (status !== 401) anybody.push(`${method} ${pattern}`);
  }
  assert.deepEqual(anybody, ["GET /healthz", "GET /readyz"]);
});

test("without the token nobody learns which admin paths exist", async () => {
  const { call } = createAdminRig(open);
  assert.equal((await call("GET /nothing/here")).status, 401);
  assert.equal((await call("PATCH /metrics")).status, 401);
});

const tokens = [
  { name: "the token", header: `Bearer ${TOKEN}`, status: 200 },
  { name: "the token under a scheme in capitals", header: `BEARER ${TOKEN}`, status: 200 },
  { name: "a wrong token", header: "Bearer ffffffffffffffffffffffffffffffff", status: 401 },
  { name: "a prefix of the token", header: `Bearer ${TOKEN.slice(0, 20)}`, status: 401 },
  { name: "the token with more behind it", header: `Bearer ${TOKEN}0`, status: 401 },
  { name: "an SQL injection (CVE-2026-42208)", header: "Bearer ' OR '1'='1", status: 401 },
  { name: "another scheme", header: `Basic ${TOKEN}`, status: 401 },
  { name: "a megabyte", header: `Bearer ${"a".repeat(1_000_000)}`, status: 401 },
  { name: "an empty token", header: "Bearer ", status: 401 },
];
for (const { name, header, status } of tokens) {
  test(`admin token: ${name} is answered ${status}`, async () => {
    const { call } = createAdminRig(open);
    assert.equal((await call("GET /metrics", { headers: ["authorization", header] })).status, status);
  });
}

test("two Authorization headers are no token", async () => {
  const { call } = createAdminRig(open);
  const headers = ["authorization", `Bearer ${TOKEN}`, "authorization", `Bearer ${TOKEN}`];
  assert.equal((await call("GET /metrics", { headers })).status, 401);
});

test("an admin port beyond loopback does not start without a token", () => {
  assert.throws(() => createAdminRig({ host: "0.0.0.0" }), /beyond loopback has a token/);
});

test("on loopback the admin API needs no token", async () => {
  const { call } = createAdminRig();
  assert.equal((await call("GET /metrics")).status, 200);
});

test("a foreign Host or Origin is refused before the route runs, and no CORS header is ever sent", async () => {
  const { call, store } = createAdminRig();
  const rebound = await call("GET /metrics", { headers: ["host", "evil.example:8081"] });
  const crossed = await call("POST /apis/inference.example.com/v1/apikeys", {
    headers: ["origin", "https://evil.example"],
    body: '{"tenant":"a"}',
  });
  assert.deepEqual([rebound.status, crossed.status], [421, 403]);
  for (const answer of [rebound, crossed]) assert.ok(!answer.headers.some((header) => header.startsWith("access-control")));
  const keys = await store.list("ApiKey");
  assert.ok(keys.ok && keys.value.items.length === 0);
});

test("what a plain HTML form can send is no media type of a writing route", async () => {
  const { call } = createAdminRig();
  for (const contentType of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]) {
    const answer = await call("POST /apis/inference.example.com/v1/apikeys", { body: '{"tenant":"a"}', contentType });
    assert.equal(answer.status, 415, contentType);
  }
});

test("health is answered to anybody and says nothing but itself", async () => {
  const { call } = createAdminRig({ ...open, notReady: () => "tenant-secret has no hot instance" });
  const health = await call("GET /healthz");
  const ready = await call("GET /readyz");
  assert.deepEqual([health.status, health.text, ready.status, ready.text], [200, "ok\n", 503, "not ready\n"]);
});

test("readiness follows the services: looked at, and served by an instance", async () => {
  const { call, store } = createAdminRig();
  assert.equal((await call("GET /readyz")).status, 200);
  const created = await store.create({ kind: "HotStandbyConfig", name: "gold", labels: {}, annotations: {}, spec: {} });
  assert.ok(created.ok);
  const statuses = [(await call("GET /readyz")).status];
  let { version } = created.value;
  // Traffic belongs to a rung that still wakes: nobody serves it yet.
  for (const state of ["Asleep", "Waking", "Ready"]) {
    const status = { level: "warm", instances: [{ state }] };
    const written = await store.writeStatus({ kind: "HotStandbyConfig", name: "gold" }, status, version);
    assert.ok(written.ok);
    ({ version } = written.value);
    statuses.push((await call("GET /readyz")).status);
  }
  assert.deepEqual(statuses, [503, 503, 503, 200]);
});

test("the front page says why it is not ready, as text and never as markup", async () => {
  const { call } = createAdminRig({ notReady: () => "<script>alert(1)</script>" });
  const page = await call("GET /");
  assert.equal(page.status, 200);
  assert.match(page.text, /Not ready: &lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.ok(page.headers.includes("content-security-policy"));
});

test("a route that breaks is answered 500 and leaves its stack in the event log alone", async () => {
  const { call, log } = createAdminRig({
    metrics: () => {
      throw new Error("a defect");
    },
  });
  const answer = await call("GET /metrics");
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.text, /defect/);
  assert.match(log.text(), /admin\.route-broke.*a defect/);
});

test("a wrong method is answered 405 with the right ones", async () => {
  const { call } = createAdminRig();
  const answer = await call("PUT /apis/inference.example.com/v1/gpupartitions/x", { body: "{}" });
  assert.equal(answer.status, 405);
  assert.equal(answer.headers[answer.headers.indexOf("allow") + 1], "GET");
  assert.equal(answer.json["reason"], "MethodNotAllowed");
});
