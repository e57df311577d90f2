import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { JsonObject } from "../base/json.ts";
import { serviceManifest, SERVICES } from "./admin-rig.ts";
import { listenAdmin, runCli, startCli } from "./cli-rig.ts";
import { objectsAt, textAt } from "./json-at.ts";
import { parseJsonObject } from "./parse-admin-answer.ts";

type Platform = Awaited<ReturnType<typeof listenAdmin>>;

const instance = (name: string, change: JsonObject = {}): JsonObject => ({
  name,
  uid: `uid-${name}`,
  generation: 1,
  level: "hot",
  state: "Ready",
  weight: 80,
  members: [{ node: "gpu-a", gpu: 0, partition: "p" }],
  endpoint: "http://127.0.0.1:40001",
  pid: 4711,
  serves: ["gold"],
  fingerprint: "f",
  failedStarts: 0,
  message: "serves",
  ...change,
});
const statusOf = (...instances: readonly JsonObject[]): JsonObject => ({
  phase: "Normal",
  level: "hot",
  epoch: 2,
  revision: 5,
  observedGeneration: 1,
  instances,
  failovers: { inWindow: 1, max: 3, windowStart: null },
  rto: { targetMs: 60_000, lastMs: 212, worstMs: 480 },
  knownAnswer: null,
  knownAnswerOf: null,
  quarantined: [],
  history: [{ at: "2026-01-01T00:00:00.000Z", what: "Starts gold-hot-1 as generation 2.", why: "Generation 1 ended: SIGKILL." }],
  conditions: [],
});

async function storeService(platform: Platform, ...instances: readonly JsonObject[]): Promise<void> {
  const found = await platform.store.get("HotStandbyConfig", "gold");
  if (!found.ok)
    await platform.call(`PUT ${SERVICES}/gold`, {
      body: JSON.stringify(serviceManifest("gold")),
      headers: ["host", `127.0.0.1:${platform.port()}`],
    });
  const stored = await platform.store.get("HotStandbyConfig", "gold");
  assert.ok(stored.ok);
  const written = await platform.store.writeStatus(
    { kind: "HotStandbyConfig", name: "gold" },
    statusOf(...instances),
    stored.value.version,
  );
  assert.ok(written.ok);
}
async function storeAttached(platform: Platform): Promise<void> {
  const created = await platform.store.create({
    kind: "AttachedEngine",
    name: "local-1",
    labels: {},
    annotations: {},
    spec: { url: "http://127.0.0.1:8000" },
  });
  assert.ok(created.ok);
  const status = { state: "Ready", generation: 3, service: "tide-1b", model: "tide-1b", message: "answers" };
  await platform.store.writeStatus({ kind: "AttachedEngine", name: "local-1" }, status, created.value.version);
}
const cli = (platform: Platform, ...args: readonly string[]) => runCli([...args, "--data-dir", platform.dataDir]);

test("get instances finds the control plane by the data directory and shows attached engines too", async () => {
  await using platform = await listenAdmin();
  await storeService(
    platform,
    instance("gold-hot-1"),
    instance("gold-warm-1", { level: "warm", state: "Starting", weight: 0, members: [], endpoint: null, pid: null }),
  );
  await storeAttached(platform);
  assert.equal(
    (await cli(platform, "get")).out,
    [
      "SERVICE  INSTANCE     LEVEL  STATE     WEIGHT  GPU      ENDPOINT                PID   GEN  MESSAGE",
      "gold     gold-hot-1   hot    Ready     80      gpu-a/0  http://127.0.0.1:40001  4711  1    serves",
      "gold     gold-warm-1  warm   Starting  0       -        -                       -     1    serves",
      "tide-1b  local-1      hot    Ready     1       -        http://127.0.0.1:8000   -     3    attached: answers",
      "",
    ].join("\n"),
  );
});

