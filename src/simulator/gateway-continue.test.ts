import assert from "node:assert/strict";
import test from "node:test";
import { engineName, sameForAll, startStreamRig } from "./stream-rig.ts";

const TOKENS = 24;
const questions: readonly { readonly name: string; readonly target: string; readonly body: object }[] = [
  { name: "a chat", target: "/v1/chat/completions", body: { messages: [{ role: "user", content: "tide" }], max_tokens: TOKENS } },
  {
    name: "a chat that asks for usage",
    target: "/v1/chat/completions",
    body: { messages: [{ role: "user", content: "moon" }], max_tokens: TOKENS, stream_options: { include_usage: true } },
  },
  { name: "a completion", target: "/v1/completions", body: { prompt: "the wave", max_tokens: TOKENS } },
  { name: "a completion that names no limit", target: "/v1/completions", body: { prompt: "the wave" } },
  {
    name: "a completion of ids that is sampled",
    target: "/v1/completions",
    body: { prompt: [2_000, 2_004, 2_008], max_tokens: TOKENS, temperature: 0.9, seed: 11, min_tokens: 20 },
  },
  {
    name: "a call of a tool",
    target: "/v1/chat/completions",
    body: {
      messages: [{ role: "user", content: "call it" }],
      max_tokens: 64,
      tools: [
        {
          type: "function",
          function: { name: "tide", parameters: { type: "object", properties: { place: { type: "string" }, hour: { type: "integer" } } } },
        },
      ],
      tool_choice: "required",
      stream_options: { include_usage: true },
    },
  },
  {
    name: "an answer in JSON",
    target: "/v1/chat/completions",
    body: {
      messages: [{ role: "user", content: "as JSON" }],
      max_tokens: 64,
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "x",
          schema: { type: "object", properties: { place: { type: "string" }, hours: { type: "array", items: { type: "integer" } } } },
        },
      },
    },
  },
  {
    name: "a chat with a stop string",
    target: "/v1/chat/completions",
    body: { messages: [{ role: "user", content: "tide" }], max_tokens: 64, stop: [" marus.", "zz"] },
  },
];

/** What its client gets when nothing happens. */
async function undisturbed(body: object, target: string): Promise<string> {
  const world = await startStreamRig(1);
  const client = world.ask(body, undefined, target);
  await world.untilEnded(client);
  return client.text;
}

