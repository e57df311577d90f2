import assert from "node:assert/strict";
import test from "node:test";
import { rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";
import { engineName, sameForAll, startStreamRig, type StreamRig } from "./stream-rig.ts";

const CHAT = { messages: [{ role: "user", content: "tide" }], max_tokens: 24, stream_options: { include_usage: true } };
const LONG = { messages: [{ role: "user", content: "tide ".repeat(15_000) }], max_tokens: 400, ignore_eos: true };

const openAt = (world: StreamRig, port: number): number => world.network.openBetween("gateway", engineName(port));
const inFlight = (world: StreamRig): number =>
  Number(/tidegate_requests_in_flight\{[^}]*\} (\d+)/.exec(world.rig.gateway.metricsText())?.[1] ?? Number.NaN);

function counted(world: StreamRig): { readonly promptTokens: number; readonly outputTokens: number } {
  const counts = world.rig.sentUp.findLast((message) => message.type === "counts");
  const { promptTokens, outputTokens } = counts?.services[0] ?? assert.fail("counts are told");
  return { promptTokens, outputTokens };
}

function tellTable(world: StreamRig, ports: readonly number[], of: { readonly revision: number; readonly maxTokens?: number }): void {
  const { revision, maxTokens = null } = of;
  const limits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null, maxTokens };
  const endpoints = ports.map((port) => rigEndpoint(port));
  world.rig.tell({ type: "table", table: rigTable(endpoints, { contextLength: 40_960, revision, limits }) });
}

/** Long streams that have begun. */
async function startLong(world: StreamRig, count: number): Promise<readonly RigClient[]> {
  const clients = Array.from({ length: count }, () => world.ask(LONG));
  for (let waitedMs = 0; waitedMs < 20_000 && clients.some((client) => client.firstByteAt === null); waitedMs += 20)
    await world.rig.clock.advance(20);
  return clients;
}

test("moves: the rest of an answer that one engine refuses is made by the next", async () => {
  const start = () => startStreamRig(1, 3, (port) => (port === 2 ? { contextLength: 16 } : {}));
  const calm = await start();
  const whole = calm.ask(CHAT);
  await calm.untilEnded(whole);
  assert.ok(whole.text.endsWith("data: [DONE]\n\n"));
  const world = await start();
  const client = world.ask(CHAT, (count) => (count === 8 ? world.killServer(client) : undefined));
  await world.untilEnded(client);
  assert.equal(sameForAll(client.text), sameForAll(whole.text));
  assert.equal(client.header("x-tidegate-instance"), "gold-hot-1");
  assert.match(world.rig.gateway.metricsText(), /tidegate_attempts_total\{[^}]*because="retry"\} 1\n/, "the second one refused");
});

test("moves: where the only other engine refuses the rest, the stream says so and ends, and nothing of it is kept", async () => {
  const world = await startStreamRig(1, 2, (port) => (port === 2 ? { contextLength: 16 } : {}));
  const client = world.ask(CHAT, (count) => (count === 8 ? world.killServer(client) : undefined));
  await world.untilEnded(client);
  assert.match(client.text, /data: \{"error":\{[^\n]*"code":"upstream_rejected"\}\}\n\n$/);
  assert.equal(client.end_, "ended");
  assert.match(world.rig.gateway.metricsText(), /how="error-rejected"\} 1\n/);
  assert.match(world.rig.gateway.metricsText(), /tidegate_journal_bytes 0\n/);
  assert.equal(inFlight(world), 0);
});

