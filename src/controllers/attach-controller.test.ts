import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { generation, instanceName, serviceName, uid } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import type { EjectionCause } from "../api/link-message.ts";
import type { Kind } from "../api/resource.ts";
import type { Clock } from "../ports/clock.ts";
import type { Upstream } from "../ports/upstream.ts";
import { createAttachController } from "./attach-controller.ts";
import { attachedService } from "./attached-tables.ts";
import { FakeGateway } from "./fake-control-world.ts";
import { createLinkController } from "./link-controller.ts";
import { startLoop, type Loop } from "./run-loop.ts";

/** Answers by path of each server's port; a path that is absent is 404, a port that is absent refuses, null is silence. */
type Servers = Map<number, Readonly<Record<string, string>> | null>;

const VLLM = {
  "/v1/models": JSON.stringify({ data: [{ id: "org/tide-8b", max_model_len: 8192 }, { id: "law" }] }),
  "/metrics": "vllm:iteration_tokens_total_count 5\nvllm:num_requests_running 0\n",
};
const answerOf = (ids: readonly number[]): string => JSON.stringify({ choices: [{ text: " a tide", token_ids: ids }] });
const KNOWN = {
  ...VLLM,
  "/v1/models": JSON.stringify({ data: [{ id: "org/tide-8b", root: "/models/tide", max_model_len: 8192 }] }),
  "/version": '{"version":"0.11.0"}',
  "/v1/completions": answerOf([1, 2, 3]),
};
const LLAMA = { "/v1/models": JSON.stringify({ data: [{ id: "org/tide-8b" }] }), "/props": "{}" };
const PLAIN = { "/v1/models": JSON.stringify({ data: [{ id: "other" }] }) };

function fakeServers(clock: Clock, servers: Servers, asked: string[]): Upstream {
  return {
    call(to, request, events) {
      asked.push(`${request.method} ${request.target}`);
      const timer = clock.after(1, () => {
        const server = servers.get(to.port);
        if (server === undefined) return events.failed({ code: "REFUSED", sent: "none" });
        if (server === null) return;
        const text = server[request.target];
        events.head(text === undefined ? 404 : 200, []);
        if (text !== undefined) events.data(new TextEncoder().encode(text));
        events.end();
      });
      return { pause: () => undefined, resume: () => undefined, abort: () => timer.cancel() };
    },
  };
}

async function createWorld() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const gateway = new FakeGateway();
  const log = { record: () => undefined };
  const servers: Servers = new Map();
  const asked: string[] = [];
  const upstream = fakeServers(clock, servers, asked);
  const loops: Loop[] = [];
  const desk = createLinkController(
    { hub: gateway.hub, clock, log, stateId: "state-1", gatewayProcesses: { running: () => [], watch: () => () => false } },
    {
      acknowledged: () => undefined,
      activated: () => undefined,
      episode: () => undefined,
      ejected(report) {
        const engine = attach.report(report);
        if (engine !== null) loops[0]?.kick(engine);
      },
    },
  );
  const attach = createAttachController(
    { store, random: createSeededRandom(1), log, desk, engine: { upstream, clock, claim: "state-1" } },
    (name) => loops[0]?.kick(name),
  );
  await desk.open();
  gateway.join();
  loops.push(
    startLoop(
      {
        name: "attach",
        namesOf: ({ kind, name }) => (kind === "AttachedEngine" ? [name] : []),
        firstNames: async () => [],
        reconcile: (name, signal) => attach.reconcileEngine(name, signal),
      },
      { store, clock, log },
    ),
  );
  const create = async (kind: Kind, name: string, spec: JsonObject): Promise<void> => {
    assert.ok((await store.create({ kind, name, spec, labels: {}, annotations: {} })).ok);
  };
  const attachEngine = (name: string, port: number): Promise<void> => create("AttachedEngine", name, { url: `http://127.0.0.1:${port}` });
  const fingerprints = (): readonly (string | undefined)[] => gateway.table().rungs[0]?.endpoints.map((one) => one.fingerprint) ?? [];
  const status = async (name: string): Promise<JsonObject> => {
    const resource = await store.get("AttachedEngine", name);
    assert.ok(resource.ok);
    return resource.value.status ?? {};
  };
  const report = (instance: string, cause: EjectionCause): void =>
    gateway.say({
      type: "ejected",
      service: attachedService("org/tide-8b"),
      instance: instanceName(instance),
      uid: uid("any"),
      generation: generation(1),
      cause,
      ageMs: 0,
    });
  return { clock, store, gateway, servers, asked, create, attachEngine, status, fingerprints, report };
}