test("get services shows how each stands, attached ones too", async () => {
  await using platform = await listenAdmin();
  await storeService(platform, instance("gold-hot-1", { state: "Failed" }));
  await storeAttached(platform);
  const lines = (await cli(platform, "get", "services")).out.split("\n").map((line) => line.split(/ {2,}/).slice(0, 11));
  assert.deepEqual(lines.slice(1, 3), [
    ["gold", "gold", "silver", "tidegate-sim-8b", "hot", "Normal", "0/1", "1m", "212 ms", "2", "1/3"],
    ["tide-1b", "default", "silver", "tide-1b", "hot", "Normal", "1/1", "1m", "-", "-", "-"],
  ]);
});

test("get for programs gives what the API gives", async () => {
  await using platform = await listenAdmin();
  await storeService(platform, instance("gold-hot-1"));
  const list = parseJsonObject((await cli(platform, "get", "services", "-o", "json")).out);
  assert.deepEqual([list["kind"], objectsAt(list, "items").length], ["HotStandbyConfigList", 1]);
  const yaml = (await cli(platform, "get", "services", "gold", "-o", "yaml")).out;
  assert.match(yaml, /^apiVersion: inference\.example\.com\/v1\nkind: HotStandbyConfig\n/);
  const instances = parseJsonObject((await cli(platform, "get", "instances", "-o", "json")).out);
  assert.deepEqual(
    objectsAt(instances, "items").map((item) => [item["service"], item["pid"]]),
    [["gold", 4711]],
  );
});

test("get of what is not there is refused with the name", async () => {
  await using platform = await listenAdmin();
  const service = await cli(platform, "get", "services", "nobody");
  const one = await cli(platform, "get", "instances", "nobody");
  assert.deepEqual([service.exitCode, one.exitCode], [1, 1]);
  assert.match(service.err, /^hotstandbyconfigs "nobody" not found\n {2}why: /);
  assert.match(one.err, /^There is no instance nobody\./);
});

test("get instances -w shows a change as it happens, lasts over a restart of the control plane, and ends with 0", async () => {
  await using platform = await listenAdmin();
  await storeService(platform, instance("gold-hot-1"));
  const watch = startCli(["get", "instances", "-w", "--data-dir", platform.dataDir]);
  await watch.shows(/gold-hot-1 .* Ready .* 4711 /);
  await storeService(platform, instance("gold-hot-1", { state: "Failed", pid: null, message: "ended: SIGKILL" }));
  await watch.shows(/gold-hot-1 .* Failed .*ended: SIGKILL/);
  await platform.restart(async () => {
    await watch.shows(/went away/);
    await storeService(platform, instance("gold-hot-1", { generation: 2, pid: 4712 }), instance("gold-hot-2"));
  });
  await watch.shows(/is back/);
  await watch.shows(/gold-hot-1 .* 4712 /);
  await watch.shows(/gold-hot-2 /);
  await storeService(platform, instance("gold-hot-1", { generation: 2, pid: 4712 }));
  await watch.shows(/gold-hot-2 .* Removed /);
  watch.child.kill("SIGINT");
  assert.equal(await watch.exited, 0);
  // Title, first look, failure, two after the restart, removal: nothing is shown twice.
  assert.equal(watch.out().trim().split("\n").length, 6);
});

test("describe says how the service stands, why, and what its promise leaves out", async () => {
  await using platform = await listenAdmin();
  await storeService(platform, instance("gold-hot-1"));
  const { exitCode, out } = await cli(platform, "describe", "gold");
  assert.equal(exitCode, 0);
  assert.match(out, /^Service: {3}gold, tenant gold, tier silver\n/);
  assert.match(out, /State: {5}Normal, belongs to hot, epoch 2, revision 5\n/);
  assert.match(out, /Ladder:\n {4}RUNG .*\n {2}> hot +gold-hot-1 Ready +nothing: it takes requests now\n {4}cold +no bytes /);
  assert.match(
    out,
    /While the control plane is away:\n {2}goes on: requests are served from what is Ready.*\n {2}waits: .*cold start; failback/,
  );
  assert.match(out, /Recovery: {2}last 212 ms, worst 480 ms\n/);
  assert.match(
    out,
    /What happened, newest last:\n {2}2026-01-01T00:00:00\.000Z {2}Starts gold-hot-1 as generation 2\. Generation 1 ended: SIGKILL\.\n/,
  );
  assert.match(out, /What the promise does not cover today:\n(?: {2}- .+\n){3,}/);
});

