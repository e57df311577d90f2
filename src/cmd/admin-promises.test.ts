import assert from "node:assert/strict";
import { test } from "node:test";
import { FILES_TYPE } from "../admin/apply-routes.ts";
import type { JsonObject } from "../base/json.ts";
import { createAdminRig, serviceManifest, SERVICES } from "./admin-rig.ts";
import { objectsAt, textAt } from "./json-at.ts";

const APPLY = "/apis/inference.example.com/v1/apply";
const NODES = "/apis/inference.example.com/v1/gpunodes";
const node = (name: string, spec: JsonObject = {}): JsonObject => ({
  apiVersion: "inference.example.com/v1",
  kind: "GPUNode",
  metadata: { name },
  spec: { gpus: [{ model: "H100-80GB", count: 4 }], ...spec },
});
/** 140 GB on four GPUs, one hot instance and nothing else, within 5 s. */
const SPEC: JsonObject = { model: { name: "m", weights: "140GB", tensorParallelSize: 4 }, failoverPolicy: { rtoTarget: "5s" } };
const silver = serviceManifest("silver-x", SPEC);
const WORDS =
  "silver-x: cold loads 140 GB over 11 GB/s network = 12.7 s + 0.2 s, alone over rtoTarget 5 s: use imageCache, a warm instance, or a longer rtoTarget.";
const filesOf = (...documents: readonly JsonObject[]) => ({
  body: JSON.stringify({ files: [{ path: "m.yaml", text: documents.map((one) => JSON.stringify(one)).join("\n---\n") }] }),
  contentType: FILES_TYPE,
});

test("apply refuses a promise that physics cannot keep, with the arithmetic, and stores nothing of the set", async () => {
  const { call, store } = createAdminRig();
  const answer = await call(`POST ${APPLY}`, filesOf(node("gpu-a"), silver));
  assert.deepEqual([answer.status, textAt(answer.json, "reason")], [422, "Invalid"]);
  const problems = objectsAt(answer.json, "details", "problems");
  assert.deepEqual(
    problems.map(({ code, path, what }) => [code, path, what]),
    [["PROMISE_IMPOSSIBLE", "spec.failoverPolicy.rtoTarget", WORDS]],
  );
  const listed = await store.list("GPUNode");
  assert.ok(listed.ok && listed.value.items.length === 0);
});

test("with force it comes in, and the same words are a warning", async () => {
  const { call, store } = createAdminRig();
  const answer = await call(`POST ${APPLY}?force=true`, filesOf(node("gpu-a"), silver));
  assert.equal(answer.status, 200);
  assert.deepEqual(
    objectsAt(answer.json, "warnings").flatMap(({ code, what }) => (code === "PROMISE_AT_RISK" ? [what] : [])),
    [WORDS],
  );
  assert.ok((await store.get("HotStandbyConfig", "silver-x")).ok);
});

test("what was let in by force stands in nobody's way, and is refused again only where it changes itself", async () => {
  const { call } = createAdminRig();
  await call(`POST ${APPLY}?force=true`, filesOf(node("gpu-a"), silver));
  assert.equal((await call(`POST ${APPLY}`, filesOf(silver))).status, 200, "unchanged");
  assert.equal((await call(`PUT ${SERVICES}/other`, { body: JSON.stringify(serviceManifest("other")) })).status, 201);
  const changed = serviceManifest("silver-x", { ...SPEC, priority: "high" });
  assert.equal((await call(`POST ${APPLY}`, filesOf(changed))).status, 422);
});

test("a PUT of one config is refused, and let in by force", async () => {
  const { call } = createAdminRig();
  await call(`PUT ${NODES}/gpu-a`, { body: JSON.stringify(node("gpu-a")) });
  const body = { body: JSON.stringify(silver) };
  assert.match((await call(`PUT ${SERVICES}/silver-x`, body)).text, /PROMISE_IMPOSSIBLE/);
  assert.equal((await call(`PUT ${SERVICES}/silver-x?force=yes`, body)).status, 400);
  assert.equal((await call(`PUT ${SERVICES}/silver-x?force=true`, body)).status, 201);
});

test("a slower node is never refused: it warns once of each promise that it puts at risk", async () => {
  const { call } = createAdminRig();
  const model = { name: "m", weights: "20GB" };
  await call(`POST ${APPLY}`, filesOf(node("gpu-a"), serviceManifest("s", { model, failoverPolicy: { rtoTarget: "5s" } })));
  const slow = filesOf(node("gpu-a", { links: { network: "1GB" } }));
  const warned = async () => objectsAt((await call(`POST ${APPLY}`, slow)).json, "warnings").map(({ what }) => what);
  assert.deepEqual(await warned(), [
    "s: cold loads 20 GB over 1 GB/s network = 20 s + 0.2 s, alone over rtoTarget 5 s: use imageCache, a warm instance, or a longer rtoTarget.",
  ]);
  assert.deepEqual(await warned(), []);
});

test("a service that makes another one wait is told so when it is applied", async () => {
  const { call } = createAdminRig();
  const zone = (name: string): JsonObject => ({ "topology.kubernetes.io/zone": name });
  const inZone = (name: string, of: string): JsonObject => ({ ...node(name), metadata: { name, labels: zone(of) } });
  const sleeper = (name: string, tier: string, rtoTarget: string): JsonObject =>
    serviceManifest(name, {
      tier,
      model: { name: "m", weights: "54GB" },
      hotStandby: { gpuCount: 1, nodeSelector: zone("az-1") },
      warmStandby: { rest: "asleep", nodeSelector: zone("az-2") },
      coldStandby: { gpuCount: 0 },
      failoverPolicy: { rtoTarget },
    });
  const risks = async (...documents: readonly JsonObject[]) =>
    objectsAt((await call(`POST ${APPLY}`, filesOf(...documents))).json, "warnings").flatMap(({ code, what }) =>
      code === "PROMISE_AT_RISK" ? [typeof what === "string" ? what.split(" = ")[0] : what] : [],
    );
  assert.deepEqual(await risks(inZone("a", "az-1"), inZone("b", "az-2"), sleeper("cheap", "gold", "3400ms")), []);
  assert.deepEqual(await risks(sleeper("dear", "platinum", "5s")), [
    "cheap: loss of node a: 2 s to find a hang + 1.3 s behind dear + 1.2 s for the wake of 54 GB over 54 GB/s hostToGpu of b + 0.05 s to verify + 0.03 s to read 1 x 8192 tokens again",
  ]);
});