for (const { name, target, body } of questions) {
  test(`continue: the engine of ${name} dies after each of its events, and the client gets the same bytes`, async () => {
    const whole = await undisturbed(body, target);
    const eventCount = whole.split("\n\n").length - 1;
    assert.ok(whole.endsWith("data: [DONE]\n\n") && eventCount >= 6, `${eventCount} events`);
    for (let killAfter = 1; killAfter < eventCount; killAfter += 1) {
      const world = await startStreamRig(1);
      const client = world.ask(body, (count) => (count === killAfter ? world.killServer(client) : undefined), target);
      await world.untilEnded(client);
      assert.equal(sameForAll(client.text), sameForAll(whole), `killed after event ${killAfter}`);
      assert.equal(new Set(client.text.match(/"id":"(?:chatcmpl|cmpl)-[^"]*"/g)).size, 1, "one answer has one id");
    }
  });
}

test("continue: the engine of a chat that reasons dies after each of its events, and the client gets the same bytes", async () => {
  const reasons = { reasoningTokens: 9 };
  const body = { messages: [{ role: "user", content: "tide" }], max_tokens: TOKENS, stream_options: { include_usage: true } };
  const start = () => startStreamRig(1, 3, () => reasons);
  const calm = await start();
  const whole = calm.ask(body);
  await calm.untilEnded(whole);
  const eventCount = whole.text.split("\n\n").length - 1;
  const reasoned = whole.text.match(/"reasoning":"/g)?.length ?? 0;
  assert.ok(reasoned >= 5 && eventCount - reasoned >= 10, `${reasoned} of ${eventCount} events reason`);
  for (let killAfter = 1; killAfter < eventCount; killAfter += 1) {
    const world = await start();
    const client = world.ask(body, (count) => (count === killAfter ? world.killServer(client) : undefined));
    await world.untilEnded(client);
    assert.equal(sameForAll(client.text), sameForAll(whole.text), `killed after event ${killAfter}`);
    const how = killAfter < eventCount - 2 ? "restart" : "(?:restart|undisturbed)";
    assert.match(world.rig.gateway.metricsText(), new RegExp(`how="${how}"\\} 1\\n`), `killed after event ${killAfter}`);
  }
});

test("continue: at any two tokens of an answer with characters of many bytes two engines die, and the client gets the same bytes", async () => {
  const body = { messages: [{ role: "user", content: "arrows" }], max_tokens: 60, ignore_eos: true };
  const whole = await undisturbed(body, "/v1/chat/completions");
  assert.match(whole, /[\u0100-\uffff]/, "there are such characters");
  const eventCount = whole.split("\n\n").length - 1;
  // Between two events an engine makes half a character: deaths come at times, not at events.
  for (let first = 4; first < 400; first += 23) {
    for (const second of [9, 31, 77]) {
      const world = await startStreamRig(1);
      const client = world.ask(body);
      for (const waitMs of [first, second]) {
        await world.rig.clock.advance(waitMs);
        if (client.endedAt === null && client.firstByteAt !== null) world.killServer(client);
      }
      await world.untilEnded(client);
      assert.equal(sameForAll(client.text), sameForAll(whole), `killed after ${first} and ${second} ms, ${eventCount} events`);
    }
  }
});

/** What its client reads: several tokens of one chunk come otherwise cut after a death. */
function readBy(answer: string): readonly unknown[] {
  const said = [...answer.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)].map((match) => String(JSON.parse(match[1] ?? '""'))).join("");
  return [
    said,
    answer.match(/"finish_reason":"[a-z]+"/g),
    answer.match(/"usage":\{[^}]*"total_tokens":\d+/g),
    answer.endsWith("data: [DONE]\n\n"),
  ];
}

for (const tokensPerChunk of [2, 3, 5]) {
  for (const [name, more] of [
    ["", {}],
    [" with stop strings", { stop: ["never said", "~"] }],
    [" with stop strings that are told", { stop: ["never said", "~"], include_stop_str_in_output: true }],
  ] as const) {
    test(`continue: at any step of an answer${name} whose engine tells ${tokensPerChunk} tokens at a time it dies, and no character is lost`, async () => {
      const start = () => startStreamRig(1, 3, () => ({ tokensPerChunk }));
      const body = { messages: [{ role: "user", content: "arrows" }], max_tokens: 60, ignore_eos: true, temperature: 0, ...more };
      const calm = await start();
      const whole = calm.ask({ ...body, stream_options: { include_usage: true } });
      await calm.untilEnded(whole);
      assert.match(whole.text, /[\u0100-\uffff]/, "there are characters of many bytes");
      const ways = new Set<string>();
      for (let waitMs = 4; waitMs < 1_000; waitMs += 8) {
        const world = await start();
        const client = world.ask({ ...body, stream_options: { include_usage: true } });
        await world.rig.clock.advance(waitMs);
        if (client.endedAt !== null) break;
        const hadBegun = client.firstByteAt !== null;
        world.killServer(client);
        await world.untilEnded(client);
        assert.deepEqual(readBy(client.text), readBy(whole.text), `killed after ${waitMs} ms`);
        if (hadBegun) ways.add(/how="([^"]*)"\} 1\n/.exec(world.rig.gateway.metricsText())?.[1] ?? "none");
      }
      assert.deepEqual([...ways], ["ids"]);
    });
  }
}

const CHAT = { messages: [{ role: "user", content: "tide" }], max_tokens: TOKENS };

test("continue: two engines die, and the third one goes on; where nobody is left the stream ends by an error", async () => {
  const whole = await undisturbed(CHAT, "/v1/chat/completions");
  for (const [deaths, isWhole] of [
    [2, true],
    [3, false],
  ] as const) {
    const world = await startStreamRig(1, 3);
    const client = world.ask(CHAT, (count) => (count % 5 === 0 && count / 5 <= deaths ? world.killServer(client) : undefined));
    await world.untilEnded(client);
    if (isWhole) assert.equal(sameForAll(client.text), sameForAll(whole));
    else {
      assert.match(client.text, /data: \{"error":\{[^\n]*"code":"upstream_lost"\}\}\n\n$/);
      assert.ok(
        sameForAll(whole).startsWith(sameForAll(client.text).replaceAll(/^(?:: |data: \{"error").*\n\n/gm, "")),
        "what was told was right",
      );
    }
    const metrics = world.rig.gateway.metricsText();
    assert.match(metrics, new RegExp(`tidegate_stream_ends_total\\{service="gold",how="${isWhole ? "ids" : "error-no-instance"}"\\} 1`));
  }
});

for (const [name, body] of [
  ["two answers at once", { n: 2 }],
  ["log probabilities", { logprobs: true }],
  ["a client that reads ids itself", { return_token_ids: true }],
] as const) {
  test(`continue: ${name} end by an error, and nothing is spliced`, async () => {
    const world = await startStreamRig(1);
    const client = world.ask({ ...CHAT, ...body }, (count) => (count === 8 ? world.killServer(client) : undefined));
    await world.untilEnded(client);
    assert.match(client.text, /data: \{"error":\{[^\n]*"code":"upstream_lost"\}\}\n\n$/);
    assert.ok(!client.text.includes("[DONE]"));
  });
}

test("continue: an engine of another fingerprint is never asked to go on", async () => {
  const world = await startStreamRig(1, 2, (port) => ({ fingerprint: `f${port}` }));
  const client = world.ask(CHAT, (count) => (count === 8 ? world.killServer(client) : undefined));
  await world.untilEnded(client);
  assert.match(client.text, /data: \{"error":\{[^\n]*\n\n$/);
});

test("continue: an answer that is made again and differs is not told", async () => {
  const world = await startStreamRig(1, 2, (port) => ({ revision: `r${port}` }));
  const client = world.ask({ ...CHAT, presence_penalty: 0.1 }, (count) => (count === 8 ? world.killServer(client) : undefined));
  await world.untilEnded(client);
  assert.match(client.text, /"code":"upstream_diverged"\}\}\n\n$/);
  assert.match(world.rig.gateway.metricsText(), /how="error-diverged"\} 1/);
});

test("continue: when the engine of many long streams dies, the other reads a few of them at a time, and all go on", async () => {
  const world = await startStreamRig(1, 2);
  const long = { messages: [{ role: "user", content: "tide ".repeat(15_000) }], max_tokens: 200 };
  const clients = Array.from({ length: 12 }, () => world.ask(long));
  for (let waitedMs = 0; waitedMs < 20_000 && clients.some((client) => client.firstByteAt === null); waitedMs += 20)
    await world.rig.clock.advance(20);
  const before = world.network.openBetween("gateway", "engine-2");
  const moved = world.network.openBetween("gateway", "engine-1");
  assert.ok(moved >= 5, `${moved} streams on the engine that dies`);
  world.network.crash("engine-1");
  await world.rig.clock.advance(30);
  assert.ok(world.network.openBetween("gateway", "engine-2") - before <= 4, "65,000 tokens at a time");
  for (const client of clients) await world.untilEnded(client);
  const [whole] = clients;
  for (const client of clients) {
    assert.ok(client.text.endsWith("data: [DONE]\n\n"));
    assert.equal(sameForAll(client.text).replaceAll(/^: .*\n\n/gm, ""), sameForAll(whole?.text ?? "").replaceAll(/^: .*\n\n/gm, ""));
  }
  assert.match(world.rig.gateway.metricsText(), new RegExp(`how="ids"\\} ${moved}\\n`));
});

test("continue: streams of an engine that no table names any more move before its planned end", async () => {
  const world = await startStreamRig(1, 2);
  const slow = { messages: [{ role: "user", content: "tide" }], max_tokens: 400, ignore_eos: true };
  for (const port of [1, 2]) void world.inject(port, { kind: "slow", factor: 10 }, 120_000);
  await world.rig.clock.advance(100);
  const client = world.ask(slow);
  await world.rig.clock.advance(2_000);
  const served = [1, 2].find((port) => world.network.openBetween("gateway", engineName(port)) > 0) ?? 0;
  world.rig.tell({ type: "table", table: world.tableWithout(served) });
  await world.rig.clock.advance(19_000);
  assert.equal(world.network.openBetween("gateway", engineName(served)), 1, "it has time to end by itself");
  await world.rig.clock.advance(2_000);
  assert.deepEqual(
    [served, 3 - served].map((port) => world.network.openBetween("gateway", engineName(port))),
    [0, 1],
  );
  await world.untilEnded(client);
  assert.equal(sameForAll(client.text), sameForAll(await undisturbed(slow, "/v1/chat/completions")));
  assert.deepEqual(world.rig.ejections(), []);
});