test("describe says of each reserved share who keeps its memory, if anybody does", async () => {
  await using platform = await listenAdmin();
  await storeService(platform, instance("gold-hot-1"));
  for (const [gpu, mode] of ["exclusive", "mps", "time-slicing"].entries()) {
    const share = {
      tenant: "gold",
      service: "gold",
      instance: `gold-hot-${gpu}`,
      mode,
      node: "gpu-a",
      gpu,
      memory: "20GB",
      computePercent: 50,
    };
    const draft = { kind: "GPUPartition", name: `p-${gpu}`, labels: {}, annotations: {}, spec: share } as const;
    assert.ok((await platform.store.create(draft)).ok);
  }
  const { out } = await cli(platform, "describe", "gold");
  const kept = [...out.matchAll(/gpu-a\/\d +(\S+) +20 GB +(\S+) +Pending/g)].map(([, mode, keeper]) => `${mode}: ${keeper}`);
  assert.deepEqual(kept, ["exclusive: hardware", "mps: service", "time-slicing: nobody"]);
});

test("describe of a service of attached engines says who runs it and what is not seen", async () => {
  await using platform = await listenAdmin();
  await storeAttached(platform);
  const { exitCode, out } = await cli(platform, "describe", "tide-1b");
  assert.equal(exitCode, 0);
  assert.match(out, /^Service: {3}tide-1b, tenant default, tier silver, of attached engines\nModel: {5}tide-1b\n/);
  assert.match(out, /Somebody else runs these servers/);
  assert.match(out, /A hang behind a healthy answer is not seen at local-1/);
  assert.equal((await cli(platform, "describe", "nobody")).exitCode, 1);
});

test("describe of a service of attached engines says where their streams go on, or why nowhere", async () => {
  await using platform = await listenAdmin();
  const store = async (name: string, answer: string): Promise<void> => {
    const spec = { url: "http://127.0.0.1:8000" };
    const created = await platform.store.create({ kind: "AttachedEngine", name, labels: {}, annotations: {}, spec });
    assert.ok(created.ok);
    const found = { state: "Ready", generation: 1, service: "attached.tide", model: "tide", models: ["tide"], message: "vllm" };
    const evidence = { kind: "known", generation: 1, version: "0.11.0", root: "tide", settings: "", answer };
    const status = { ...found, engine: "vllm", contextLength: 8_192, hasProgress: true, evidence };
    await platform.store.writeStatus({ kind: "AttachedEngine", name }, status, created.value.version);
  };
  await store("a", "1,2");
  await store("b", "1,2");
  await store("c", "1,3");
  const { out } = await cli(platform, "describe", "attached.tide");
  assert.match(out, /^ {2}a: streams go on at: b; not at c: its known answer is another one$/m);
  assert.match(out, /^ {2}c: streams end with it; not at a: its known answer is another one; not at b: /m);
  assert.match(out, /ends in an explicit error event at c: see Streams\.$/m);
});

test("apply creates, says so, and a second apply changes nothing", async () => {
  await using platform = await listenAdmin();
  const file = join(platform.dataDir, "gold.yaml");
  writeFileSync(file, JSON.stringify(serviceManifest("gold")));
  const dry = await cli(platform, "apply", file, "--dry-run");
  assert.equal(dry.out, "HotStandbyConfig gold created (dry run)\n");
  assert.equal((await cli(platform, "apply", file)).out, "HotStandbyConfig gold created\n");
  assert.equal((await cli(platform, "apply", file)).out, "HotStandbyConfig gold unchanged\n");
});

