import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError } from "openai";
import {
  ownFolder,
  PROCESS_KEY,
  processEndpoint,
  processTable,
  speakAsControlPlane,
  startEntry,
  startQuickEngine,
  type After,
  type Running,
  type SpeakingControlPlane,
} from "./gateway-processes.ts";

interface World {
  readonly gateway: Running;
  readonly engines: readonly Running[];
  readonly control: SpeakingControlPlane;
  readonly client: OpenAI;
  readonly dataDir: string;
  readonly after: After;
}

async function startWorld(t: TestContext, engineFlags: readonly string[] = []): Promise<World> {
  const { dataDir, after } = ownFolder(t, "tidegate-gateway-");
  const engines = await Promise.all([startQuickEngine(engineFlags, after), startQuickEngine(engineFlags, after)]);
  const table = processTable(engines.map((engine, index) => processEndpoint(index + 1, engine.url)));
  const control = await speakAsControlPlane(join(dataDir, "link.sock"), table);
  after(() => control.hub.close());
  const gateway = await startGateway(dataDir, after);
  await control.told;
  return { gateway, engines, control, dataDir, after, client: clientOf(gateway.url) };
}

const startGateway = (dataDir: string, after: After): Promise<Running> =>
  startEntry("gateway.ts", ["--data-dir", dataDir, "--port", "0", "--id", "gateway-0"], after);

const clientOf = (url: string, apiKey = PROCESS_KEY): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });

const MESSAGES = [{ role: "user" as const, content: "How does the tide turn?" }];

interface Outcome {
  readonly kind: "whole" | "error-event" | "lost";
  readonly endedAfterMs: number;
  readonly hadFirstToken: boolean;
}

/** One stream by the SDK, judged by what its user sees. */
async function streamOnce(client: OpenAI, maxTokens: number): Promise<Outcome> {
  const startedAt = performance.now();
  let hadFirstToken = false;
  const outcome = (kind: Outcome["kind"]): Outcome => ({ kind, hadFirstToken, endedAfterMs: performance.now() - startedAt });
  try {
    const stream = await client.chat.completions.create({ model: "tide-8b", messages: MESSAGES, stream: true, max_tokens: maxTokens });
    let isFinished = false;
    for await (const chunk of stream) {
      if ((chunk.choices[0]?.delta.content ?? "") !== "") hadFirstToken = true;
      if (chunk.choices[0]?.finish_reason !== null) isFinished = true;
    }
    return outcome(isFinished ? "whole" : "lost");
  } catch (error) {
    return outcome(error instanceof APIError && hadFirstToken ? "error-event" : "lost");
  }
}

test("the openai SDK lists models, chats and streams through a real gateway process", async (t) => {
  const { client } = await startWorld(t);
  assert.deepEqual(
    (await client.models.list()).data.map((model) => model.id),
    ["tide-8b"],
  );
  const request = { model: "tide-8b", messages: MESSAGES, max_tokens: 12, temperature: 0 };
  const { data, response } = await client.chat.completions.create(request).withResponse();
  const text = data.choices[0]?.message.content ?? "";
  assert.notEqual(text, "");
  assert.equal(response.headers.get("x-tidegate-level"), "hot");
  let streamed = "";
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true }))
    streamed += chunk.choices[0]?.delta.content ?? "";
  assert.equal(streamed, text);
  const completion = await client.completions.create({ model: "tide-8b", prompt: "The tide", max_tokens: 4 });
  assert.equal(completion.usage?.completion_tokens, 4);
});

test("the openai SDK raises its own classes for what the gateway and the engine refuse", async (t) => {
  const { client, gateway } = await startWorld(t);
  const chat = (of: OpenAI, more: object): Promise<unknown> =>
    of.chat.completions.create({ model: "tide-8b", messages: MESSAGES, ...more });
  await assert.rejects(chat(clientOf(gateway.url, "wrong"), {}), AuthenticationError);
  await assert.rejects(chat(client, { model: "nothing" }), NotFoundError);
  await assert.rejects(chat(client, { n: 0 }), BadRequestError);
  const long = [{ role: "user", content: "tide ".repeat(60_000) }];
  await assert.rejects(chat(client, { messages: long }), (error: unknown) => {
    assert.ok(error instanceof BadRequestError);
    assert.equal(error.code, "context_length_exceeded");
    assert.match(error.requestID ?? "", /^req_/);
    return true;
  });
});

/** A stream that hot-1 serves and that has begun: reads on when asked. */
async function openStreamOnFirst(client: OpenAI): Promise<() => Promise<string>> {
  for (;;) {
    const request = { model: "tide-8b", messages: MESSAGES, stream: true, max_tokens: 400 } as const;
    const { data, response } = await client.chat.completions.create(request).withResponse();
    if (response.headers.get("x-tidegate-instance") !== "gold-hot-1") {
      data.controller.abort();
      continue;
    }
    return async () => {
      try {
        let text = "";
        for await (const chunk of data) {
          text += chunk.choices[0]?.delta.content ?? "";
          if (typeof chunk.choices[0]?.finish_reason === "string") return text;
        }
        return "silently cut";
      } catch (error) {
        return error instanceof APIError ? String(error.code) : "another error";
      }
    };
  }
}

