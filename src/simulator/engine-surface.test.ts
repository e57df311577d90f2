import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { startEngineRig, type EngineRig } from "./engine-rig.ts";
import { parseEmbeddings, parseError, parseResponse, parseResponseEvents, parseWhole } from "./parse-engine-transcript.ts";

const RESPONSES = "/v1/responses";
const ask = (more: object = {}): object => ({
  model: "tide-8b",
  input: "When does the tide come in?",
  temperature: 0,
  max_output_tokens: 20,
  ...more,
});
const TIDE = {
  type: "function",
  name: "tide",
  parameters: { type: "object", properties: { place: { type: "string" } }, required: ["place"] },
};

async function eventsOf(rig: EngineRig, body: object): Promise<ReturnType<typeof parseResponseEvents>> {
  return parseResponseEvents((await rig.ask("POST", RESPONSES, { ...body, stream: true })).text);
}

test("a streamed response has its events in the API's order, numbered without a gap, and no [DONE]", async () => {
  const events = await eventsOf(await startEngineRig(), ask());
  const types = events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1]);
  assert.deepEqual(types, [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.incomplete",
  ]);
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, index) => index),
  );
});

test("a whole response says what its stream and the same chat say", async () => {
  const rig = await startEngineRig();
  const whole = parseResponse((await rig.ask("POST", RESPONSES, ask({ instructions: "Be brief." }))).text);
  const events = await eventsOf(rig, ask({ instructions: "Be brief." }));
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "When does the tide come in?" },
  ];
  const chat = parseWhole(
    (await rig.ask("POST", "/v1/chat/completions", { model: "tide-8b", messages, temperature: 0, max_tokens: 20 })).text,
  );
  const text = chat.choices[0]?.message?.content ?? "";
  assert.notEqual(text, "");
  assert.equal(whole.output[0]?.content?.[0]?.text, text);
  assert.equal(events.map(({ delta }) => delta ?? "").join(""), text);
  assert.equal(events.at(-1)?.response?.output[0]?.content?.[0]?.text, text);
  assert.deepEqual([whole.usage?.output_tokens, whole.usage?.input_tokens], [20, chat.usage?.prompt_tokens]);
  assert.deepEqual([whole.status, whole.incomplete_details, whole.store], ["incomplete", { reason: "max_output_tokens" }, false]);
});

test("a response calls the function that it must call, with arguments that fit", async () => {
  const rig = await startEngineRig();
  const body = ask({ tools: [TIDE], tool_choice: { type: "function", name: "tide" }, max_output_tokens: 100 });
  const [item] = parseResponse((await rig.ask("POST", RESPONSES, body)).text).output;
  assert.deepEqual([item?.type, item?.name, item?.status], ["function_call", "tide", "completed"]);
  assert.match(item?.arguments ?? "", /^\{"place":"\w+ \w+"\}$/);
  const events = await eventsOf(rig, body);
  assert.equal(events.map(({ delta }) => delta ?? "").join(""), item?.arguments);
});

test("a response reads a conversation of items, and each item counts", async () => {
  const rig = await startEngineRig();
  const items = [
    { role: "user", content: [{ type: "input_text", text: "tide?" }] },
    { type: "function_call", call_id: "c1", name: "tide", arguments: "{}" },
    { type: "function_call_output", call_id: "c1", output: "high" },
  ];
  const textOf = async (input: object[]): Promise<string> =>
    parseResponse((await rig.ask("POST", RESPONSES, ask({ input }))).text).output[0]?.content?.[0]?.text ?? "";
  const texts = new Set<string>();
  for (const count of [1, 2, 3]) texts.add(await textOf(items.slice(0, count)));
  assert.equal(texts.size, 3);
});

test("a response that would need a store is refused by the engine itself", async () => {
  const rig = await startEngineRig();
  for (const more of [
    { previous_response_id: "resp_1" },
    { conversation: "c" },
    { background: true },
    { input: [{ type: "item_reference", id: "x" }] },
  ]) {
    const exchange = await rig.ask("POST", RESPONSES, ask(more));
    assert.deepEqual([exchange.status, parseError(exchange.text).type], [400, "invalid_request_error"]);
  }
});

test("embeddings are vectors of length 1, one for each input in its order, equal for equal inputs alone", async () => {
  const rig = await startEngineRig();
  const input = ["high tide", "low tide", "high tide", [2_000, 2_004]];
  const answer = parseEmbeddings((await rig.ask("POST", "/v1/embeddings", { model: "tide-8b", input, dimensions: 32 })).text);
  const vectors = answer.data.map(({ embedding }) => embedding);
  assert.deepEqual(
    answer.data.map(({ index }) => index),
    [0, 1, 2, 3],
  );
  for (const vector of vectors) {
    assert.ok(typeof vector !== "string" && vector.length === 32);
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
  }
  assert.deepEqual(vectors[0], vectors[2]);
  assert.notDeepEqual(vectors[0], vectors[1]);
  assert.ok(answer.usage.prompt_tokens > 4);
  assert.equal(answer.usage.prompt_tokens, answer.usage.total_tokens);
});

test("embeddings in base64 are the same numbers in float32", async () => {
  const rig = await startEngineRig();
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1, maxLength: 20 }), async (input) => {
      const of = async (format: string): Promise<unknown> =>
        parseEmbeddings((await rig.ask("POST", "/v1/embeddings", { model: "tide-8b", input, encoding_format: format })).text).data[0]
          ?.embedding;
      const bytes = Buffer.from(String(await of("base64")), "base64");
      const numbers = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
      assert.deepEqual(numbers, await of("float"));
    }),
    { numRuns: 20, seed: 5 },
  );
});

test("embeddings of nothing, of too much and in another format are refused", async () => {
  const rig = await startEngineRig();
  for (const more of [{ input: "" }, { input: [] }, { encoding_format: "int8" }, { dimensions: 0 }, { input: "tide ".repeat(100_000) }]) {
    const exchange = await rig.ask("POST", "/v1/embeddings", { model: "tide-8b", input: "x", ...more });
    assert.equal(exchange.status, 400);
  }
});
