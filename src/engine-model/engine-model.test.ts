import { test } from "node:test";
import assert from "node:assert/strict";
import { GB, GiB } from "../base/bytes.ts";
import type { JsonValue } from "../base/json.ts";
import { startHash } from "./context-hash.ts";
import { planMemory, type MemoryPlan } from "./memory-plan.ts";
import { renderChat, type ChatTemplate } from "./render-chat.ts";
import { AWAKE, bringBack, fallAsleep, heldBytes, isAsleep, reloadWeights } from "./sleep-state.ts";
import { answerSchema, chooseTool } from "./structured-answer.ts";
import { tokenize } from "./tokenize.ts";

const plan: MemoryPlan = {
  heldBytesPerGpu: 40 * GB,
  weightsBytesPerGpu: 16 * GB,
  parkedBytesPerGpu: 3 * GB,
  kvBlocks: 10_000,
  contextLength: 8_192,
};

test("memory beside weights and overhead is KV memory", () => {
  assert.deepEqual(planMemory({ weightsBytes: 16 * GB, gpuCount: 1, memoryBytesPerGpu: 40 * GB, contextLength: 40_960 }), {
    ok: true,
    value: {
      heldBytesPerGpu: 40 * GB,
      weightsBytesPerGpu: 16 * GB,
      parkedBytesPerGpu: Math.ceil(2.7 * GiB),
      kvBlocks: 10_061,
      contextLength: 40_960,
    },
  });
});

test("a context longer than the KV memory is cut to it", () => {
  const small = planMemory({ weightsBytes: 16 * GB, gpuCount: 1, memoryBytesPerGpu: 20 * GB, contextLength: 40_960 });
  assert.ok(small.ok && small.value.contextLength === small.value.kvBlocks * 16 && small.value.contextLength > 8_192);
});

test("weights are spread over the GPUs of an instance", () => {
  const two = planMemory({ weightsBytes: 16 * GB, gpuCount: 2, memoryBytesPerGpu: 12 * GB, contextLength: 8_192 });
  assert.ok(two.ok && two.value.weightsBytesPerGpu === 8 * GB);
});

test("weights that leave no KV memory do not fit", () => {
  const none = planMemory({ weightsBytes: 16 * GB, gpuCount: 1, memoryBytesPerGpu: 17 * GB, contextLength: 8_192 });
  assert.ok(!none.ok && none.error.code === "WEIGHTS_DO_NOT_FIT" && none.error.neededBytesPerGpu > 17 * GB);
});

test("a sleeping engine holds its parked bytes, and sleeps until every tag is back", () => {
  const asleep = fallAsleep(AWAKE, 1);
  const half = bringBack(asleep, ["weights"]);
  const whole = bringBack(half, ["kv_cache"]);
  assert.deepEqual([asleep, half, whole].map(isAsleep), [true, true, false]);
  assert.deepEqual(
    [asleep, half, whole].map((state) => heldBytes(state, plan)),
    [3 * GB, 19 * GB, 40 * GB],
  );
  assert.equal(heldBytes(bringBack(asleep, ["kv_cache"]), plan), 24 * GB);
});

test("weights that slept at level 2 are stale until they are loaded again", () => {
  const woken = bringBack(fallAsleep(fallAsleep(AWAKE, 2), 1), ["weights", "kv_cache"]);
  assert.equal(woken.areWeightsStale, true);
  assert.deepEqual(reloadWeights(woken), AWAKE);
});

const template: ChatTemplate = { toolsText: null, addsGenerationPrompt: true, continuesLast: false };

test("a chat is marked by ids that text cannot imitate", () => {
  const ids = renderChat(
    [
      { role: "system", text: "Be brief" },
      { role: "user", text: "Hi" },
    ],
    template,
  );
  assert.deepEqual(ids, [1, 3, ...tokenize("Be brief"), 2, 4, ...tokenize("Hi"), 2, 5]);
});

test("a continued chat ends inside its last message", () => {
  const ids = renderChat(
    [
      { role: "user", text: "Hi" },
      { role: "assistant", text: "Hel" },
    ],
    {
      ...template,
      addsGenerationPrompt: false,
      continuesLast: true,
    },
  );
  assert.deepEqual(ids, [1, 4, ...tokenize("Hi"), 2, 5, ...tokenize("Hel")]);
});

test("a schema is answered with all that it requires, in its types", () => {
  const schema: JsonValue = {
    type: "object",
    required: ["city", "days", "unit", "stops", "exact", "next"],
    properties: {
      city: { type: "string" },
      days: { type: "integer", minimum: 3, maximum: 3 },
      unit: { enum: ["metric"] },
      stops: { type: "array", items: { type: "number" }, minItems: 2 },
      exact: { anyOf: [{ const: true }, { type: "null" }] },
      next: { $ref: "#/$defs/step" },
    },
    $defs: { step: { type: ["null", "object"] } },
  };
  const answer = JSON.stringify(answerSchema(schema, startHash("a")));
  assert.match(answer, /^\{"city":"\w+ \w+","days":3,"unit":"metric","stops":\[\d+,\d+(,\d+)*\],"exact":true,"next":null\}$/);
});

test("a schema that contains itself is answered to a bounded depth", () => {
  const schema: JsonValue = { type: "object", required: ["child"], properties: { child: { $ref: "#" } } };
  const answer = JSON.stringify(answerSchema(schema, startHash("b")));
  assert.ok(answer.startsWith('{"child":{"child":{"child":') && answer.includes("null"));
});

test("a required tool is always called, an offered one by half of the prompts", () => {
  const tools = [
    { name: "weather", parameters: {} },
    { name: "tide", parameters: {} },
  ];
  const contexts = Array.from({ length: 200 }, (_, index) => startHash(`prompt ${index}`));
  const called = contexts.map((context) => chooseTool(tools, true, context)?.name);
  assert.ok(called.includes("weather") && called.includes("tide") && !called.includes(undefined));
  const offered = contexts.filter((context) => chooseTool(tools, false, context) !== null).length;
  assert.ok(offered > 60 && offered < 140, `${offered} of 200`);
});
