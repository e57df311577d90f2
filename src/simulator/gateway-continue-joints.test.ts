import assert from "node:assert/strict";
import test from "node:test";
import type { UpstreamRequest } from "../ports/upstream.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";
import { ScriptedEngine } from "./scripted-engine.ts";

/** What each engine says that is asked, in the order in which they are asked; all but the last die behind it. */
interface Told {
  readonly client: RigClient;
  readonly asked: readonly UpstreamRequest[];
  readonly rig: GatewayRig;
}

async function tell(answers: readonly (readonly string[])[], body: object, target: string): Promise<Told> {
  const asked: UpstreamRequest[] = [];
  const rig = new GatewayRig(null, (clock) => {
    const probed = new ScriptedEngine(clock);
    return {
      call: (_to, request, events) => {
        if (request.method === "GET") return probed.call(request, events);
        const said = answers[asked.length] ?? [];
        const isLast = asked.length >= answers.length - 1;
        asked.push(request);
        let isOver = false;
        clock.after(1, () => {
          events.head(200, ["content-type", "text/event-stream"]);
          for (const event of said) if (!isOver) events.data(Buffer.from(event));
          if (!isLast && !isOver) events.failed({ code: "RESET", sent: "all" });
        });
        return { pause: () => undefined, resume: () => undefined, abort: () => (isOver = true) };
      },
    };
  });
  await rig.start(rigTable([1, 2, 3].map((port) => rigEndpoint(port))));
  const client = rig.send(JSON.stringify({ model: "tide-8b", stream: true, ...body }), { target });
  await rig.clock.advance(2_000);
  return { client, asked, rig };
}

const event = (value: object): string => `data: ${JSON.stringify({ id: "c", created: 1, model: "tide-8b", ...value })}\n\n`;
const ROLE = event({ choices: [{ index: 0, delta: { role: "assistant", content: "" } }], prompt_token_ids: [1, 2, 3] });
const said = (content: string, ids: readonly number[], finish: string | null = null): string =>
  event({ choices: [{ index: 0, delta: { content }, finish_reason: finish, token_ids: ids }] });
const goesOn = (text: string, ids: readonly number[], finish: string | null = null): string =>
  event({ choices: [{ index: 0, text, finish_reason: finish, token_ids: ids }] });
const USAGE = event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } });
const DONE = "data: [DONE]\n\n";
const DEEP = "[".repeat(5_000) + "]".repeat(5_000);
const deepened = (told: string): string => told.replace("}\n\n", `,"x":${DEEP}}\n\n`);

const CHAT = "/v1/chat/completions";
const MESSAGES = { messages: [{ role: "user", content: "tide" }], stream_options: { include_usage: true } };
const textIn = (answer: string): string =>
  [...answer.matchAll(/"(?:content|text)":("(?:[^"\\]|\\.)*")/g)].map((match) => String(JSON.parse(match[1] ?? '""'))).join("");

for (const [way, more] of [
  ["from ids", {}],
  ["by its chunks", { presence_penalty: 0.1 }],
] as const) {
  test(`continue: what can go on ${way} and dies between its usage and its end is told its usage once`, async () => {
    const { client, asked } = await tell([[ROLE, said("a", [10]), said("b", [11], "stop"), USAGE], []], { ...MESSAGES, ...more }, CHAT);
    assert.equal(client.text.match(/"usage":\{/g)?.length, 1);
    assert.ok(client.text.endsWith(DONE));
    assert.equal(asked.length, 1);
  });
}

test("continue: without its usage it is told what the journal counts", async () => {
  const { client, asked } = await tell([[ROLE, said("a", [10]), said("b", [11], "stop")], []], MESSAGES, CHAT);
  assert.match(client.text, /"usage":\{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5\}\}\n\ndata: \[DONE\]\n\n$/);
  assert.equal(asked.length, 1);
});

test("continue: a stream whose last chunk no other can be made of ends by an error, and nobody is blamed for it", async () => {
  const { client, asked, rig } = await tell([[ROLE, said("a", [10]), deepened(said("b", [11]))], [DONE]], MESSAGES, CHAT);
  assert.match(client.text, /data: \{"error":\{[^\n]*"code":"upstream_lost"\}\}\n\n$/);
  assert.equal(asked.length, 1);
  assert.equal(rig.ejections().length, 1);
  assert.match(rig.gateway.metricsText(), /how="error-unreadable"\} 1/);
});