test("a killed engine process costs no request: what has no byte is sent anew, and streams go on, token for token", async (t) => {
  const { client, engines, control } = await startWorld(t, ["--step-base-ms", "20"]);
  const readOn = await openStreamOnFirst(client);
  const whole = Array.from({ length: 10 }, () => client.chat.completions.create({ model: "tide-8b", messages: MESSAGES, max_tokens: 40 }));
  const early = Array.from({ length: 10 }, () => streamOnce(client, 8));
  engines[0]?.child.kill("SIGKILL");
  const late = Array.from({ length: 10 }, () => streamOnce(client, 4));
  const undisturbed = await client.chat.completions.create({ model: "tide-8b", messages: MESSAGES, max_tokens: 400 });
  assert.equal(await readOn(), undisturbed.choices[0]?.message.content);
  for (const answer of await Promise.all(whole)) assert.equal(answer.usage?.completion_tokens, 40);
  for (const outcome of await Promise.all(late)) assert.equal(outcome.kind, "whole");
  for (const outcome of await Promise.all(early)) assert.equal(outcome.kind, "whole");
  assert.ok(control.heard.some((message) => message.type === "ejected" && message.instance === "gold-hot-1"));
});

for (const kind of ["streams", "whole answers"] as const) {
  test(`a stopped engine process delays ${kind} without a first byte, and loses none`, async (t) => {
    const { client, engines, control } = await startWorld(t);
    await streamOnce(client, 4);
    engines[0]?.child.kill("SIGSTOP");
    const startedAt = performance.now();
    const asked = Array.from({ length: 10 }, async (): Promise<string> => {
      if (kind === "streams") return (await streamOnce(client, 8)).kind;
      const answer = await client.chat.completions.create({ model: "tide-8b", messages: MESSAGES, max_tokens: 8 });
      return answer.usage?.completion_tokens === 8 ? "whole" : "lost";
    });
    assert.deepEqual(
      await Promise.all(asked),
      asked.map(() => "whole"),
    );
    const tookMs = performance.now() - startedAt;
    t.diagnostic(`all answered after ${Math.round(tookMs)} ms`);
    // The bench measures the promise of 1.5 s; here the machine may be busy with anything.
    assert.ok(tookMs < 8_000);
    assert.ok(control.heard.some((message) => message.type === "ejected" && message.cause === "silent"));
  });
}

test("a hung engine process that still says healthy is found by its lack of steps, though new requests keep coming", async (t) => {
  const { client, engines, control } = await startWorld(t, ["--enable-faults"]);
  await streamOnce(client, 4);
  const fault = JSON.stringify({ fault: { kind: "hang" }, forMs: 60_000 });
  const injected = await fetch(`${engines[0]?.url}/tidegate/faults`, { method: "POST", body: fault });
  assert.equal(injected.status, 200);
  assert.equal((await fetch(`${engines[0]?.url}/health`)).status, 200);
  let isFound = false;
  const found = (): boolean => control.heard.some((message) => message.type === "ejected" && message.cause === "no-progress");
  const outcomes: Promise<Outcome>[] = [];
  // Every answer of the healthy engine is followed by the next request to both.
  while (!isFound && outcomes.length < 2_000) {
    outcomes.push(streamOnce(client, 4));
    const next = streamOnce(client, 4);
    outcomes.push(next);
    await Promise.race(outcomes.slice(-2));
    isFound = found();
  }
  assert.equal(isFound, true);
  for (const outcome of await Promise.all(outcomes)) assert.equal(outcome.kind, "whole");
});

test("a gateway process killed and started alone serves from its stored table", async (t) => {
  const { gateway, control, dataDir, after, client } = await startWorld(t);
  await streamOnce(client, 4);
  await control.counted;
  await control.hub.close();
  gateway.child.kill("SIGKILL");
  await gateway.exited;
  const startedAt = performance.now();
  const again = await startGateway(dataDir, after);
  const tookMs = performance.now() - startedAt;
  const outcome = await streamOnce(clientOf(again.url), 4);
  t.diagnostic(`ready after ${Math.round(tookMs)} ms`);
  assert.equal(outcome.kind, "whole");
});

test("a gateway process ends on SIGTERM when its open stream has ended, and takes no new one", async (t) => {
  const { client, gateway } = await startWorld(t, ["--step-base-ms", "20"]);
  const stream = await client.chat.completions.create({ model: "tide-8b", messages: MESSAGES, stream: true, max_tokens: 30 });
  gateway.child.kill("SIGTERM");
  let isFinished = false;
  for await (const chunk of stream) if (chunk.choices[0]?.finish_reason === "length") isFinished = true;
  assert.equal(isFinished, true);
  assert.deepEqual(await gateway.exited, [0, null]);
  assert.equal((await streamOnce(client, 4)).kind, "lost");
});
