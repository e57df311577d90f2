import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createAdminRig, serviceManifest, SERVICES } from "./admin-rig.ts";

const methods = fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "get");
const targets = fc.oneof(
  fc.constantFrom(
    "/",
    "/metrics",
    SERVICES,
    `${SERVICES}/a`,
    "/apis/inference.example.com/v1/apply",
    "/apis/inference.example.com/v1/apikeys/x",
  ),
  fc.string({ unit: "grapheme-ascii" }).map((text) => `/${text.replaceAll(/[\s]/g, "")}`),
);
const bodies = fc.oneof(
  fc.json(),
  fc.string({ unit: "binary" }),
  fc
    .object({ key: fc.constantFrom("apiVersion", "kind", "metadata", "spec", "name", "__proto__", "tenant", "hotStandby") })
    .map((value) => JSON.stringify(value)),
  fc.object().map((spec) => JSON.stringify({ ...serviceManifest("a"), spec })),
);
const types = fc.constantFrom("application/json", "application/yaml", "application/vnd.tidegate.files+json", "text/plain", "");

test("whatever is sent to the admin API is answered once, with a Status where it is refused, and breaks no route", async () => {
  await fc.assert(
    fc.asyncProperty(methods, targets, bodies, types, async (method, target, body, contentType) => {
      const { call, log } = createAdminRig();
      const answer = await call(`${method} ${target}`, { body, contentType });
      assert.ok(answer.status >= 200 && answer.status < 500, `${answer.status} ${log.text()}`);
      if (answer.status >= 400) assert.deepEqual([answer.json["kind"], answer.json["code"]], ["Status", answer.status]);
    }),
    { numRuns: 400 },
  );
});

test("whatever stands in Authorization, only the token opens the admin API", async () => {
  const token = "0123456789abcdef0123456789abcdef";
  const { call } = createAdminRig({ host: "0.0.0.0", token });
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary" }), fc.constantFrom("Bearer ", "bearer ", "", "Basic "), async (text, scheme) => {
      fc.pre(text.trim() !== token);
      assert.equal((await call("GET /metrics", { headers: ["Authorization", scheme + text] })).status, 401);
    }),
    { numRuns: 500 },
  );
});

test("whatever stands in Host, only our own authorities are answered", async () => {
  const { call } = createAdminRig();
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.domain(), fc.webAuthority(), fc.string()), async (host) => {
      fc.pre(!/^(?:localhost|127(?:\.\d+){3}):8081$/i.test(host));
      assert.equal((await call("GET /healthz", { headers: ["host", host] })).status, 421);
    }),
    { numRuns: 500 },
  );
});
