import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { detokenize } from "../engine-model/detokenize.ts";
import { tokenize } from "../engine-model/tokenize.ts";
import { knownAnswerRequest, likenessRequest, progressOf } from "../wire/dialect.ts";
import { parseKnownAnswer, parseLikeness } from "../wire/parse-known-answer.ts";
import { readMetric } from "../wire/prometheus-text.ts";
import { createEngineRig, startEngineRig } from "./engine-rig.ts";
import { parseError, parseTokens, parseTranscript, parseWhole } from "./parse-engine-transcript.ts";

const CHAT = "/v1/chat/completions";
const messages = [{ role: "user", content: "When does the tide come in?" }];
const chat = (more: object = {}): object => ({ model: "tide-8b", messages, temperature: 0, max_tokens: 20, ignore_eos: true, ...more });

test("an engine is unhealthy while it loads and healthy after its bytes came over the link", async () => {
  const rig = createEngineRig();
  const started = rig.engine.start();
  await rig.clock.advance(99);
  assert.deepEqual([rig.send("GET", "/health").status, rig.send("POST", CHAT, chat()).status], [503, 503]);
  await rig.clock.advance(1);
  assert.deepEqual([await started, rig.send("GET", "/health").status], [{ ok: true, value: null }, 200]);
});

test("a streamed chat is framed as vLLM frames it", async () => {
  const rig = await startEngineRig();
  const exchange = await rig.ask("POST", CHAT, chat({ stream: true, stream_options: { include_usage: true }, max_tokens: 3 }));
  assert.equal(exchange.status, 200);
  assert.equal(exchange.answerHeaders[1], "text/event-stream; charset=utf-8");
  const { chunks, isDone, usage, finish } = parseTranscript(exchange.text);
  assert.ok(isDone && exchange.isEnded);
  assert.deepEqual(chunks[0]?.choices[0]?.delta, { role: "assistant", content: "" });
  assert.deepEqual(new Set(chunks.map(({ id, object }) => `${id} ${object}`)).size, 1);
  assert.deepEqual(chunks.at(-1)?.choices, []);
  assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
  const promptTokens = usage?.prompt_tokens ?? 0;
  assert.ok(promptTokens > 6);
  assert.deepEqual([usage?.completion_tokens, usage?.total_tokens, finish], [3, promptTokens + 3, "length"]);
});

const eventsOf = (text: string): readonly string[] => text.split("\n\n").slice(0, -1);

test("an engine streams as SGLang does: text and ids of the whole so far, also from ids of what was said", async () => {
  const rig = await startEngineRig();
  const sampling = { temperature: 0, max_new_tokens: 4, ignore_eos: true };
  const ask = async (more: object, tokens: number) =>
    eventsOf(
      (await rig.ask("POST", "/generate", { stream: true, sampling_params: { ...sampling, max_new_tokens: tokens }, ...more })).text,
    );
  const whole = await ask({ text: "tide" }, 4);
  assert.equal(whole.length, 5);
  assert.equal(whole.at(-1), "data: [DONE]");
  const ids = [...(whole.at(-2) ?? "").matchAll(/"output_ids":\[([\d,]*)\]/g)].flatMap((match) => (match[1] ?? "").split(",").map(Number));
  assert.equal(ids.length, 4);
  assert.match(whole[0] ?? "", new RegExp(`"output_ids":\\[${ids[0]}\\],"prompt_token_ids":\\[${tokenize("tide").join()}\\]`));
  assert.match(whole.at(-2) ?? "", /"finish_reason":\{"type":"length","length":4\},"prompt_tokens":1,"completion_tokens":4/);
  const rest = await ask({ input_ids: [...tokenize("tide"), ...ids.slice(0, 2)] }, 2);
  assert.match(rest.at(-2) ?? "", new RegExp(`"output_ids":\\[${ids.slice(2).join()}\\]`));
});

test("an engine streams as llama.cpp does: text and ids of one step, and a last event that says why, also from text and ids", async () => {
  const rig = await startEngineRig();
  const ask = async (prompt: unknown, tokens: number) =>
    eventsOf((await rig.ask("POST", "/completion", { stream: true, prompt, n_predict: tokens, temperature: 0, ignore_eos: true })).text);
  const whole = await ask("tide", 4);
  const ids = whole.flatMap((event) => /"tokens":\[(\d+)\]/.exec(event)?.[1] ?? []).map(Number);
  assert.deepEqual([whole.length, ids.length], [5, 4]);
  assert.match(whole.at(-1) ?? "", /"tokens_predicted":4,"tokens_evaluated":1,"content":"","tokens":\[\],"stop":true,"stop_type":"limit"/);
  const rest = await ask(["tide", ...ids.slice(0, 2)], 2);
  assert.deepEqual(rest.flatMap((event) => /"tokens":\[(\d+)\]/.exec(event)?.[1] ?? []).map(Number), ids.slice(2));
});

