import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Tier } from "../api/hot-standby-config.ts";
import type { RungEndpoint } from "../api/route-table.ts";
import { nodeName } from "../base/ids.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

const WHOLE = "t0 t1 t2 t3 t4 ";
/** After its samples the timer stands at its floor; the next tick is what counts. */
const HEDGED_BY_MS = 320;

/** Two engines of a service whose first tokens take 50 ms, seen often enough. The next request goes to engine 1. */
async function usual(
  tier: Tier = "platinum",
  { requests = 40, change = {} }: { requests?: number; change?: Partial<RungEndpoint> } = {},
): Promise<GatewayRig> {
  const rig = new GatewayRig();
  await rig.start(
    rigTable(
      [1, 2].map((port) => rigEndpoint(port, { node: nodeName(`node-${port}`), ...change })),
      { tier },
    ),
  );
  for (let count = 0; count < requests; count += 1) {
    rig.chat();
    await rig.clock.advance(50);
  }
  await rig.clock.advance(450);
  return rig;
}

const counter = (rig: GatewayRig, name: string, labels: string): number =>
  Number(new RegExp(`${name}\\{[^}]*${labels}[^}]*\\} (\\d+)`).exec(rig.gateway.metricsText())?.[1] ?? 0);
const hedges = (rig: GatewayRig, outcome: string): number => counter(rig, "tidegate_hedges_total", `outcome="${outcome}"`);
const outcomes = (rig: GatewayRig): readonly string[] =>
  ["won", "lost", "failed", "gone"].flatMap((outcome) => Array.from({ length: hedges(rig, outcome) }, () => outcome));
const requestIds = (rig: GatewayRig): readonly (string | undefined)[] =>
  [1, 2].map((port) => {
    const headers = rig.engine(port).work.at(-1)?.headers ?? [];
    return headers[headers.indexOf("x-request-id") + 1]?.replace(/-\d+$/, "");
  });

function assertNothingLeft(rig: GatewayRig): void {
  for (const port of [1, 2]) assert.equal(rig.engine(port).openCount, 0, `open at engine ${port}`);
  assert.equal(counter(rig, "tidegate_requests_in_flight", ""), 0);
}

test("gateway: a first token that is late is asked of another engine too, whose answer wins", async () => {
  const rig = await usual();
  rig.engine(1).prefillMs = 5_000;
  const client = rig.chat();
  await rig.clock.advance(HEDGED_BY_MS + 60);
  assert.equal(client.header("x-tidegate-instance"), "gold-hot-2");
  assert.equal(client.header("x-tidegate-attempts"), "2");
  assert.equal(rig.engine(1).aborts, 1, "the other call is ended in the same turn");
  assert.equal(rig.engine(1).openCount, 0);
  await rig.clock.advance(500);
  assert.equal(client.wholeStream, WHOLE);
  assert.deepEqual(outcomes(rig), ["won"]);
  assert.equal(new Set(requestIds(rig)).size, 1, "one request has one id");
  assert.deepEqual(rig.ejections(), []);
  assert.equal(rig.sentUp.filter(({ type }) => type === "episode").length, 0);
  assertNothingLeft(rig);
});

test("gateway: an engine that is silent is found although hedges answer all that wait for it", async () => {
  const rig = await usual("platinum", { requests: 120 });
  rig.engine(1).stop();
  const stoppedAt = rig.clock.monotonicMs();
  const clients: RigClient[] = [];
  while (rig.ejections().length === 0 && rig.clock.monotonicMs() - stoppedAt < 5_000) {
    clients.push(rig.chat());
    await rig.clock.advance(HEDGED_BY_MS + 230);
  }
  assert.deepEqual(rig.ejections(), ["gold-hot-1 silent"]);
  assert.ok(rig.clock.monotonicMs() - stoppedAt <= 1_700, `found after ${rig.clock.monotonicMs() - stoppedAt} ms`);
  assert.ok(hedges(rig, "won") >= 1);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
});

test("gateway: an engine that is only slow is not ejected for what hedges took from it", async () => {
  const rig = await usual("platinum", { requests: 120 });
  rig.engine(1).prefillMs = 1_500;
  for (let step = 0; step < 100; step += 1) {
    if (step % 4 === 0 && step < 40) rig.chat();
    // While it reads a prompt it steps for others.
    rig.engine(1).steps += 1;
    await rig.clock.advance(100);
  }
  assert.ok(hedges(rig, "won") >= 3);
  assert.deepEqual(rig.ejections(), []);
});

test("gateway: a first attempt that is late but first ends its hedge", async () => {
  const rig = await usual();
  rig.engine(1).prefillMs = 340;
  const client = rig.chat();
  await rig.clock.advance(2_000);
  assert.equal(client.header("x-tidegate-instance"), "gold-hot-1");
  assert.equal(client.wholeStream, WHOLE);
  assert.deepEqual([rig.engine(1).aborts, rig.engine(2).aborts], [0, 1]);
  assert.deepEqual(outcomes(rig), ["lost"]);
  assertNothingLeft(rig);
});

