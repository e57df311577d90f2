import assert from "node:assert/strict";
import test from "node:test";
import { FIRST_TOKEN_BOUNDS_SECONDS } from "../api/alert-counters.ts";
import { epoch, serviceName, tenantId, uid } from "../base/ids.ts";
import { HOLD_COUNT_MAX } from "../gateway/gateway-ports.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

const BEARER = ["authorization", "Bearer tg-key-of-gold"];

async function oneHot(limits: { concurrency?: number; maxTokens?: number } = {}): Promise<GatewayRig> {
  const rig = new GatewayRig();
  const { limits: none } = rigTable([]);
  await rig.start(rigTable([rigEndpoint(1)], { limits: { ...none, ...limits } }));
  return rig;
}

const errorOf = (client: RigClient): { status: number | null; code: string } => ({
  status: client.status,
  code: /"code":"([^"]*)"/.exec(client.text)?.[1] ?? "",
});

test("gateway: 80 to 20 is exact over every five requests", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1, { weight: 80 }), rigEndpoint(2, { weight: 20 })]));
  for (let five = 0; five < 20; five += 1) {
    for (let count = 0; count < 5; count += 1) rig.chat();
    await rig.clock.advance(300);
    assert.equal(rig.engine(1).work.length, 4 * (five + 1));
    assert.equal(rig.engine(2).work.length, five + 1);
  }
});

test("gateway: a saturated hot spills to the other hot, then to the ready warm", async () => {
  const rig = new GatewayRig();
  const table = rigTable([rigEndpoint(1, { weight: 80, maxBatch: 10 }), rigEndpoint(2, { weight: 20, maxBatch: 10 })]);
  const warm = rigEndpoint(3, { weight: 0, maxBatch: 10 });
  await rig.start({ ...table, rungs: [...table.rungs, { level: "warm", activation: { kind: "none" }, endpoints: [warm] }] });
  const clients = Array.from({ length: 22 }, () => rig.chat());
  await rig.clock.advance(10);
  assert.deepEqual(
    [1, 2, 3].map((port) => rig.engine(port).work.length),
    [9, 9, 4],
  );
  await rig.clock.advance(1_000);
  assert.equal(clients.filter((client) => client.header("x-tidegate-level") === "warm").length, 4);
});

test("gateway: a client that goes away stops its engine in the same turn, in every phase", async () => {
  const rig = await oneHot();
  for (const [phase, afterMs] of [
    ["dispatch", 0],
    ["prefill", 30],
    ["stream", 95],
  ] as const) {
    const aborts = rig.engine(1).aborts;
    const client = rig.chat();
    await rig.clock.advance(afterMs);
    client.events?.gone();
    assert.equal(rig.engine(1).aborts, aborts + 1, phase);
    assert.equal(rig.engine(1).openCount, 0);
  }
  const held = new GatewayRig();
  await held.start(rigTable([rigEndpoint(1, { isReady: false })]));
  held.chat().events?.gone();
  held.tell({ type: "table", table: rigTable([rigEndpoint(1)], { revision: 2 }) });
  await held.clock.advance(100);
  assert.equal(held.engine(1).work.length, 0);
});

test("gateway: a slow reader pauses its engine's stream and loses nothing", async () => {
  const rig = await oneHot();
  const client = rig.chat();
  client.hasRoom = false;
  await rig.clock.advance(3_000);
  assert.equal(client.endedAt, null);
  assert.ok(rig.engine(1).pauses >= 1);
  assert.deepEqual(rig.ejections(), []);
  client.hasRoom = true;
  client.events?.drained();
  await rig.clock.advance(1_000);
  assert.equal(client.wholeStream, "t0 t1 t2 t3 t4 ");
});

test("gateway: keys that are missing, garbage, unknown or too long get one and the same 401", async () => {
  const rig = await oneHot();
  const bodies = new Set<string>();
  const values = [null, "Bearer", "Bearer nobody", "Basic x", "Bearer ' OR '1'='1", `Bearer ${"k".repeat(1_000_000)}`, "Bearer \u0000"];
  for (const value of values) {
    const client = rig.send("{}", { headers: value === null ? [] : ["Authorization", value] });
    assert.equal(client.status, 401);
    bodies.add(client.text);
  }
  assert.equal(bodies.size, 1);
});

test("gateway: addresses are an exact list", async () => {
  const rig = await oneHot();
  for (const target of ["/", "/metrics", "//v1/models", "/v1/../v1/models", "/v1/%6dodels", "/v1/models/", "/admin"]) {
    assert.deepEqual(errorOf(rig.send("", { method: "GET", target, headers: BEARER })), { status: 404, code: "unknown_url" }, target);
  }
  const wrong = rig.send("", { method: "GET", target: "/v1/completions", headers: BEARER });
  assert.deepEqual([wrong.status, wrong.header("allow")], [405, "POST"]);
});