test("an engine makes no whole answers in other engines' forms", async () => {
  const rig = await startEngineRig();
  assert.equal((await rig.ask("POST", "/generate", { text: "tide" })).status, 400);
  assert.equal((await rig.ask("POST", "/completion", { prompt: "tide" })).status, 400);
});

test("each step of an engine is one write to each of its streams", async () => {
  const rig = await startEngineRig();
  const exchange = await rig.ask("POST", CHAT, chat({ stream: true, return_token_ids: true }));
  assert.equal(exchange.writes.length, 20);
});

test("timers that fire late do not slow the engine down", async () => {
  const rig = await startEngineRig({}, { lateMs: () => 0.9 });
  const startMs = rig.clock.monotonicMs();
  const exchange = rig.send("POST", CHAT, chat({ stream: true, max_tokens: 100 }));
  while (exchange.isOpen) await rig.clock.advance(1);
  const tookMs = rig.clock.monotonicMs() - startMs;
  assert.ok(tookMs >= 805 && tookMs < 810, `${tookMs} ms`);
});

test("a slow reader gets at once, in one chunk, what was made meanwhile", async () => {
  const rig = await startEngineRig();
  const asked = chat({ stream: true, return_token_ids: true });
  const calm = parseTranscript((await rig.ask("POST", CHAT, asked)).text);
  const exchange = rig.send("POST", CHAT, asked);
  while (exchange.writes.length < 3) await rig.clock.advance(1);
  exchange.hasRoom = false;
  await rig.clock.advance(60);
  const before = exchange.writes.length;
  exchange.drain();
  const [merged] = exchange.writes.slice(before);
  assert.ok((/"token_ids":\[([^\]]*)\]/.exec(merged ?? "")?.[1] ?? "").split(",").length >= 4, merged);
  while (exchange.isOpen) await rig.clock.advance(1);
  const told = parseTranscript(exchange.text);
  assert.deepEqual([told.text, told.ids, told.isDone], [calm.text, calm.ids, true]);
});

test("a whole answer says what the stream says", async () => {
  const rig = await startEngineRig();
  const streamed = parseTranscript((await rig.ask("POST", CHAT, chat({ stream: true, return_token_ids: true }))).text);
  const exchange = await rig.ask("POST", CHAT, chat({ return_token_ids: true }));
  const whole = parseWhole(exchange.text);
  assert.equal(exchange.answerHeaders[3], String(new TextEncoder().encode(exchange.text).byteLength));
  assert.deepEqual(whole.choices[0]?.message, { role: "assistant", content: streamed.text });
  assert.deepEqual(whole.choices[0]?.token_ids, streamed.ids);
  assert.deepEqual(whole.prompt_token_ids, streamed.promptIds);
  assert.equal(whole.usage?.completion_tokens, 20);
  assert.equal(detokenize(streamed.ids), streamed.text);
});

test("a stream continued from its ids by another engine is the undisturbed one", async () => {
  const first = await startEngineRig();
  const second = await startEngineRig({ instance: "other", profile: { ...SLOW, maxBatch: 2 } });
  const whole = parseTranscript((await first.ask("POST", CHAT, chat({ stream: true, return_token_ids: true, max_tokens: 60 }))).text);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 59 }), async (cut) => {
      const prompt = [...whole.promptIds, ...whole.ids.slice(0, cut)];
      const body = {
        model: "tide-8b",
        prompt,
        temperature: 0,
        max_tokens: 60 - cut,
        ignore_eos: true,
        stream: true,
        return_token_ids: true,
      };
      const rest = parseTranscript((await second.ask("POST", "/v1/completions", body)).text);
      assert.deepEqual(rest.ids, whole.ids.slice(cut));
      assert.deepEqual(rest.promptIds, prompt);
    }),
    { numRuns: 20 },
  );
});
const SLOW = { maxBatch: 64, stepBaseMs: 20, stepPerSequenceMs: 1, prefillTokensPerSecond: 1_000, prefillChunkTokens: 16 };