test("apply refuses a promise that nothing could keep, and applies it with --force", async () => {
  await using platform = await listenAdmin();
  const file = join(platform.dataDir, "fast.yaml");
  const node = {
    apiVersion: "inference.example.com/v1",
    kind: "GPUNode",
    metadata: { name: "gpu-a" },
    spec: { gpus: [{ model: "H100-80GB" }] },
  };
  const promise = { model: { name: "m", weights: "60GB" }, failoverPolicy: { rtoTarget: "5s" } };
  writeFileSync(file, [node, serviceManifest("fast", promise)].map((one) => JSON.stringify(one)).join("\n---\n"));
  const refused = await cli(platform, "apply", file);
  assert.deepEqual([refused.exitCode, refused.out], [1, ""]);
  assert.match(
    refused.err,
    /PROMISE_IMPOSSIBLE: fast: cold loads 60 GB over 11 GB\/s network = 5\.5 s \+ 0\.2 s, alone over rtoTarget 5 s/,
  );
  const forced = await cli(platform, "apply", file, "--force");
  assert.deepEqual([forced.exitCode, forced.out], [0, "GPUNode gpu-a created\nHotStandbyConfig fast created\n"]);
  assert.match(forced.err, /warning: .*PROMISE_AT_RISK: fast: cold loads 60 GB/);
});

test("apply of a bad manifest names the place, exits with 1 and applies nothing", async () => {
  await using platform = await listenAdmin();
  const file = join(platform.dataDir, "bad.yaml");
  writeFileSync(
    file,
    "apiVersion: inference.example.com/v1\nkind: HotStandbyConfig\nmetadata: { name: b }\nspec:\n  tenant: b\n  tier: bronze\n",
  );
  const { exitCode, out, err } = await cli(platform, "apply", file);
  assert.deepEqual([exitCode, out], [1, ""]);
  assert.ok(err.startsWith(`${file}:6:9: WRONG_VALUE: `), err);
  assert.match(err, /Refused: 1 problem\. Nothing was applied\.\n$/);
});

test("a key is made, listed by its beginning, and taken back", async () => {
  await using platform = await listenAdmin();
  const made = await cli(platform, "keys", "create", "--tenant", "gold");
  assert.match(made.out, /^tg-[A-Za-z0-9_-]{43}\n$/);
  const id = /This is key (\S+) of tenant gold/.exec(made.err)?.[1] ?? "";
  const listed = await cli(platform, "keys", "list");
  assert.match(listed.out, new RegExp(`^KEY .*\n${id} +gold +${made.out.slice(0, 7)} `));
  assert.ok(!listed.out.includes(made.out.trim()));
  assert.equal((await cli(platform, "keys", "delete", id)).out, `${id} deleted\n`);
  assert.equal((await cli(platform, "keys", "delete", id)).exitCode, 1);
});

test("delete takes a service away by any of its names", async () => {
  await using platform = await listenAdmin();
  await storeService(platform, instance("gold-hot-1"));
  assert.equal((await cli(platform, "delete", "hotstandbyconfig", "gold")).out, "service gold deleted\n");
});

test("the token comes from a file that nobody else may read, and is sent", async () => {
  const token = "0123456789abcdef0123456789abcdef";
  await using platform = await listenAdmin({ token });
  const file = join(platform.dataDir, "token");
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  assert.match((await cli(platform, "get", "nodes")).err, /^A token is needed/);
  assert.equal((await cli(platform, "get", "nodes", "--admin-token-file", file)).exitCode, 0);
  chmodSync(file, 0o644);
  assert.match(
    (await cli(platform, "get", "nodes", "--admin-token-file", file)).err,
    /is open to others\.\n {2}why: {2}Its mode is 644\.\n {2}next: chmod 600 /,
  );
});

test("doctor finds a control plane that answers, and a gateway that does not", async () => {
  await using platform = await listenAdmin();
  const { exitCode, out } = await cli(platform, "doctor", "-o", "json", "--gateway-port", "9");
  const results = Object.fromEntries(
    objectsAt(parseJsonObject(out), "checks").map((check) => [textAt(check, "name") ?? "", check["result"]]),
  );
  assert.deepEqual([exitCode, results["control plane"], results["gateway"], results["node"]], [1, "good", "bad", "good"]);
});
