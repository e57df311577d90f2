import { test } from "node:test";
import assert from "node:assert/strict";
import type { Fault } from "../api/fault.ts";
import { progressOf } from "../wire/dialect.ts";
import { startEngineRig, type EngineRig } from "./engine-rig.ts";
import { parseTranscript } from "./parse-engine-transcript.ts";

const FAULTS = "/tidegate/faults";
const PROMPT = { prompt: "The tide", temperature: 0, max_tokens: 50, ignore_eos: true, stream: true, return_token_ids: true };
const inject = (rig: EngineRig, fault: Fault, forMs: number = 5_000): number | null => rig.send("POST", FAULTS, { fault, forMs }).status;
const tokensOf = (exchange: { readonly text: string }): number => parseTranscript(exchange.text).ids.length;
const stepsOf = (rig: EngineRig): number => progressOf("simulated", rig.send("GET", "/metrics").text)?.steps ?? 0;

/** A stream that has had its first tokens. */
async function openStream(rig: EngineRig): ReturnType<EngineRig["ask"]> {
  const exchange = rig.send("POST", "/v1/completions", PROMPT);
  await rig.clock.advance(50);
  assert.ok(tokensOf(exchange) > 0 && exchange.isOpen);
  return exchange;
}

async function undisturbed(): Promise<string> {
  return (await (await startEngineRig()).ask("POST", "/v1/completions", PROMPT)).text.replaceAll(/"id":"[^"]*"/g, "");
}

test("the fault crash ends the process, after its order was answered", async () => {
  const rig = await startEngineRig();
  assert.equal(inject(rig, { kind: "crash" }), 200);
  assert.deepEqual(rig.crashes, ["the fault crash was injected"]);
});