test("moves: an answer that fits no more when somebody is there at last ends by an error, and does not begin anew", async () => {
  const world = await startStreamRig(1, 2);
  tellTable(world, [1], { revision: 2 });
  const client = world.ask({ messages: CHAT.messages }, (count) => (count === 12 ? world.killServer(client) : undefined));
  await world.rig.clock.advance(3_000);
  assert.match(client.text, /\n\n: [^\n]*\n\n$/, "it is held, with a comment");
  tellTable(world, [2], { revision: 3, maxTokens: 4 });
  await world.untilEnded(client);
  assert.match(client.text, /data: \{"error":\{[^\n]*"code":"upstream_lost"\}\}\n\n$/);
  assert.equal(new Set(client.text.match(/"id":"chatcmpl-[^"]*"/g)).size, 1);
  assert.match(world.rig.gateway.metricsText(), /how="error-no-room"\} 1\n/);
  assert.match(world.rig.gateway.metricsText(), /tidegate_journal_bytes 0\n/);
  assert.deepEqual(world.rig.ejections(), ["gold-hot-1 cut"]);
});

test("moves: when the engine that reads moved streams dies too, none of those that wait is sent to it", async () => {
  const world = await startStreamRig(1, 3);
  tellTable(world, [1], { revision: 2 });
  const clients = await startLong(world, 12);
  tellTable(world, [1, 2, 3], { revision: 3 });
  const first = openAt(world, 1);
  world.network.crash(engineName(1));
  await world.rig.clock.advance(30);
  const second = openAt(world, 2);
  assert.ok(first === 12 && second >= 3 && second <= 4, `${first} and ${second} streams`);
  world.network.crash(engineName(2));
  for (const client of clients) await world.untilEnded(client);
  assert.ok(clients.every((client) => client.text.endsWith("data: [DONE]\n\n")));
  const moves = /tidegate_attempts_total\{[^}]*because="reroute"\} (\d+)\n/.exec(world.rig.gateway.metricsText())?.[1];
  assert.equal(Number(moves), first + second);
});

test("moves: at a planned end as many streams move at a time as the next engine may read, and the others go on where they are", async () => {
  const world = await startStreamRig(1, 2);
  for (const port of [1, 2]) void world.inject(port, { kind: "slow", factor: 20 }, 600_000);
  await world.rig.clock.advance(100);
  const clients = await startLong(world, 12);
  const before = [openAt(world, 1), openAt(world, 2)] as const;
  assert.ok(before[0] >= 5, `${before[0]} streams`);
  world.rig.tell({ type: "table", table: world.tableWithout(1) });
  await world.rig.clock.advance(20_100);
  const moved = openAt(world, 2) - before[1];
  assert.ok(moved >= 1 && moved <= 4, `${moved} moved at first`);
  assert.equal(openAt(world, 1), before[0] - moved, "the others have their engine still");
  await world.rig.clock.advance(9_000);
  assert.ok(openAt(world, 2) - before[1] > moved, "more follow while it reads on");
  for (const client of clients) client.leave();
});

test("moves: an answer that is made again is no good token before its client reads on", async () => {
  const world = await startStreamRig(1, 2);
  // A penalty on what was said: only from the beginning.
  const client = world.ask({ ...CHAT, max_tokens: 60, presence_penalty: 0.1, ignore_eos: true }, (count) =>
    count === 40 ? world.killServer(client) : undefined,
  );
  const written: number[] = [];
  const tell = client.onWrite;
  client.onWrite = () => {
    written.push(world.rig.clock.monotonicMs());
    tell?.();
  };
  await world.untilEnded(client);
  await world.rig.clock.advance(500);
  const gapMs = Math.max(...written.slice(1).map((at, index) => at - (written[index] ?? at)));
  const recovery = /tidegate_recovery_seconds_sum\{[^}]*\} ([\d.e-]+)\n/.exec(world.rig.gateway.metricsText())?.[1];
  assert.ok(gapMs > 300, `${gapMs} ms`);
  assert.ok(Math.abs(Number(recovery) * 1_000 - gapMs) < 60, `told as ${recovery} s, was ${gapMs} ms`);
});

test("moves: the tokens of answers that are cut count too, each once", async () => {
  const world = await startStreamRig(1, 2);
  const left = world.ask({ ...CHAT, max_tokens: 200 }, (count) => (count === 10 ? left.leave() : undefined));
  await world.rig.clock.advance(1_100);
  const afterLeaving = counted(world);
  assert.ok(afterLeaving.outputTokens >= 8 && afterLeaving.outputTokens <= 12, `${afterLeaving.outputTokens} tokens`);
  assert.ok(afterLeaving.promptTokens > 0);
  // Made again from its beginning, then lost for good.
  const lost = world.ask({ ...CHAT, max_tokens: 200, presence_penalty: 0.1 }, (count) =>
    count === 10 || count === 20 ? world.killServer(lost) : undefined,
  );
  await world.untilEnded(lost);
  assert.match(lost.text, /"code":"upstream_lost"/);
  await world.rig.clock.advance(1_100);
  const told = counted(world).outputTokens - afterLeaving.outputTokens;
  assert.ok(told >= 17 && told <= 22, `${told} tokens`);
});
