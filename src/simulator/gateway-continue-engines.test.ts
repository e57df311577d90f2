import assert from "node:assert/strict";
import test from "node:test";
import type { EngineKind } from "../api/hot-standby-config.ts";
import type { RigClient } from "./gateway-rig.ts";
import { engineName, sameForAll, startStreamRig, type StreamRig } from "./stream-rig.ts";

const TARGET = "/v1/completions";
const bodies: readonly { readonly name: string; readonly body: object }[] = [
  { name: "of text", body: { prompt: "the wave", max_tokens: 24 } },
  {
    name: "of text that asks for usage",
    body: { prompt: 'a "gate"\n', max_tokens: 24, temperature: 0, stream_options: { include_usage: true } },
  },
  { name: "of ids, sampled", body: { prompt: [2_000, 2_004, 2_008], max_tokens: 24, temperature: 0.9, seed: 1, user: "u" } },
  { name: "that names no limit", body: { prompt: "tide", stream_options: { include_usage: true } } },
];

const start = (engine: EngineKind): Promise<StreamRig> => startStreamRig(1, 3, () => ({ engine }));

async function undisturbed(engine: EngineKind, body: object, target: string = TARGET): Promise<RigClient> {
  const world = await start(engine);
  const client = world.ask(body, undefined, target);
  await world.untilEnded(client);
  assert.ok(client.text.endsWith("data: [DONE]\n\n"), client.text.slice(-200));
  return client;
}

const endOf = (world: StreamRig): string => /how="([^"]*)"\} 1\n/.exec(world.rig.gateway.metricsText())?.[1] ?? "none";

/** The engine dies at every step of the answer. @returns how the streams that moved went on, each way once. */
async function killAtEveryStep(
  engine: EngineKind,
  body: object,
  check: (text: string, waitMs: number) => void,
): Promise<readonly string[]> {
  const ways = new Set<string>();
  for (let waitMs = 4; waitMs < 2_000; waitMs += 8) {
    const world = await start(engine);
    const client = world.ask(body, undefined, TARGET);
    await world.rig.clock.advance(waitMs);
    if (client.endedAt !== null) break;
    const hadBegun = client.firstByteAt !== null;
    world.killServer(client);
    await world.untilEnded(client);
    check(client.text, waitMs);
    if (hadBegun) ways.add(endOf(world));
  }
  return [...ways];
}

for (const engine of ["sglang", "llama.cpp"] as const) {
  for (const { name, body } of bodies) {
    // An answer without a limit is as long as the context where the engine says so.
    if (engine === "llama.cpp" && name === "that names no limit") continue;
    test(`continue: ${engine}, a completion ${name}: whenever its engine dies, it goes on from ids, and its client gets the same bytes`, async () => {
      const whole = sameForAll((await undisturbed(engine, body)).text);
      assert.doesNotMatch(whole, /token_ids/);
      const ways = await killAtEveryStep(engine, body, (text, waitMs) =>
        assert.equal(sameForAll(text), whole, `killed after ${waitMs} ms`),
      );
      assert.deepEqual(ways, ["ids"]);
    });
  }

  test(`continue: ${engine}, a chat is made again and compared, as before`, async () => {
    const body = { messages: [{ role: "user", content: "tide" }], max_tokens: 24 };
    const whole = await undisturbed(engine, body, "/v1/chat/completions");
    const world = await start(engine);
    const client = world.ask(body, (count) => (count === 9 ? world.killServer(client) : undefined));
    await world.untilEnded(client);
    assert.equal(sameForAll(client.text), sameForAll(whole.text));
    assert.equal(endOf(world), "restart");
  });

  test(`continue: ${engine}, a client that goes away stops its engine`, async () => {
    const world = await start(engine);
    const client = world.ask({ prompt: "tide", max_tokens: 400, ignore_eos: true }, undefined, TARGET);
    await world.rig.clock.advance(200);
    assert.ok(client.firstByteAt !== null);
    client.events?.gone();
    await world.rig.clock.advance(5);
    assert.deepEqual(
      [1, 2, 3].map((port) => world.network.openBetween("gateway", engineName(port))),
      [0, 0, 0],
    );
  });
}

const saidBy = (answer: string): string =>
  [...answer.matchAll(/"text":("(?:[^"\\]|\\.)*")/g)].map((match) => String(JSON.parse(match[1] ?? '""'))).join("");

test("continue: sglang, characters of many bytes that a death cuts in two are whole", async () => {
  const body = { prompt: "arrows 8", max_tokens: 60, ignore_eos: true };
  const whole = sameForAll((await undisturbed("sglang", body)).text);
  assert.match(whole, /[\u0100-\uffff]/);
  assert.deepEqual(await killAtEveryStep("sglang", body, (text) => assert.equal(sameForAll(text), whole)), ["ids"]);
});

test("continue: llama.cpp names no ids of tokens within a character: from there on the answer is made again and compared", async () => {
  const body = { prompt: "arrows 8", max_tokens: 60, ignore_eos: true, stream_options: { include_usage: true } };
  const { text: whole } = await undisturbed("llama.cpp", body);
  assert.match(whole, /[\u0100-\uffff]/);
  const usage = /"usage":\{"prompt_tokens":\d+,"completion_tokens":\d+/.exec(whole)?.[0] ?? "none";
  const ways = await killAtEveryStep("llama.cpp", body, (text, waitMs) => {
    assert.equal(saidBy(text), saidBy(whole), `killed after ${waitMs} ms`);
    assert.equal(text.match(/"finish_reason":"length"/g)?.length, 1);
    assert.ok(text.endsWith("data: [DONE]\n\n") && text.includes(usage), "its usage is that of the whole");
  });
  assert.deepEqual(ways, ["ids", "restart"]);
});