test("gateway: of two first tokens in one turn, or a millisecond apart, exactly one answer is told", async () => {
  const winners = new Set<string | null>();
  for (let prefillMs = 330; prefillMs <= 370; prefillMs += 1) {
    const rig = await usual();
    rig.engine(1).prefillMs = prefillMs;
    const client = rig.chat();
    await rig.clock.advance(2_000);
    assert.equal(client.wholeStream, WHOLE);
    assert.equal(rig.engine(1).aborts + rig.engine(2).aborts, 1);
    winners.add(client.header("x-tidegate-instance"));
    assertNothingLeft(rig);
  }
  assert.equal(winners.size, 2);
});

test("gateway: a hedge whose engine dies is forgotten, and concerns no episode", async () => {
  const rig = await usual();
  rig.engine(1).prefillMs = 1_000;
  rig.engine(2).prefillMs = 1_000;
  const client = rig.chat();
  await rig.clock.advance(HEDGED_BY_MS + 100);
  assert.equal(rig.engine(2).openCount, 1);
  rig.engine(2).kill();
  await rig.clock.advance(2_000);
  assert.equal(client.wholeStream, WHOLE);
  assert.equal(client.header("x-tidegate-instance"), "gold-hot-1");
  assert.deepEqual(outcomes(rig), ["failed"]);
  assert.deepEqual(rig.ejections(), ["gold-hot-2 reset"]);
  assert.equal(rig.sentUp.filter(({ type }) => type === "episode").length, 0);
  assertNothingLeft(rig);
});

test("gateway: when the first attempt's engine dies its hedge goes on, and nothing is sent a third time", async () => {
  const rig = await usual();
  rig.engine(1).prefillMs = 5_000;
  rig.engine(2).prefillMs = 400;
  const before = rig.engine(2).work.length;
  const client = rig.chat();
  await rig.clock.advance(HEDGED_BY_MS + 100);
  rig.engine(1).kill();
  await rig.clock.advance(1_000);
  assert.equal(client.wholeStream, WHOLE);
  assert.equal(rig.engine(2).work.length, before + 1);
  assert.deepEqual(outcomes(rig), ["won"]);
  assert.ok(
    rig.sentUp.some(({ type }) => type === "episode"),
    "its own engine's death is an episode",
  );
  assertNothingLeft(rig);
});

test("gateway: when both engines die the request is held and served by the next one", async () => {
  const rig = await usual();
  for (const port of [1, 2]) rig.engine(port).prefillMs = 5_000;
  const client = rig.chat();
  await rig.clock.advance(HEDGED_BY_MS + 100);
  for (const port of [2, 1]) rig.engine(port).kill();
  await rig.clock.advance(100);
  rig.tell({ type: "table", table: rigTable([rigEndpoint(3)], { tier: "platinum", revision: 2 }) });
  await rig.clock.advance(1_000);
  assert.equal(client.wholeStream, WHOLE);
  assert.deepEqual(outcomes(rig), ["failed"]);
});

test("gateway: what was kept of an answer that lost is free again", async () => {
  const rig = await usual("platinum", { change: { engine: "llama.cpp" } });
  // Its role chunk comes, and no content.
  rig.engine(1).breakAfter = { tokens: 0, how: "stall" };
  const client = rig.chat();
  await rig.clock.advance(HEDGED_BY_MS);
  assert.ok(/tidegate_journal_bytes [1-9]/.test(rig.gateway.metricsText()), "something is kept");
  await rig.clock.advance(500);
  assert.equal(client.wholeStream, WHOLE);
  assert.match(rig.gateway.metricsText(), /tidegate_journal_bytes 0\n/);
});

test("gateway: when the winner dies in the middle of its answer the engine that lost goes on with it", async () => {
  const rig = await usual("platinum", { change: { engine: "llama.cpp" } });
  rig.engine(1).prefillMs = 5_000;
  const client = rig.chat();
  await rig.clock.advance(HEDGED_BY_MS + 60);
  assert.equal(client.header("x-tidegate-instance"), "gold-hot-2");
  rig.engine(1).prefillMs = 50;
  rig.engine(2).kill();
  await rig.clock.advance(1_000);
  // The rig's engines name no reason of an end, so the tokens are what can be compared.
  assert.equal([...client.text.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1]).join(""), WHOLE);
  assert.doesNotMatch(client.text, /"error"/);
});

test("gateway: a request is not blamed for the death of its hedge's engine when its own dies too", async () => {
  const rig = await usual();
  rig.engine(1).prefillMs = 5_000;
  rig.engine(2).prefillMs = 5_000;
  const client = rig.chat();
  await rig.clock.advance(HEDGED_BY_MS + 100);
  assert.equal(rig.engine(2).openCount, 1);
  for (const port of [2, 1]) {
    // Others make both engines step under it.
    rig.engine(port).prefillMs = 50;
    rig.chat();
    rig.chat();
    await rig.clock.advance(400);
    rig.engine(port).kill();
    await rig.clock.advance(400);
  }
  rig.tell({ type: "table", table: rigTable([rigEndpoint(3)], { tier: "platinum", revision: 2 }) });
  await rig.clock.advance(1_000);
  assert.equal(client.wholeStream, WHOLE);
});