test("attached engines that serve one model are equal hot endpoints of one service of the default tenant", async () => {
  const { clock, gateway, servers, attachEngine, status } = await createWorld();
  servers.set(8_001, VLLM).set(8_002, LLAMA);
  await attachEngine("one", 8_001);
  await attachEngine("two", 8_002);
  await clock.advance(100);
  const table = gateway.table();
  assert.deepEqual(
    [table.service, table.tenant, table.tier, table.models],
    ["attached.org_2ftide-8b", "default", "silver", ["org/tide-8b"]],
  );
  assert.deepEqual(
    table.rungs[0]?.endpoints.map((e) => [e.instance, e.isReady, e.weight, e.engine, e.hasProgress, e.address.port]),
    [
      ["one", true, 100, "vllm", true, 8_001],
      ["two", true, 100, "llama.cpp", false, 8_002],
    ],
  );
  assert.equal(table.contextLength, 8_192);
  const { state, model, engine, models, generation: of } = await status("one");
  assert.deepEqual([state, model, engine, models, of], ["Ready", "org/tide-8b", "vllm", ["org/tide-8b", "law"], 1]);
});

test("a server of an unknown kind is fronted by its OpenAI API alone", async () => {
  const { clock, gateway, servers, attachEngine, status } = await createWorld();
  servers.set(8_001, PLAIN);
  await attachEngine("one", 8_001);
  await clock.advance(100);
  assert.equal((await status("one"))["engine"], null);
  assert.deepEqual(gateway.ready(), ["one"]);
  assert.equal(gateway.table().rungs[0]?.endpoints[0]?.hasProgress, false);
});

test("an attached engine that is not there yet joins within a second of its start", async () => {
  const { clock, gateway, servers, attachEngine, status } = await createWorld();
  await attachEngine("one", 8_001);
  await clock.advance(5_000);
  assert.deepEqual([(await status("one"))["state"], (await status("one"))["message"]], ["Pending", "it refuses connections"]);
  servers.set(8_001, VLLM);
  await clock.advance(1_010);
  assert.deepEqual(gateway.ready(), ["one"]);
});

test("a report about an attached engine that is gone takes it out at once, and it comes back as a new generation", async () => {
  const { clock, gateway, servers, attachEngine, status, report } = await createWorld();
  servers.set(8_001, VLLM).set(8_002, VLLM);
  await attachEngine("one", 8_001);
  await attachEngine("two", 8_002);
  await clock.advance(100);
  servers.delete(8_001);
  report("one", "reset");
  await clock.advance(50);
  assert.deepEqual(gateway.ready(), ["two"]);
  assert.equal((await status("one"))["state"], "Failed");
  servers.set(8_001, VLLM);
  await clock.advance(1_100);
  assert.deepEqual(gateway.ready(), ["one", "two"]);
  assert.equal((await status("one"))["generation"], 2);
});

test("an attached engine that misses two answers is not taken for dead, three are", async () => {
  const { clock, gateway, servers, attachEngine, report } = await createWorld();
  servers.set(8_001, VLLM).set(8_002, VLLM);
  await attachEngine("one", 8_001);
  await attachEngine("two", 8_002);
  await clock.advance(100);
  servers.set(8_001, null);
  report("one", "silent");
  await clock.advance(3_900);
  assert.deepEqual(gateway.ready(), ["one", "two"]);
  await clock.advance(2_000);
  assert.deepEqual(gateway.ready(), ["two"]);
});

