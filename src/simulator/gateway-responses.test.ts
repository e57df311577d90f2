import assert from "node:assert/strict";
import test from "node:test";
import { serviceName, uid } from "../base/ids.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";
import { parseEmbeddings, parseError, parseResponse, parseResponseEvents } from "./parse-engine-transcript.ts";
import { sameForAll, startStreamRig, type StreamRig } from "./stream-rig.ts";

const RESPONSES = "/v1/responses";
const TEXT = { input: "tide", max_output_tokens: 24, temperature: 0 };
const TIDE = {
  type: "function",
  name: "tide",
  parameters: { type: "object", properties: { place: { type: "string" }, hour: { type: "integer" } } },
};
const questions: readonly (readonly [name: string, body: object])[] = [
  ["a text", TEXT],
  ["a text with instructions that is sampled", { ...TEXT, instructions: "Be brief.", temperature: 0.9, seed: 11 }],
  ["a call of a function", { input: "call it", max_output_tokens: 64, tools: [TIDE], tool_choice: "required" }],
];

const ask = (world: StreamRig, body: object, onEvent?: (count: number) => void): RigClient => world.ask(body, onEvent, RESPONSES);

async function undisturbed(body: object): Promise<string> {
  const world = await startStreamRig(1);
  const client = ask(world, body);
  await world.untilEnded(client);
  return client.text;
}

/** What it says of who was told what; the count in it is checked on the way. */
function endOf(client: RigClient): { readonly type: string; readonly code: string | undefined } {
  const events = parseResponseEvents(client.text);
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, index) => index),
    "numbered without a gap",
  );
  return { type: events.at(-1)?.type ?? "", code: events.at(-1)?.code };
}

for (const [name, body] of questions) {
  test(`responses: the engine of ${name} dies after each of its events, and the client gets the same bytes`, async () => {
    const whole = await undisturbed(body);
    const eventCount = whole.split("\n\n").length - 1;
    assert.match(whole, /event: response\.(?:completed|incomplete)\n[^\n]+\n\n$/);
    assert.ok(eventCount >= 8, `${eventCount} events`);
    let restarts = 0;
    for (let killAfter = 1; killAfter < eventCount; killAfter += 1) {
      const world = await startStreamRig(1);
      const client = ask(world, body, (count) => (count === killAfter ? world.killServer(client) : undefined));
      await world.untilEnded(client);
      assert.equal(sameForAll(client.text), sameForAll(whole), `killed after event ${killAfter}`);
      for (const name_ of ["resp", "msg", "fc"])
        assert.ok(new Set(client.text.match(new RegExp(`"${name_}_[^"]*"`, "g"))).size <= 1, "one response, one item");
      assert.equal(endOf(client).code, undefined);
      if (world.rig.gateway.metricsText().includes('tidegate_stream_ends_total{service="gold",how="restart"} 1')) restarts += 1;
    }
    // The last token and what closes the response come in one piece.
    assert.ok(restarts >= eventCount - 6, `${restarts} of ${eventCount}`);
  });
}

test("responses: an engine that dies before the first content is replaced unseen", async () => {
  const whole = await undisturbed(TEXT);
  const world = await startStreamRig(1);
  const client = ask(world, TEXT);
  await world.rig.clock.advance(2);
  assert.equal(client.status, null);
  world.killServer(client);
  await world.untilEnded(client);
  assert.equal(sameForAll(client.text), sameForAll(whole));
  assert.match(world.rig.gateway.metricsText(), /how="undisturbed"\} 1/);
});

test("responses: what cannot be made again ends by the error event of the API, numbered after what was told", async () => {
  const cases: readonly (readonly [body: object, differs: boolean, code: string, how: string])[] = [
    [{ ...TEXT, top_logprobs: 2 }, false, "upstream_lost", "error-logprobs"],
    [{ ...TEXT, include: ["message.output_text.logprobs"] }, false, "upstream_lost", "error-logprobs"],
    [TEXT, true, "upstream_diverged", "error-diverged"],
  ];
  for (const [body, differs, code, how] of cases) {
    const world = await startStreamRig(1, 2, (port) => (differs ? { revision: `r${port}` } : {}));
    const client = ask(world, body, (count) => (count === 8 ? world.killServer(client) : undefined));
    await world.untilEnded(client);
    assert.deepEqual(endOf(client), { type: "error", code });
    assert.equal(client.end_, "ended");
    assert.match(world.rig.gateway.metricsText(), new RegExp(`how="${how}"\\} 1`));
  }
});

test("responses: a stream that ends without its last event is no end, wherever it is cut", async () => {
  const whole = await undisturbed(TEXT);
  for (const afterTokens of [1, 5, 11]) {
    const world = await startStreamRig(1, 2);
    for (const port of [1, 2]) void world.inject(port, { kind: "truncate", afterTokens }, 60_000);
    await world.rig.clock.advance(100);
    const client = ask(world, TEXT);
    await world.untilEnded(client);
    assert.deepEqual(endOf(client), { type: "error", code: "upstream_truncated" });
    const told = sameForAll(client.text)
      .replace(/event: error\n.*\n\n$/, "")
      .replaceAll(/^: .*\n\n/gm, "");
    assert.ok(told !== "" && sameForAll(whole).startsWith(told), "what was told was right");
  }
});

