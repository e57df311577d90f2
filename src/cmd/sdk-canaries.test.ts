import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateText, jsonSchema, Output, streamText, tool } from "ai";
import { startSdkWorld, type SdkWorld } from "./sdk-rig.ts";

// Clients and checks that nobody of this project wrote.

const PROMPT = "How does the tide turn?";
const PLACE = jsonSchema<{ place: string }>({
  type: "object",
  properties: { place: { type: "string" } },
  required: ["place"],
  additionalProperties: false,
});
const tide = tool({ description: "The tide at a place.", inputSchema: PLACE, execute: ({ place }) => `It is high at ${place}.` });

async function aiSdk(world: SdkWorld): Promise<void> {
  const compatible = createOpenAICompatible({ name: "tidegate", baseURL: world.baseUrl, apiKey: world.key, includeUsage: true });
  const openai = createOpenAI({ baseURL: world.baseUrl, apiKey: world.key });
  const texts: string[] = [];
  for (const model of [compatible(world.model), openai.chat(world.model), openai.responses(world.model)]) {
    const whole = await generateText({ model, prompt: PROMPT, maxOutputTokens: 12, temperature: 0 });
    const streamed = streamText({ model, prompt: PROMPT, maxOutputTokens: 12, temperature: 0 });
    assert.equal(await streamed.text, whole.text);
    assert.deepEqual([whole.usage.outputTokens, (await streamed.usage).outputTokens, whole.finishReason], [12, 12, "length"]);
    texts.push(whole.text);
    const called = await generateText({ model, prompt: "Call it.", tools: { tide }, toolChoice: "required" });
    assert.match(JSON.stringify(called.toolCalls.map(({ toolName, input }) => [toolName, input])), /^\[\["tide",\{"place":"[^"]+"\}\]\]$/);
  }
  assert.equal(new Set(texts).size, 1);
  const { output } = await generateText({
    model: openai.responses(world.model),
    prompt: "As JSON.",
    output: Output.object({ schema: PLACE }),
  });
  assert.equal(typeof output.place, "string");
  const { embeddings } = await embedMany({ model: compatible.embeddingModel(world.model), values: ["high tide", "low tide"] });
  assert.equal(embeddings.length, 2);
  await assert.rejects(generateText({ model: compatible("nothing"), prompt: PROMPT }), (error: unknown) => {
    assert.ok(APICallError.isInstance(error));
    assert.deepEqual([error.statusCode, error.isRetryable], [404, false]);
    return true;
  });
}

interface Scan {
  readonly exitCode: number;
  readonly output: string;
}

function scan(world: SdkWorld, profile: string): Promise<Scan> {
  const cli = fileURLToPath(new URL("./cli.js", import.meta.resolve("compatcanary")));
  const args = [
    cli,
    "scan",
    "--base-url",
    world.baseUrl,
    "--model",
    world.model,
    "--profile",
    profile,
    "--format",
    "json",
    "--fail-on",
    "any",
  ];
  const env = { ...process.env, OPENAI_API_KEY: world.key };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { env }, (_error, output, complaint) => {
      resolve({ exitCode: child.exitCode ?? -1, output: output + complaint });
    });
  });
}

test("canaries: the ai SDK and compatcanary find nothing wrong", async (t) => {
  const world = await startSdkWorld(t);
  assert.equal(world.engines.length, 2);
  await t.test("canary: the ai SDK writes, streams, calls tools, makes objects and embeds", () => assert.doesNotReject(aiSdk(world)));
  for (const profile of ["chat", "modern"]) {
    await t.test(`canary: compatcanary's profile ${profile} is green`, async () => {
      const { exitCode, output } = await scan(world, profile);
      assert.equal(exitCode, 0, output);
      assert.match(output, /"compatible": true/);
      assert.match(output, /"score": 100/);
    });
  }
});