test("a model that a manifest of the default tenant names is not served by attached engines too", async () => {
  const { clock, gateway, servers, create, attachEngine, status } = await createWorld();
  servers.set(8_001, VLLM);
  await create("HotStandbyConfig", "mine", { tenant: "default", model: { name: "org/tide-8b" } });
  await attachEngine("one", 8_001);
  await clock.advance(100);
  assert.equal((await status("one"))["service"], null);
  assert.deepEqual(
    gateway.told.filter((message) => message.type === "table"),
    [],
  );
});

test("a removed attached engine leaves its service, and the last one takes it along", async () => {
  const { clock, store, gateway, servers, attachEngine } = await createWorld();
  servers.set(8_001, VLLM).set(8_002, VLLM);
  await attachEngine("one", 8_001);
  await attachEngine("two", 8_002);
  await clock.advance(100);
  await store.remove("AttachedEngine", "one");
  await clock.advance(100);
  assert.deepEqual(gateway.ready(), ["two"]);
  await store.remove("AttachedEngine", "two");
  await clock.advance(100);
  assert.equal(gateway.told.at(-1)?.type, "table-removed");
});

test("an attached engine is only ever asked, never told", async () => {
  const { clock, store, servers, asked, attachEngine } = await createWorld();
  servers.set(8_001, KNOWN);
  await attachEngine("one", 8_001);
  await clock.advance(30_000);
  await store.remove("AttachedEngine", "one");
  await clock.advance(1_000);
  assert.deepEqual([...new Set(asked)].toSorted(), [
    "GET /is_sleeping",
    "GET /metrics",
    "GET /v1/models",
    "GET /version",
    "POST /v1/completions",
  ]);
});

test("attached engines of equal evidence have one fingerprint, and are Ready before it is there", async () => {
  const { clock, gateway, servers, attachEngine, fingerprints } = await createWorld();
  servers.set(8_001, KNOWN).set(8_002, KNOWN);
  await attachEngine("one", 8_001);
  await attachEngine("two", 8_002);
  await clock.advance(2);
  assert.deepEqual(gateway.ready(), ["one", "two"]);
  assert.deepEqual(fingerprints(), ["attached:one", "attached:two"]);
  await clock.advance(100);
  const [first, second] = fingerprints();
  assert.match(first ?? "", /^attached-like:vllm:[0-9a-f]+-[0-9a-f]+$/);
  assert.equal(first, second);
});

const differences: readonly { readonly what: string; readonly other: Readonly<Record<string, string>> }[] = [
  { what: "known answer", other: { "/v1/completions": answerOf([1, 2, 4]) } },
  { what: "version", other: { "/version": '{"version":"0.11.1"}' } },
  { what: "weights", other: { "/v1/models": KNOWN["/v1/models"].replace("/models/tide", "/models/tide-awq") } },
  { what: "context length", other: { "/v1/models": KNOWN["/v1/models"].replace("8192", "4096") } },
  { what: "adapters", other: { "/v1/models": KNOWN["/v1/models"].replace("]}", ',{"id":"law"}]}') } },
  { what: "lack of a version", other: { "/version": "no JSON" } },
  { what: "lack of an answer", other: { "/v1/completions": "{}" } },
];
for (const { what, other } of differences) {
  test(`attached engines apart in ${what} have fingerprints of their own`, async () => {
    const { clock, servers, attachEngine, fingerprints } = await createWorld();
    servers.set(8_001, KNOWN).set(8_002, { ...KNOWN, ...other });
    await attachEngine("one", 8_001);
    await attachEngine("two", 8_002);
    await clock.advance(1_000);
    const [first, second] = fingerprints();
    assert.notEqual(first, second);
    assert.match(first ?? "", /^attached-like:/);
  });
}