test("gateway: a tenant sees and reaches its own models only, warm and cold ones too", async () => {
  const rig = new GatewayRig();
  const theirs = rigTable([rigEndpoint(2)], {
    uid: uid("other"),
    service: serviceName("other"),
    tenant: tenantId("tenant-x"),
    models: ["secret"],
  });
  const asleep = rigTable([], { uid: uid("cold"), service: serviceName("cold"), models: ["tide-cold"] });
  await rig.start(rigTable([rigEndpoint(1)]), theirs, asleep);
  const list = rig.send("", { method: "GET", target: "/v1/models", headers: BEARER });
  assert.deepEqual(
    [...list.text.matchAll(/"id":"([^"]*)"/g)].map((match) => match[1]),
    ["tide-8b", "tide-cold"],
  );
  assert.deepEqual(errorOf(rig.chat({ model: "secret" })), { status: 404, code: "model_not_found" });
  assert.deepEqual(errorOf(rig.chat({ model: "nothing" })), { status: 404, code: "model_not_found" });
});

test("gateway: more open requests than the limit are answered 429 with the time to wait", async () => {
  const rig = await oneHot({ concurrency: 2 });
  const clients = [rig.chat(), rig.chat(), rig.chat()];
  assert.deepEqual(errorOf(clients[2] ?? rig.chat()), { status: 429, code: "concurrency_limit" });
  assert.equal(clients[2]?.header("retry-after-ms"), "1000");
  await rig.clock.advance(1_000);
  const later = rig.chat();
  await rig.clock.advance(1_000);
  assert.equal(later.status, 200);
});

test("gateway: held requests are bounded, and one too many is told when to come back", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1, { isReady: false })]));
  const clients = Array.from({ length: HOLD_COUNT_MAX + 1 }, () => rig.chat());
  const last = clients.at(-1);
  assert.deepEqual(last === undefined ? null : errorOf(last), { status: 503, code: "hold_full" });
  assert.equal(last?.header("retry-after"), "1");
  rig.tell({ type: "table", table: rigTable([rigEndpoint(1)], { revision: 2 }) });
  // As many at a time as the engine decodes together, so that nobody queues inside it.
  assert.equal(rig.engine(1).work.length, 64);
  await rig.clock.advance(4_000);
  assert.equal(clients.filter((client) => client.wholeStream !== null).length, HOLD_COUNT_MAX);
});

test("gateway: a service whose first degraded step sheds holds nobody", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([], { degraded: [{ kind: "shed" }] }));
  assert.equal(rig.chat().status, 503);
  const queueing = new GatewayRig();
  await queueing.start(rigTable([], { degraded: [{ kind: "queue", upToMs: 2_000 }, { kind: "shed" }] }));
  const client = queueing.chat();
  await queueing.clock.advance(1_900);
  assert.equal(client.status, null);
  await queueing.clock.advance(200);
  assert.equal(client.status, 503);
});

test("gateway: the token limit refuses more and is added where a request names none", async () => {
  const rig = await oneHot({ maxTokens: 64 });
  assert.deepEqual(errorOf(rig.chat({ max_tokens: 65 })), { status: 400, code: "max_tokens_too_large" });
  rig.chat();
  rig.chat({ max_tokens: 5 });
  await rig.clock.advance(10);
  const bodies = rig.engine(1).work.map((request) => Buffer.from(request.body ?? []).toString("utf8"));
  assert.match(bodies[0] ?? "", /,"max_tokens":64,"return_token_ids":true,"stream_options":\{"include_usage":true\}\}$/);
  assert.match(bodies[1] ?? "", /,"max_tokens":5,"return_token_ids":true,"stream_options":\{"include_usage":true\}\}$/);
});

test("gateway: a server of no known kind is asked for no token ids, which a strict one would refuse", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1, { engine: "vllm", namesIds: false, hasProgress: false })]));
  rig.chat();
  await rig.clock.advance(10);
  const [body] = rig.engine(1).work.map((request) => Buffer.from(request.body ?? []).toString("utf8"));
  assert.match(body ?? "", /"stream_options":\{"include_usage":true\}\}$/);
  assert.doesNotMatch(body ?? "", /return_token_ids/);
});

