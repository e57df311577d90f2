import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import OpenAI, {
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  UnprocessableEntityError,
} from "openai";
import { startSdkWorld, type SdkWorld } from "./sdk-rig.ts";

// The client that most programs use, as it comes from the registry: what it makes of our answers is what users see.

interface Canary {
  readonly world: SdkWorld;
  readonly client: OpenAI;
  /** Which try each request was that the SDK sent, oldest first. */
  readonly sent: (string | null)[];
}

async function startClient(t: TestContext): Promise<Canary> {
  const world = await startSdkWorld(t);
  const sent: (string | null)[] = [];
  const client = new OpenAI({
    baseURL: world.baseUrl,
    apiKey: world.key,
    fetch: async (url, init) => {
      sent.push(new Headers(init?.headers).get("x-stainless-retry-count"));
      return fetch(url, init);
    },
  });
  return { world, client, sent };
}

const MODEL = "tide-8b";
const MESSAGES = [{ role: "user" as const, content: "How does the tide turn?" }];
const PARAMETERS = { type: "object", properties: { place: { type: "string" } }, required: ["place"], additionalProperties: false };

async function sayTheSame({ client }: Canary): Promise<void> {
  const chat = { model: MODEL, messages: MESSAGES, max_tokens: 12, temperature: 0 };
  const whole = await client.chat.completions.create(chat);
  const text = whole.choices[0]?.message.content ?? "";
  let streamed = "";
  let usage: number | undefined;
  for await (const chunk of await client.chat.completions.create({ ...chat, stream: true, stream_options: { include_usage: true } })) {
    streamed += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage?.completion_tokens ?? usage;
  }
  assert.deepEqual([streamed, usage], [text, 12]);
  assert.notEqual(text, "");
  const asked = { model: MODEL, input: "How does the tide turn?", max_output_tokens: 12, temperature: 0 };
  const response = await client.responses.create(asked);
  assert.deepEqual([response.output_text, response.status, response.usage?.output_tokens], [text, "incomplete", 12]);
  const final = await client.responses.stream(asked).finalResponse();
  assert.equal(final.output_text, text);
  const completion = await client.completions.create({ model: MODEL, prompt: "The tide", max_tokens: 4 });
  assert.equal(completion.usage?.completion_tokens, 4);
  const embeddings = await client.embeddings.create({ model: MODEL, input: ["high tide", "low tide"], dimensions: 16 });
  const floats = await client.embeddings.create({ model: MODEL, input: "high tide", dimensions: 16, encoding_format: "float" });
  assert.deepEqual([...(embeddings.data[0]?.embedding ?? [])], floats.data[0]?.embedding);
  assert.equal(embeddings.data.length, 2);
  const models = await client.models.list();
  assert.deepEqual(
    models.data.map(({ id, object }) => [id, object]),
    [[MODEL, "model"]],
  );
}