test("an attached engine is asked for its known answer once in each generation", async () => {
  const { clock, servers, asked, attachEngine, fingerprints } = await createWorld();
  const completions = (): number => asked.filter((line) => line === "POST /v1/completions").length;
  servers.set(8_001, KNOWN);
  await attachEngine("one", 8_001);
  await clock.advance(600_000);
  assert.equal(completions(), 1);
  const [before] = fingerprints();
  servers.delete(8_001);
  await clock.advance(6_000);
  servers.set(8_001, { ...KNOWN, "/v1/completions": answerOf([9]) });
  await clock.advance(600_000);
  assert.equal(completions(), 2);
  assert.notEqual(fingerprints()[0], before);
});

test("an attached engine whose evidence is there is not written again by every look", async () => {
  const { clock, store, servers, attachEngine } = await createWorld();
  servers.set(8_001, KNOWN).set(8_002, { ...KNOWN, "/v1/completions": "{}" });
  await attachEngine("one", 8_001);
  await attachEngine("two", 8_002);
  const versions = async (): Promise<readonly unknown[]> => {
    const listed = await store.list("AttachedEngine");
    return listed.ok ? listed.value.items.map(({ version }) => version) : [];
  };
  await clock.advance(1_000);
  const before = await versions();
  await clock.advance(60_000);
  assert.equal(before.length, 2);
  assert.deepEqual(await versions(), before);
});

test("an attached engine that cannot answer now is asked four times at most, ever more rarely, and served all the while", async () => {
  const { clock, gateway, servers, asked, attachEngine, status, fingerprints } = await createWorld();
  const { "/version": _version, ...untold } = KNOWN;
  servers.set(8_001, untold);
  await attachEngine("one", 8_001);
  const askedAt: number[] = [];
  let seen = 0;
  for (let second = 0; second < 1_800; second += 1) {
    await clock.advance(1_000);
    const now = asked.filter((line) => line === "GET /version").length;
    if (now > seen) askedAt.push(second);
    seen = now;
  }
  assert.deepEqual([seen, askedAt.length], [4, 4]);
  const pauses = askedAt.slice(1).map((at, index) => at - (askedAt[index] ?? 0));
  assert.deepEqual(
    pauses.map((pause, index) => pause >= 15 * 4 ** index),
    [true, true, true],
  );
  assert.deepEqual([gateway.ready(), fingerprints()], [["one"], ["attached:one"]]);
  assert.deepEqual((await status("one"))["evidence"], { kind: "unknown", generation: 1, why: "it does not tell its version" });
});

test("an attached engine that sleeps is not asked for an answer: it could die of it", async () => {
  const { clock, servers, asked, attachEngine, fingerprints } = await createWorld();
  servers.set(8_001, { ...KNOWN, "/is_sleeping": '{"is_sleeping":true}' });
  await attachEngine("one", 8_001);
  await clock.advance(5_000);
  assert.deepEqual([asked.includes("POST /v1/completions"), fingerprints()], [false, ["attached:one"]]);
});

test("no token ids are asked of an attached server of no known kind", async () => {
  const { clock, gateway, servers, attachEngine, asked } = await createWorld();
  servers.set(8_001, PLAIN);
  await attachEngine("one", 8_001);
  await clock.advance(60_000);
  assert.equal(gateway.table().rungs[0]?.endpoints[0]?.namesIds, false);
  assert.equal(asked.includes("POST /v1/completions"), false);
});

test("services of attached engines never share a name with a config or with each other", () => {
  const models = ["a/b", "a_b", "a.b", "a-b", "A-b"];
  const names = models.map(attachedService);
  assert.equal(new Set(names).size, models.length);
  for (const name of names) assert.ok(name !== serviceName(name.replace(".", "")) && name.includes("."));
});