test("gateway: the body goes to the engine byte for byte, with what the gateway asks at its end, and nothing of the client's head but its id", async () => {
  const rig = await oneHot();
  const body = '{ "messages":[{"role":"user","content":"\\u00e9 é"}],  "model":"tide-8b", "stream":true, "x": 1.50 }';
  rig.send(body, {
    headers: [...BEARER, "Connection", "x-tenant", "X-Forwarded-For", "10.0.0.1", "x-tenant", "other", "x-request-id", "abc-1"],
  });
  await rig.clock.advance(10);
  const sent = rig.engine(1).work[0];
  assert.equal(Buffer.from(sent?.body ?? []).toString("utf8"), `${body.slice(0, -1)},"stream_options":{"include_usage":true}}`);
  assert.deepEqual(sent?.headers.slice(0, -1), ["content-type", "application/json", "accept", "text/event-stream", "x-request-id"]);
  assert.match(sent?.headers.at(-1) ?? "", /^abc-1\.[\w-]{6,}-1$/);
});

test("gateway: two requests of one id are two to the engine, and each client gets its own id back", async () => {
  const rig = await oneHot();
  const ask = () => rig.send('{"model":"tide-8b","messages":[],"stream":true}', { headers: [...BEARER, "x-request-id", "trace-7"] });
  const clients = [ask(), ask()];
  await rig.clock.advance(500);
  assert.deepEqual(
    clients.map((client) => client.header("x-request-id")),
    ["trace-7", "trace-7"],
  );
  assert.equal(new Set(rig.engine(1).work.map(({ headers }) => headers.at(-1))).size, 2);
});

test("gateway: another name at the engine is put in place of the model's only", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1, { upstreamModel: "org/m" })]));
  rig.send('{"messages":[{"content":"tide-8b"}], "model" : "tide-8b","n":1}');
  await rig.clock.advance(10);
  assert.equal(
    Buffer.from(rig.engine(1).work[0]?.body ?? []).toString("utf8"),
    '{"messages":[{"content":"tide-8b"}], "model" : "org/m","n":1}',
  );
});

for (const [status, shown] of [
  [400, { status: 400, code: "invalid_request" }],
  [404, { status: 404, code: "invalid_request" }],
  [500, { status: 502, code: "upstream_error" }],
  [503, { status: 502, code: "upstream_error" }],
] as const) {
  test(`gateway: an engine's ${status} is told in our own words`, async () => {
    const rig = await oneHot();
    rig.engine(1).status = status;
    const client = rig.chat();
    await rig.clock.advance(500);
    assert.deepEqual(errorOf(client), shown);
    assert.ok(!client.text.includes("secret"));
    if (status < 500) for (let count = 0; count < 20; count += 1) rig.chat();
    await rig.clock.advance(500);
    assert.deepEqual(rig.ejections(), [], "a wrong request never ejects");
  });
}

test("gateway: a context that is too long keeps its code and says the limit", async () => {
  const rig = await oneHot();
  Object.assign(rig.engine(1), { status: 400, errorBody: '{"message":"This model\'s maximum context length is 8192 at 0x7f","code":400}' });
  const client = rig.chat();
  await rig.clock.advance(100);
  assert.deepEqual(errorOf(client), { status: 400, code: "context_length_exceeded" });
  assert.match(client.text, /8192 tokens/);
  assert.ok(!client.text.includes("0x7f"));
});

test("gateway: a body over the limit is 413, announced or not", async () => {
  const rig = await oneHot();
  assert.equal(rig.send("", { headers: [...BEARER, "content-length", "99999999"] }).status, 413);
  assert.equal(rig.send(Buffer.alloc(5 * 1_048_576, 0x20)).status, 413);
  assert.equal(rig.send("{}", { headers: [...BEARER, "content-encoding", "gzip"] }).status, 415);
});

test("gateway: it claims every engine of every table each five seconds", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1), rigEndpoint(2, { isReady: false })]));
  await rig.clock.advance(10_100);
  for (const port of [1, 2]) {
    const claims = rig.engine(port).requests.filter((request) => request.target === "/health");
    assert.equal(claims.length, 2);
    assert.deepEqual(claims[0]?.headers.slice(0, 2), ["x-tidegate-claim", "state-1"]);
  }
});

test("gateway: it serves from its memory when it starts alone, and keeps what it is told", async () => {
  const first = new GatewayRig();
  await first.start(rigTable([rigEndpoint(1)]));
  const alone = new GatewayRig(first.saved);
  await alone.gateway.load();
  alone.gateway.start({ host: "127.0.0.1", port: 8080 });
  const client = alone.chat();
  await alone.clock.advance(1_000);
  assert.equal(client.wholeStream, "t0 t1 t2 t3 t4 ");
  assert.equal(first.saved?.stateId, "state-1");
});

test("gateway: before it knows any key it says so, and not that the key is wrong", async () => {
  const rig = new GatewayRig();
  await rig.gateway.load();
  rig.gateway.start({ host: "127.0.0.1", port: 8080 });
  assert.deepEqual(errorOf(rig.chat()), { status: 503, code: "gateway_starting" });
});