test("gateway: a client that goes away ends both calls in the same turn", async () => {
  const rig = await usual();
  for (const port of [1, 2]) rig.engine(port).prefillMs = 5_000;
  const client = rig.chat();
  await rig.clock.advance(HEDGED_BY_MS + 100);
  client.events?.gone();
  assert.deepEqual([rig.engine(1).aborts, rig.engine(2).aborts], [1, 1]);
  assert.deepEqual(outcomes(rig), ["gone"]);
  assertNothingLeft(rig);
});

const unhedged = [
  { name: "gold is not hedged", tier: "gold" as const, requests: 40 },
  { name: "without budget nothing is hedged", tier: "platinum" as const, requests: 8 },
  { name: "an answer in one piece is not hedged", tier: "platinum" as const, requests: 40, stream: false },
  { name: "where the others are full nothing is hedged", tier: "platinum" as const, requests: 40, change: { maxBatch: 1 }, isBusy: true },
];
for (const c of unhedged) {
  test(`gateway: ${c.name}`, async () => {
    const rig = await usual(c.tier, c);
    for (const port of [1, 2]) rig.engine(port).prefillMs = 1_800;
    const before = rig.engine(1).work.length + rig.engine(2).work.length;
    const clients = [rig.chat({ stream: c.stream ?? true })];
    if (c.isBusy === true) clients.push(rig.chat());
    await rig.clock.advance(1_700);
    assert.equal(rig.engine(1).work.length + rig.engine(2).work.length, before + clients.length);
    await rig.clock.advance(1_000);
    for (const client of clients) assert.equal(client.status, 200);
    assert.deepEqual(outcomes(rig), []);
  });
}

test("gateway: under a pool that is slow throughout hedges stay within a tenth of its requests", async () => {
  const rig = await usual();
  for (const port of [1, 2]) rig.engine(port).prefillMs = 900;
  const clients: RigClient[] = [];
  for (let count = 0; count < 300; count += 1) {
    clients.push(rig.chat());
    await rig.clock.advance(40);
  }
  await rig.clock.advance(3_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  const calls = rig.engine(1).work.length + rig.engine(2).work.length;
  assert.ok(calls > 340, "it hedges at all");
  assert.ok(calls <= 1.1 * 340, `${calls} calls for 340 requests`);
  assert.ok(counter(rig, "tidegate_limit_hits_total", 'limit="hedges"') > 0);
});

test("gateway: whatever dies, stalls or leaves around a hedge, each client gets one answer and nothing is left open", async () => {
  const event = fc.record({ atMs: fc.nat(900), what: fc.constantFrom("kill-1", "kill-2", "stop-1", "hang-2", "gone", "fail-1", "fail-2") });
  const world = fc.record({
    prefills: fc.tuple(fc.integer({ min: 50, max: 700 }), fc.integer({ min: 50, max: 700 })),
    events: fc.array(event, { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(world, async ({ prefills, events }) => {
      const rig = await usual();
      rig.engine(1).prefillMs = prefills[0];
      rig.engine(2).prefillMs = prefills[1];
      const clients = [rig.chat(), rig.chat(), rig.chat()];
      let nowMs = 0;
      for (const { atMs, what } of events.toSorted((left, right) => left.atMs - right.atMs)) {
        await rig.clock.advance(atMs - nowMs);
        nowMs = atMs;
        perform(rig, clients, what);
      }
      await rig.clock.advance(40_000);
      // The rig throws at a second head, a write after the end, and a second end.
      for (const client of clients) assert.ok(client.end_ !== "open" || client.isGone, "it was told something");
      for (const port of [1, 2]) if (rig.engine(port).mode === "well") assert.equal(rig.engine(port).openCount, 0);
      assert.equal(counter(rig, "tidegate_requests_in_flight", ""), 0);
      assert.equal(outcomes(rig).length, counter(rig, "tidegate_attempts_total", 'because="hedge"'), "every hedge ends once");
    }),
    { seed: 77, numRuns: 40 },
  );
});

function perform(rig: GatewayRig, clients: readonly RigClient[], what: string): void {
  switch (what) {
    case "kill-1":
      return rig.engine(1).kill();
    case "kill-2":
      return rig.engine(2).kill();
    case "stop-1":
      return rig.engine(1).stop();
    case "hang-2":
      rig.engine(2).mode = "hung";
      return;
    case "fail-1":
      rig.engine(1).status = 500;
      return;
    case "fail-2":
      rig.engine(2).status = 500;
      return;
    default:
      if (clients[0]?.end_ === "open") clients[0].leave();
  }
}