test("continue: after the reason of the end such a chunk costs its client nothing but its usage", async () => {
  const { client } = await tell([[ROLE, said("a", [10]), deepened(said("b", [11], "stop"))], []], MESSAGES, CHAT);
  assert.ok(client.text.endsWith(`]]]]}\n\n${DONE}`), client.text.slice(-100));
});

test("continue: of an engine that goes on in such a form nothing is told, and the next one is asked", async () => {
  for (const [more, form] of [
    [{}, goesOn],
    [{ presence_penalty: 0.1 }, (text: string, ids: readonly number[], finish?: string) => said(`a${text}`, ids, finish)],
  ] as const) {
    const answers = [[ROLE, said("a", [10])], [deepened(form("b", [11]))], [form("b", [11], "stop"), USAGE, DONE]];
    const { client, asked } = await tell(answers, { ...MESSAGES, ...more }, CHAT);
    assert.equal(textIn(client.text), "ab");
    assert.equal(asked.length, 3);
    assert.ok(client.text.endsWith(DONE) && !client.text.includes("[["));
  }
});

test("continue: where several ids end within a character, it is made again, and its client has it once", async () => {
  // The first engine merged what its reader was slow to take: a space, and half of a character that nobody was told.
  const first = [ROLE, said("a", [10]), said(" b ", [11, 240])];
  const { client, asked } = await tell(
    [first, [goesOn(" b ", [11, 240]), goesOn("😀", [159]), goesOn("", [2], "stop"), DONE]],
    MESSAGES,
    CHAT,
  );
  assert.equal(textIn(client.text), "a b 😀");
  assert.ok(Buffer.from(asked[1]?.body ?? []).includes('"prompt":[1,2,3,10]'));
  assert.ok(client.text.endsWith(DONE) && client.text.includes('"completion_tokens":5,'));
});

test("continue: an engine that makes something else of it ends the stream by an error", async () => {
  const { client } = await tell(
    [
      [ROLE, said("a", [10]), said(" b", [11, 12])],
      [goesOn(" c", [13]), DONE],
    ],
    MESSAGES,
    CHAT,
  );
  assert.match(client.text, /"code":"upstream_diverged"\}\}\n\n$/);
});

for (const [name, limit, left] of [
  ["names no limit", {}, 15],
  ["says null, which is as many as fit", { max_tokens: null }, 8_192 - 4],
  ["names a chat's limit, which it does not know", { max_completion_tokens: 50 }, 15],
  ["names its own beside it", { max_tokens: 40, max_completion_tokens: 50 }, 39],
] as const) {
  test(`continue: a completion that ${name}: the next engine makes what is left of it`, async () => {
    const first = event({ choices: [{ index: 0, text: "a", finish_reason: null, token_ids: [10], prompt_token_ids: [1, 2, 3] }] });
    const { asked } = await tell([[first], [goesOn("b", [11], "stop"), DONE]], { prompt: "tide", ...limit }, "/v1/completions");
    assert.match(Buffer.from(asked[1]?.body ?? []).toString(), new RegExp(`"max_tokens":${left},`));
  });
}

test("continue: an answer about an image is made again by an engine that is shown it", async () => {
  const content = [
    { type: "text", text: "What is it?" },
    { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
  ];
  const again = [ROLE, said("a", [10]), said("b", [11], "stop"), DONE];
  const { client, asked } = await tell([[ROLE, said("a", [10])], again], { messages: [{ role: "user", content }] }, CHAT);
  assert.equal(asked[1]?.target, CHAT);
  assert.ok(Buffer.from(asked[1]?.body ?? []).includes("base64,AAAA"));
  assert.equal(textIn(client.text), "ab");
});