test("gateway: it acknowledges what is in force and refuses an older table", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1)], { epoch: epoch(2), revision: 5 }));
  rig.tell({ type: "table", table: rigTable([], { epoch: epoch(1), revision: 9 }) });
  await rig.clock.advance(1);
  const acks = rig.sentUp.filter((message) => message.type === "ack");
  assert.deepEqual(
    acks.map((ack) => [ack.epoch, ack.revision]),
    [
      [2, 5],
      [2, 5],
    ],
  );
  const client = rig.chat();
  await rig.clock.advance(1_000);
  assert.equal(client.status, 200);
});

test("gateway: it acknowledges only what its own file holds, and tries a full disk again", async () => {
  const rig = await oneHot();
  await rig.clock.advance(1);
  const acks = (): readonly number[] => rig.sentUp.flatMap((message) => (message.type === "ack" ? [message.revision] : []));
  const before = acks();
  rig.isDiskFull = true;
  const next = rigTable([rigEndpoint(1)], { revision: 7 });
  rig.tell({ type: "table", table: next });
  await rig.clock.advance(3_000);
  assert.deepEqual(acks(), before);
  assert.notEqual(rig.saved?.tables[0]?.revision, 7);
  // It serves by the new table all the same.
  const client = rig.chat();
  await rig.clock.advance(500);
  assert.equal(client.status, 200);
  rig.isDiskFull = false;
  await rig.clock.advance(1_500);
  assert.deepEqual(acks(), [...before, 7]);
});

test("gateway: tables that a new round does not repeat are dropped at its end only", async () => {
  const rig = await oneHot();
  rig.tell({ type: "welcome", stateId: "state-1" });
  const between = rig.chat();
  await rig.clock.advance(500);
  assert.equal(between.status, 200);
  rig.tell({ type: "synced" });
  assert.equal(rig.chat().status, 404);
});

test("gateway: counts are reported each second, and its metrics name outcomes", async () => {
  const rig = await oneHot();
  assert.match(rig.gateway.metricsText(), /tidegate_gateway_services 1\n/);
  for (const outcome of ["ok", "refused", "upstream-error", "stream-error"]) {
    const untouched = `tidegate_requests_total{tenant="tenant-gold",service="gold",outcome="${outcome}"} 0\n`;
    assert.ok(rig.gateway.metricsText().includes(untouched), outcome);
  }
  rig.chat();
  await rig.clock.advance(1_100);
  const counts = rig.sentUp.find((message) => message.type === "counts");
  assert.deepEqual(counts?.services, [
    {
      service: "gold",
      requests: 1,
      failed: 0,
      inFlight: 0,
      promptTokens: 0,
      outputTokens: 5,
      firstTokenP99Ms: 50,
      alertCounters: {
        outcomes: { ok: 1, refused: 0, "upstream-error": 0, "stream-error": 0 },
        // Its 50 ms are within the third bound.
        firstTokens: FIRST_TOKEN_BOUNDS_SECONDS.map((bound) => (bound < 0.05 ? 0 : 1)).concat(1),
      },
      returned: { requests: 0, failed: 0, firstTokenP99Ms: null },
    },
  ]);
  assert.match(rig.gateway.metricsText(), /tidegate_requests_total\{tenant="tenant-gold",service="gold",outcome="ok"\} 1\n/);
});

test("gateway: while it drains it refuses new requests and finishes open ones", async () => {
  const rig = await oneHot();
  const open = rig.chat();
  const drained = rig.gateway.drain(5_000);
  assert.equal(rig.chat().status, 503);
  assert.equal(rig.send("", { method: "GET", target: "/readyz" }).status, 503);
  await rig.clock.advance(1_000);
  await drained;
  assert.equal(open.wholeStream, "t0 t1 t2 t3 t4 ");
});

test("gateway: no prompt and no key is logged or shown in metrics", async () => {
  const rig = await oneHot();
  rig.engine(1).breakAfter = { tokens: 1, how: "garbage" };
  rig.chat({ messages: [{ role: "user", content: "canary-prompt" }], user: "canary-user" });
  await rig.clock.advance(500);
  rig.engine(1).kill();
  rig.chat({ messages: [{ role: "user", content: "canary-prompt" }] });
  await rig.clock.advance(20_000);
  const shown = JSON.stringify(rig.log) + rig.gateway.metricsText() + JSON.stringify(rig.saved) + JSON.stringify(rig.sentUp);
  assert.match(shown, /gateway\.request-failed/);
  assert.ok(!shown.includes("canary"));
  assert.ok(!shown.includes("tg-key-of-gold"));
});