test("responses: engines that are put to sleep, or fail, end no answer cleanly", async () => {
  const world = await startStreamRig(1, 1);
  const client = ask(world, { ...TEXT, max_output_tokens: 400, ignore_eos: true });
  await world.rig.clock.advance(300);
  assert.notEqual(client.firstByteAt, null);
  world.killServer(client);
  await world.untilEnded(client);
  assert.deepEqual(endOf(client), { type: "error", code: "upstream_lost" });
});

test("responses: every engine is told to store nothing, and usage is counted by the API's own names", async () => {
  const world = await startStreamRig(1);
  for (const store of [undefined, true, false]) {
    const client = world.rig.send(JSON.stringify({ model: "tide-8b", ...TEXT, store }), { target: RESPONSES });
    await world.untilEnded(client);
    assert.equal(parseResponse(client.text).store, false);
  }
  await world.rig.clock.advance(1_100);
  const counts = world.rig.sentUp.findLast((message) => message.type === "counts");
  assert.ok(counts?.type === "counts");
  assert.equal(counts.services[0]?.outputTokens, 3 * 24);
  assert.ok((counts.services[0]?.promptTokens ?? 0) >= 3);
});

test("responses: what needs an engine's memory is refused, with what to do instead", async () => {
  const world = await startStreamRig(1, 1);
  for (const [more, param] of [
    [{ previous_response_id: "resp_1" }, "previous_response_id"],
    [{ previous_response_id: "r".repeat(5_000) }, "previous_response_id"],
    [{ conversation: "conv_1" }, "conversation"],
    [{ background: true }, "background"],
    [{ store: "yes" }, "store"],
    [{ max_output_tokens: 0 }, "max_output_tokens"],
  ] as const) {
    const client = ask(world, { ...TEXT, ...more });
    const error = parseError(client.text);
    assert.deepEqual([client.status, error.param, client.header("x-should-retry")], [400, param, "false"]);
  }
  const fine = ask(world, { ...TEXT, previous_response_id: null, conversation: null, background: false, store: null });
  await world.untilEnded(fine);
  assert.equal(fine.status, 200);
});

test("responses: a service's token limit is set as max_output_tokens, and what asks for more is refused", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1)], { limits: { ...rigTable([]).limits, maxTokens: 9 } }));
  const refused = rig.send(JSON.stringify({ model: "tide-8b", input: "x", max_output_tokens: 10 }), { target: RESPONSES });
  assert.deepEqual([refused.status, parseError(refused.text).param], [400, "max_output_tokens"]);
  rig.send(JSON.stringify({ model: "tide-8b", input: "x" }), { target: RESPONSES });
  rig.send(JSON.stringify({ model: "tide-8b", input: "x" }), { target: "/v1/embeddings" });
  await rig.clock.advance(10);
  const bodies = rig.engine(1).work.map(({ target, body }) => [target, Buffer.from(body ?? []).toString("utf8")]);
  assert.deepEqual(bodies, [
    [RESPONSES, '{"model":"tide-8b","input":"x","store":false,"max_output_tokens":9}'],
    ["/v1/embeddings", '{"model":"tide-8b","input":"x"}'],
  ]);
});

test("embeddings: an engine that dies is replaced unseen, and the prompt's tokens are counted once", async () => {
  const world = await startStreamRig(1);
  const embed = (): RigClient => world.rig.send(JSON.stringify({ model: "tide-8b", input: ["high", "low"] }), { target: "/v1/embeddings" });
  const first = embed();
  await world.untilEnded(first);
  const second = embed();
  await world.rig.clock.advance(2);
  assert.equal(second.status, null);
  world.killServer(second);
  await world.untilEnded(second);
  const [one, other] = [parseEmbeddings(first.text), parseEmbeddings(second.text)];
  assert.deepEqual(other.data, one.data);
  assert.equal(second.header("x-tidegate-attempts"), "2");
  await world.rig.clock.advance(1_100);
  const counts = world.rig.sentUp.findLast((message) => message.type === "counts");
  assert.ok(counts?.type === "counts");
  assert.deepEqual([counts.services[0]?.promptTokens, counts.services[0]?.outputTokens], [2 * one.usage.prompt_tokens, 0]);
});

test("embeddings: nobody can embed nothing, and no other model embeds in its place", async () => {
  const rig = new GatewayRig();
  const other = rigTable([rigEndpoint(2)], { models: ["pond-1b"] });
  await rig.start(rigTable([], { degraded: [{ kind: "model", name: "pond-1b" }, { kind: "shed" }] }), {
    ...other,
    uid: uid("service-pond"),
    service: serviceName("pond"),
  });
  const embed = rig.send(JSON.stringify({ model: "tide-8b", input: "x" }), { target: "/v1/embeddings" });
  const chat = rig.chat();
  await rig.clock.advance(1_000);
  assert.deepEqual([embed.status, chat.header("x-tidegate-model")], [503, "pond-1b"]);
  const empty = rig.send(JSON.stringify({ model: "tide-8b" }), { target: "/v1/embeddings" });
  assert.deepEqual([empty.status, parseError(empty.text).param], [400, "input"]);
});