async function callTools({ client }: Canary): Promise<void> {
  const chat = await client.chat.completions
    .stream({
      model: MODEL,
      messages: MESSAGES,
      tools: [{ type: "function", function: { name: "tide", parameters: PARAMETERS } }],
      tool_choice: "required",
    })
    .finalChatCompletion();
  const call = chat.choices[0]?.message.tool_calls?.[0];
  assert.ok(call?.type === "function");
  assert.match(call.function.arguments, /^\{"place":"[^"]+"\}$/);
  const response = await client.responses
    .stream({
      model: MODEL,
      input: "Call it.",
      tools: [{ type: "function", name: "tide", parameters: PARAMETERS, strict: true }],
      tool_choice: "required",
    })
    .finalResponse();
  const [item] = response.output;
  assert.ok(item?.type === "function_call");
  assert.deepEqual([item.name, item.status], ["tide", "completed"]);
  const json = await client.responses.create({
    model: MODEL,
    input: "As JSON.",
    text: { format: { type: "json_schema", name: "tide", schema: PARAMETERS, strict: true } },
  });
  assert.match(json.output_text, /^\{"place":"[^"]+"\}$/);
}

async function refuse({ client, world, sent }: Canary): Promise<void> {
  const stranger = new OpenAI({ baseURL: world.baseUrl, apiKey: "wrong", fetch: (url, init) => fetch(url, init) });
  const response = (more: object): Promise<unknown> => client.responses.create({ model: MODEL, input: "x", ...more });
  const cases: readonly (readonly [ask: () => Promise<unknown>, kind: typeof APIError<number>, code: string])[] = [
    [() => stranger.models.list(), AuthenticationError, "invalid_api_key"],
    [() => client.chat.completions.create({ model: "nothing", messages: MESSAGES }), NotFoundError, "model_not_found"],
    [() => client.embeddings.create({ model: MODEL, input: "" }), BadRequestError, "invalid_request"],
    [() => response({ previous_response_id: "resp_1" }), BadRequestError, "unsupported_parameter"],
    [() => response({ background: true }), BadRequestError, "unsupported_parameter"],
    [() => client.responses.retrieve("resp_1"), NotFoundError, "unknown_url"],
    [() => client.chat.completions.create({ model: MODEL, messages: MESSAGES, n: 0 }), BadRequestError, "invalid_value"],
    [() => client.images.generate({ model: MODEL, prompt: "tide" }), NotFoundError, "unknown_url"],
  ];
  for (const [ask, kind, code] of cases) {
    sent.length = 0;
    await assert.rejects(ask(), (error: unknown) => {
      assert.ok(error instanceof kind && !(error instanceof UnprocessableEntityError));
      assert.equal(error.code, code);
      assert.match(error.requestID ?? "", /^req_/);
      return true;
    });
    assert.ok(sent.length <= 1, `${code} is asked once`);
  }
}

async function askAgain({ client, world, sent }: Canary): Promise<void> {
  for (const engine of world.engines) engine.child.kill("SIGKILL");
  await Promise.all(world.engines.map(({ exited }) => exited));
  sent.length = 0;
  await assert.rejects(
    client.chat.completions.create({ model: MODEL, messages: MESSAGES }, { maxRetries: 1, timeout: 60_000 }),
    (error: unknown) => {
      assert.ok(error instanceof InternalServerError);
      assert.deepEqual([error.status, error.code, error.headers?.get("x-should-retry")], [503, "shed", "true"]);
      assert.deepEqual(sent, ["0", "1"]);
      return true;
    },
  );
}

async function dieUnnoticed({ client, world }: Canary): Promise<void> {
  const asked = { model: MODEL, input: "How does the tide turn?", max_output_tokens: 80, temperature: 0 };
  const undisturbed = (await client.responses.create(asked)).output_text;
  const streams = Array.from({ length: 6 }, () => client.responses.stream(asked));
  const chats = Array.from({ length: 6 }, () =>
    client.chat.completions.stream({ model: MODEL, messages: MESSAGES, max_tokens: 80, temperature: 0 }),
  );
  const begun = Promise.withResolvers<void>();
  let left = streams.length;
  for (const stream of streams) {
    stream.once("response.output_text.delta", () => {
      left -= 1;
      if (left === 0) begun.resolve();
    });
  }
  await begun.promise;
  world.engines[0]?.child.kill("SIGKILL");
  for (const stream of streams) assert.equal((await stream.finalResponse()).output_text, undisturbed);
  for (const chat of chats) assert.equal((await chat.finalChatCompletion()).choices[0]?.message.content, undisturbed);
}

async function endByError({ client, world }: Canary): Promise<void> {
  const stream = await client.responses.create({
    model: MODEL,
    input: "tide",
    max_output_tokens: 400,
    include: ["message.output_text.logprobs"],
    stream: true,
  });
  await assert.rejects(
    async () => {
      for await (const event of stream)
        if (event.type === "response.output_text.delta") for (const engine of world.engines) engine.child.kill("SIGKILL");
    },
    (error: unknown) => error instanceof APIError && error.code === "upstream_lost",
  );
}

async function abort({ client }: Canary): Promise<void> {
  const stream = client.responses.stream({ model: MODEL, input: "tide", max_output_tokens: 2_000 });
  await assert.rejects(async () => {
    for await (const event of stream) if (event.type === "response.output_text.delta") stream.abort();
    await stream.finalResponse();
  }, APIUserAbortError);
  const next = await client.responses.create({ model: MODEL, input: "tide", max_output_tokens: 3 });
  assert.equal(next.usage?.output_tokens, 3);
}

/** In this order: the last ones kill the engines. */
const CASES: readonly (readonly [name: string, run: (canary: Canary) => Promise<void>])[] = [
  ["chats, completions, responses and embeddings, whole and streamed, say the same", sayTheSame],
  ["tools are called and JSON fits, in chats and in responses", callTools],
  ["every refusal is raised as its class, once, with its code and the request's id", refuse],
  ["an abort ends a stream, and the next request is served", abort],
  ["an engine process dies under a streamed response and under a chat, and neither notices", dieUnnoticed],
  ["a response that nobody can make again ends by an error, never silently", endByError],
  ["where nobody serves it asks again when it is told to", askAgain],
];

test("openai SDK: all that it does, against one gateway and two engines", async (t) => {
  const canary = await startClient(t);
  assert.equal(canary.world.engines.length, 2);
  for (const [name, run] of CASES) await t.test(`openai SDK: ${name}`, () => assert.doesNotReject(run(canary)));
});