const prompts: readonly { readonly name: string; readonly prompt: unknown; readonly answers: number }[] = [
  { name: "a text is a prompt", prompt: "The tide", answers: 1 },
  { name: "a list of texts is as many prompts", prompt: ["The tide", "The gate"], answers: 2 },
  { name: "a list of ids is one prompt", prompt: tokenize("The tide"), answers: 1 },
  { name: "a list of lists of ids is as many prompts", prompt: [tokenize("The tide"), tokenize("The gate")], answers: 2 },
];
for (const { name, prompt, answers } of prompts) {
  test(`${name} of a completion`, async () => {
    const rig = await startEngineRig();
    const body = { model: "tide-8b", prompt, temperature: 0, max_tokens: 8, ignore_eos: true };
    const whole = parseWhole((await rig.ask("POST", "/v1/completions", body)).text);
    const alone = parseWhole((await rig.ask("POST", "/v1/completions", { ...body, prompt: "The tide" })).text);
    assert.equal(whole.choices.length, answers);
    assert.equal(whole.choices[0]?.text, alone.choices[0]?.text);
    assert.equal(whole.usage?.completion_tokens, 8 * answers);
  });
}

test("a completion has 16 tokens where nobody names a limit, and as many as fit where it says null", async () => {
  const rig = await startEngineRig();
  for (const [limit, isShort] of [
    [{}, true],
    [{ max_tokens: null }, false],
  ] as const) {
    const body = { model: "tide-8b", prompt: "The tide", temperature: 0, min_tokens: 40, ...limit };
    const tokens = parseWhole((await rig.ask("POST", "/v1/completions", body)).text).usage?.completion_tokens ?? 0;
    assert.equal(tokens === 16, isShort, `${tokens} tokens`);
  }
});

test("several answers to one prompt differ, and their chunks carry their index", async () => {
  const rig = await startEngineRig();
  const exchange = await rig.ask("POST", CHAT, chat({ n: 3, temperature: 1, seed: 1, stream: true }));
  const texts = [0, 1, 2].map((choice) => parseTranscript(exchange.text, choice));
  assert.deepEqual(
    texts.map(({ finish }) => finish),
    ["length", "length", "length"],
  );
  assert.equal(new Set(texts.map(({ text }) => text)).size, 3);
});

test("an answer ends before its stop string, in a stream and whole", async () => {
  const rig = await startEngineRig();
  const whole = parseWhole((await rig.ask("POST", CHAT, chat({ max_tokens: 200 }))).text).choices[0]?.message?.content ?? "";
  const stop = whole.slice(40, 44);
  const expected = whole.slice(0, whole.indexOf(stop));
  const streamed = parseTranscript((await rig.ask("POST", CHAT, chat({ max_tokens: 200, stop, stream: true }))).text);
  const cut = parseWhole((await rig.ask("POST", CHAT, chat({ max_tokens: 200, stop: [stop] }))).text).choices[0];
  assert.deepEqual([streamed.text, streamed.finish, streamed.isDone], [expected, "stop", true]);
  assert.deepEqual([cut?.message?.content, cut?.finish_reason], [expected, "stop"]);
});

const tools = [
  {
    type: "function",
    function: { name: "tide", parameters: { type: "object", properties: { port: { type: "string" } }, required: ["port"] } },
  },
];

test("a required tool is called with arguments that fit its schema, in a stream and whole", async () => {
  const rig = await startEngineRig();
  const asked = chat({ tools, tool_choice: "required", max_tokens: 100, ignore_eos: false });
  const [choice] = parseWhole((await rig.ask("POST", CHAT, asked)).text).choices;
  const call = choice?.message?.tool_calls?.[0];
  assert.deepEqual([choice?.finish_reason, choice?.message?.content, call?.function.name], ["tool_calls", null, "tide"]);
  assert.match(call?.function.arguments ?? "", /^\{"port":"\w+ \w+"\}$/);
  const { chunks, finish } = parseTranscript((await rig.ask("POST", CHAT, { ...asked, stream: true })).text);
  const deltas = chunks.flatMap((chunk) => chunk.choices[0]?.delta?.tool_calls ?? []);
  assert.equal(deltas.map((delta) => delta.function.arguments).join(""), call?.function.arguments);
  assert.deepEqual([deltas[0]?.function.name, finish], ["tide", "tool_calls"]);
});