test("a hung engine answers probes, makes no step, and goes on when the fault is over", async () => {
  const rig = await startEngineRig();
  const stream = await openStream(rig);
  inject(rig, { kind: "hang" });
  await rig.clock.advance(20);
  const [tokens, steps] = [tokensOf(stream), stepsOf(rig)];
  const late = rig.send("POST", "/v1/completions", PROMPT);
  await rig.clock.advance(4_000);
  assert.deepEqual([tokensOf(stream), stepsOf(rig), tokensOf(late)], [tokens, steps, 0]);
  assert.deepEqual([rig.send("GET", "/health").status, rig.send("GET", "/v1/models").status], [200, 200]);
  await rig.clock.advance(5_000);
  const expected = await undisturbed();
  assert.deepEqual(
    [stream, late].map(({ text }) => text.replaceAll(/"id":"[^"]*"/g, "")),
    [expected, expected],
  );
});

test("a stalled stream stops after its tokens while the engine goes on, and misses none when the fault is over", async () => {
  const rig = await startEngineRig();
  const stream = await openStream(rig);
  const tokens = tokensOf(stream);
  const steps = stepsOf(rig);
  inject(rig, { kind: "stall", afterTokens: 3 });
  await rig.clock.advance(4_000);
  assert.deepEqual([tokensOf(stream), stream.isOpen], [tokens + 3, true]);
  assert.ok(stepsOf(rig) > steps + 10);
  await rig.clock.advance(1_000);
  assert.equal(stream.text.replaceAll(/"id":"[^"]*"/g, ""), await undisturbed());
});

test("a fault on streams counts new streams from their first token", async () => {
  const rig = await startEngineRig();
  inject(rig, { kind: "stall", afterTokens: 2 });
  const stream = rig.send("POST", "/v1/completions", PROMPT);
  await rig.clock.advance(1_000);
  assert.equal(tokensOf(stream), 2);
});

test("a stalled engine withholds whole answers too", async () => {
  const rig = await startEngineRig();
  inject(rig, { kind: "stall", afterTokens: 2 });
  const whole = rig.send("POST", "/v1/completions", { ...PROMPT, stream: false });
  await rig.clock.advance(4_000);
  assert.equal(whole.status, null);
  await rig.clock.advance(1_000);
  assert.deepEqual([whole.status, whole.isEnded], [200, true]);
});

test("a truncated stream ends cleanly without its end mark", async () => {
  const rig = await startEngineRig();
  const stream = await openStream(rig);
  const tokens = tokensOf(stream);
  inject(rig, { kind: "truncate", afterTokens: 2 });
  await rig.clock.advance(1_000);
  const { isDone, finish } = parseTranscript(stream.text);
  assert.deepEqual([tokensOf(stream), stream.isEnded, isDone, finish], [tokens + 2, true, false, null]);
});

test("a reset stream is cut after its tokens", async () => {
  const rig = await startEngineRig();
  const stream = await openStream(rig);
  const tokens = tokensOf(stream);
  inject(rig, { kind: "reset", afterTokens: 0 });
  await rig.clock.advance(1_000);
  assert.deepEqual([tokensOf(stream), stream.isAborted], [tokens, true]);
});

test("a slow engine takes its factor of time for each step", async () => {
  const rig = await startEngineRig();
  const startMs = rig.clock.monotonicMs();
  await rig.ask("POST", "/v1/completions", PROMPT);
  const quickMs = rig.clock.monotonicMs() - startMs;
  inject(rig, { kind: "slow", factor: 5 }, 60_000);
  await rig.ask("POST", "/v1/completions", PROMPT);
  const slowMs = rig.clock.monotonicMs() - startMs - quickMs;
  assert.ok(Math.abs(slowMs / quickMs - 5) < 0.8, `${slowMs} / ${quickMs}`);
});

test("exactly the asked share of new requests fails", async () => {
  const rig = await startEngineRig();
  inject(rig, { kind: "error-ratio", ratio: 0.25 });
  const statuses = Array.from({ length: 12 }, () => rig.send("POST", "/v1/completions", { ...PROMPT, stream: false }).status);
  assert.equal(statuses.filter((status) => status === 500).length, 3);
});

const say = async (rig: EngineRig): Promise<string> =>
  parseTranscript((await rig.ask("POST", "/v1/completions", { ...PROMPT, max_tokens: 4 })).text).text;

test("a wake under the garbage fault answers 200 and speaks garbage until a good wake", async () => {
  const rig = await startEngineRig();
  const before = await say(rig);
  inject(rig, { kind: "garbage-after-wake" }, 1_000);
  assert.equal(await say(rig), before);
  await rig.ask("POST", "/sleep");
  assert.equal((await rig.ask("POST", "/wake_up")).status, 200);
  await rig.clock.advance(5_000);
  assert.equal(await say(rig), "!!!!");
  await rig.ask("POST", "/sleep");
  await rig.ask("POST", "/wake_up");
  assert.equal(await say(rig), before);
});

test("a failed wake answers 500 and the engine stays asleep", async () => {
  const rig = await startEngineRig();
  await rig.ask("POST", "/sleep");
  inject(rig, { kind: "failed-wake" });
  assert.equal((await rig.ask("POST", "/wake_up")).status, 500);
  assert.equal(rig.send("GET", "/is_sleeping").text, '{"is_sleeping":true}');
});

test("a slow wake takes its factor of time", async () => {
  const rig = await startEngineRig();
  await rig.ask("POST", "/sleep");
  inject(rig, { kind: "slow-wake", factor: 10 });
  const wake = rig.send("POST", "/wake_up");
  await rig.clock.advance(2_999);
  assert.equal(wake.isEnded, false);
  await rig.clock.advance(1);
  assert.equal(wake.status, 200);
});

test("faults that are taken back are over at once", async () => {
  const rig = await startEngineRig();
  inject(rig, { kind: "hang" });
  inject(rig, { kind: "error-ratio", ratio: 1 });
  assert.equal(rig.send("DELETE", FAULTS).status, 200);
  assert.equal((await rig.ask("POST", "/v1/completions", PROMPT)).status, 200);
});

test("faults that make no sense are refused, and without leave there is no such port", async () => {
  const rig = await startEngineRig();
  const orders = [
    { fault: { kind: "flood" }, forMs: 10 },
    { fault: { kind: "hang" } },
    { fault: { kind: "hang" }, forMs: 0 },
    { fault: { kind: "slow", factor: 0 }, forMs: 10 },
    { fault: { kind: "stall" }, forMs: 10 },
    { fault: { kind: "error-ratio", ratio: 2 }, forMs: 10 },
  ];
  assert.deepEqual(
    orders.map((order) => rig.send("POST", FAULTS, order).status),
    orders.map(() => 400),
  );
  const closed = await startEngineRig({ areFaultsEnabled: false });
  assert.deepEqual([closed.send("POST", FAULTS, { fault: { kind: "crash" }, forMs: 1 }).status, closed.crashes], [404, []]);
});