test("log probabilities name each token of an answer, streamed or whole", async () => {
  const rig = await startEngineRig();
  const whole = (await rig.ask("POST", CHAT, chat({ logprobs: true, max_tokens: 6 }))).text;
  const streamed = (await rig.ask("POST", CHAT, chat({ logprobs: true, max_tokens: 6, stream: true }))).text;
  const tokensOf = (text: string): readonly string[] => text.match(/\{"token":"[^"]*","logprob":-?[\d.]+,/g) ?? [];
  assert.equal(tokensOf(whole).length, 6);
  assert.deepEqual(tokensOf(streamed), tokensOf(whole));
});

test("an answer in JSON fits the asked schema", async () => {
  const rig = await startEngineRig();
  const schema = { type: "object", required: ["height"], properties: { height: { type: "integer", minimum: 2, maximum: 2 } } };
  const asked = chat({ response_format: { type: "json_schema", json_schema: { name: "a", schema } }, max_tokens: 100, ignore_eos: false });
  const [choice] = parseWhole((await rig.ask("POST", CHAT, asked)).text).choices;
  assert.deepEqual([choice?.message?.content, choice?.finish_reason], ['{"height":2}', "stop"]);
});

const refused: readonly { readonly name: string; readonly body: unknown; readonly status: number; readonly param: string | null }[] = [
  { name: "a body that is no JSON", body: "{", status: 400, param: null },
  { name: "a body that is a list", body: [], status: 400, param: null },
  { name: "a model that is not served", body: chat({ model: "other" }), status: 404, param: "model" },
  { name: "no token to generate", body: chat({ max_tokens: 0 }), status: 400, param: "max_tokens" },
  { name: "a half token to generate", body: chat({ max_tokens: 1.5 }), status: 400, param: "max_tokens" },
  { name: "more tokens than the context has", body: chat({ max_tokens: 8_192 }), status: 400, param: "max_tokens" },
  {
    name: "a prompt longer than the context",
    body: chat({ messages: [{ role: "user", content: " tide".repeat(9_000) }], max_tokens: null }),
    status: 400,
    param: "messages",
  },
  { name: "no messages", body: chat({ messages: [] }), status: 400, param: "messages" },
  { name: "an unknown role", body: chat({ messages: [{ role: "captain", content: "" }] }), status: 400, param: "messages[0].role" },
  {
    name: "an image",
    body: chat({ messages: [{ role: "user", content: [{ type: "image_url" }] }] }),
    status: 400,
    param: "messages[0].content",
  },
  { name: "a temperature out of range", body: chat({ temperature: 3 }), status: 400, param: "temperature" },
  { name: "no answers", body: chat({ n: 0 }), status: 400, param: "n" },
  { name: "alternatives of a token", body: chat({ logprobs: true, top_logprobs: 2 }), status: 400, param: "top_logprobs" },
  { name: "an empty stop string", body: chat({ stop: [""] }), status: 400, param: "stop" },
  { name: "a tool without a name", body: chat({ tools: [{}] }), status: 400, param: "tools[0]" },
  {
    name: "a continued message with a generation prompt",
    body: chat({ continue_final_message: true }),
    status: 400,
    param: "continue_final_message",
  },
];
for (const { name, body, status, param } of refused) {
  test(`an engine refuses ${name} in OpenAI's shape`, async () => {
    const rig = await startEngineRig();
    const exchange = rig.send("POST", CHAT, body);
    const error = parseError(exchange.text);
    assert.deepEqual([exchange.status, error.param, error.type], [status, param, "invalid_request_error"]);
  });
}

test("ids outside of the vocabulary and empty prompts are refused", async () => {
  const rig = await startEngineRig();
  const statuses = [[-1], [2 ** 31], [1.5], [], "", ["tide", 3], [[]]].map(
    (prompt) => rig.send("POST", "/v1/completions", { prompt }).status,
  );
  assert.deepEqual(statuses, [400, 400, 400, 400, 400, 400, 400]);
});

test("an unknown route is 404", async () => {
  const rig = await startEngineRig();
  assert.deepEqual([rig.send("GET", "/v1/chat/completions").status, rig.send("GET", "/").status], [404, 404]);
});

test("the models list names the model, its adapters and the context that fits", async () => {
  const rig = await startEngineRig({ adapters: ["tide-lora"] });
  const list: unknown = JSON.parse(rig.send("GET", "/v1/models").text);
  assert.deepEqual(list, {
    object: "list",
    data: [
      { id: "tide-8b", object: "model", created: 1_767_225_600, owned_by: "tidegate", root: "tide-8b", parent: null, max_model_len: 8_192 },
      {
        id: "tide-lora",
        object: "model",
        created: 1_767_225_600,
        owned_by: "tidegate",
        root: "tide-8b",
        parent: "tide-8b",
        max_model_len: 8_192,
      },
    ],
  });
});

test("metrics show progress, and what runs and waits", async () => {
  const rig = await startEngineRig({ profile: { ...SLOW, maxBatch: 1 } });
  for (let count = 0; count < 3; count += 1) rig.send("POST", CHAT, chat({ stream: true }));
  await rig.clock.advance(100);
  const before = progressOf("simulated", rig.send("GET", "/metrics").text);
  assert.deepEqual([before?.running, before?.waiting], [1, 2]);
  await rig.clock.advance(10_000);
  const page = rig.send("GET", "/metrics").text;
  const after = progressOf("simulated", page);
  assert.ok((after?.steps ?? 0) > (before?.steps ?? 0));
  assert.deepEqual([after?.running, after?.waiting, after?.kvUsage], [0, 0, 0]);
  assert.equal(readMetric(page, "vllm:generation_tokens_total"), 60);
  assert.equal(readMetric(page, "vllm:request_success_total"), 3);
  assert.equal(readMetric(page, "vllm:time_to_first_token_seconds_count"), 3);
  assert.equal(readMetric(page, "vllm:inter_token_latency_seconds_count"), 57);
});

test("a client that goes away frees its place in the batch", async () => {
  const rig = await startEngineRig({ profile: { ...SLOW, maxBatch: 1 } });
  const left = rig.send("POST", CHAT, chat({ stream: true, max_tokens: 8_000 }));
  await rig.clock.advance(200);
  left.goAway();
  const next = await rig.ask("POST", CHAT, chat({ stream: true }));
  assert.ok(parseTranscript(next.text).isDone);
  assert.equal(readMetric(rig.send("GET", "/metrics").text, "vllm:num_requests_running"), 0);
});

test("a slow reader gets everything once it reads again", async () => {
  const rig = await startEngineRig();
  const quick = parseTranscript((await rig.ask("POST", CHAT, chat({ stream: true }))).text);
  const slow = rig.send("POST", CHAT, chat({ stream: true }));
  slow.hasRoom = false;
  await rig.clock.advance(1_000);
  assert.equal(slow.writes.length, 1);
  slow.drain();
  assert.ok(slow.isEnded);
  assert.equal(parseTranscript(slow.text).text, quick.text);
});

test("a reader that never reads is dropped at the limit", async () => {
  const rig = await startEngineRig();
  const stuck = rig.send("POST", CHAT, chat({ stream: true, max_tokens: 8_000 }));
  stuck.hasRoom = false;
  await rig.clock.advance(60_000);
  assert.deepEqual([stuck.isAborted, stuck.writes.length], [true, 1]);
  assert.equal(readMetric(rig.send("GET", "/metrics").text, "vllm:num_requests_running"), 0);
});

test("engines of one model give one known answer, of another revision another", async () => {
  const answers = await Promise.all(
    [{}, { instance: "b" }, { revision: "r2" }].map(async (options) => {
      const rig = await startEngineRig(options);
      const request = knownAnswerRequest({ name: "tide-8b" });
      return parseKnownAnswer(
        (await rig.ask(request.method, request.target, new TextDecoder().decode(request.body ?? new Uint8Array()))).text,
      );
    }),
  );
  assert.equal(answers[0], answers[1]);
  assert.notEqual(answers[0], answers[2]);
  assert.ok(answers.every((answer) => answer !== null));
});

test("likeness is told by ids, equal at engines of one revision and another at those of another", async () => {
  const answers = await Promise.all(
    [{}, { instance: "b" }, { revision: "r2" }].map(async (options) => {
      const rig = await startEngineRig(options);
      const { method, target, body } = likenessRequest("simulated", "tide-8b");
      return parseLikeness((await rig.ask(method, target, new TextDecoder().decode(body ?? new Uint8Array()))).text);
    }),
  );
  assert.match(answers[0] ?? "", /^\d+(?:,\d+){31}$/);
  assert.equal(answers[0], answers[1]);
  assert.notEqual(answers[0], answers[2]);
});

test("text and chats are tokenised as they are read, and ids are turned back", async () => {
  const rig = await startEngineRig();
  const counted: unknown = JSON.parse(rig.send("POST", "/tokenize", { prompt: "The tide" }).text);
  assert.deepEqual(counted, { count: 2, max_model_len: 8_192, tokens: tokenize("The tide") });
  const tokens = parseTokens(rig.send("POST", "/tokenize", { messages }).text);
  const streamed = parseTranscript((await rig.ask("POST", CHAT, chat({ stream: true, return_token_ids: true }))).text);
  assert.deepEqual(tokens, streamed.promptIds);
  assert.deepEqual(JSON.parse(rig.send("POST", "/detokenize", { tokens: tokenize("é tide") }).text), { prompt: "é tide" });
});
