import assert from "node:assert/strict";
import test from "node:test";
import type { Episode } from "../api/link-message.ts";
import type { Rung, RouteTable } from "../api/route-table.ts";
import { generation, uid } from "../base/ids.ts";
import { GatewayRig, rigEndpoint, rigTable } from "./gateway-rig.ts";

const WARM = 9;
const WHOLE = "t0 t1 t2 t3 t4 ";

const hotRung = (ports: readonly number[], isReady = true): Rung => ({
  level: "hot",
  activation: { kind: "none" },
  endpoints: ports.map((port) => rigEndpoint(port, { isReady })),
});
const warmRung = (isReady: boolean): Rung => ({
  level: "warm",
  activation: { kind: "none" },
  endpoints: [rigEndpoint(WARM, { weight: 0, isReady })],
});

const tableOf = (ports: readonly number[], isWarmReady: boolean, change: Partial<RouteTable> = {}): RouteTable =>
  rigTable([], { rungs: [hotRung(ports), warmRung(isWarmReady)], ...change });

async function start(table: RouteTable): Promise<GatewayRig> {
  const rig = new GatewayRig();
  for (const port of [1, 2, WARM]) rig.engine(port);
  await rig.start(table);
  return rig;
}

const episodes = (rig: GatewayRig): Episode[] => rig.sentUp.filter((message) => message.type === "episode");

/** The last word on the only episode. */
function onlyEpisode(rig: GatewayRig): Episode {
  const told = episodes(rig);
  assert.equal(new Set(told.map((episode) => episode.number)).size, 1);
  const last = told.at(-1);
  assert.ok(last !== undefined);
  return last;
}

/** Without the ages, which depend on when it was sent. */
const factsOf = ({ instance, cause, from, to, affected, lost, rtoMs, isOver }: Episode): unknown => ({
  instance,
  cause,
  from,
  to,
  affected,
  lost,
  rtoMs,
  isOver,
});

test("episodes: requests without a first byte on a reset engine wait one prefill of the other", async () => {
  const rig = await start(tableOf([1, 2], false));
  const clients = Array.from({ length: 10 }, () => rig.chat());
  await rig.clock.advance(30);
  rig.engine(1).kill();
  await rig.clock.advance(1_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  const facts = { instance: "gold-hot-1", cause: "reset", from: "hot", to: "hot", affected: 5, lost: 0, rtoMs: 50, isOver: true };
  assert.deepEqual(factsOf(onlyEpisode(rig)), facts);
  assert.match(rig.gateway.metricsText(), /tidegate_recovery_seconds_count\{service="gold"\} 5\n/);
});

test("episodes: the ages of an episode tell fault, detection, target and first token in their order", async () => {
  const rig = await start(tableOf([1, 2], false));
  rig.engine(1).stop();
  Array.from({ length: 10 }, () => rig.chat());
  await rig.clock.advance(2_000);
  const told = episodes(rig).find((episode) => episode.to !== null);
  assert.ok(told !== undefined);
  // Silent from the start, ejected after two unanswered probes, answered by the other hot after its prefill.
  assert.equal(told.cause, "silent");
  assert.equal(told.firstGoodTokenAgeMs, 0);
  assert.equal(told.detectedAgeMs, 50);
  assert.equal(told.targetReadyAgeMs, told.faultAgeMs, "the other hot was Ready all along");
  assert.equal(told.rtoMs, told.faultAgeMs);
  assert.ok(told.faultAgeMs > 650 && told.faultAgeMs < 1_200, `${told.faultAgeMs} ms`);
});

test("episodes: a request that arrives while the engine is silent waits from its arrival", async () => {
  const rig = await start(tableOf([1], true));
  rig.engine(1).stop();
  const stoppedAt = rig.clock.monotonicMs();
  rig.chat();
  await rig.clock.advance(500);
  const late = rig.chat();
  await rig.clock.advance(2_000);
  const told = onlyEpisode(rig);
  assert.equal(told.affected, 2);
  assert.equal(told.to, "warm");
  assert.equal(told.rtoMs, (late.firstByteAt ?? 0) - stoppedAt, "the one that came first waited longest");
  const seconds = /tidegate_recovery_seconds_sum\{service="gold"\} (\S+)/.exec(rig.gateway.metricsText())?.[1];
  assert.equal(Math.round(Number(seconds) * 1_000), 2 * (told.rtoMs ?? 0) - 500);
});

test("episodes: streams that had begun are affected until their error event, and not lost", async () => {
  const rig = await start(tableOf([1, 2], false));
  Array.from({ length: 4 }, () => rig.chat());
  await rig.clock.advance(95);
  rig.engine(1).kill();
  await rig.clock.advance(500);
  const told = onlyEpisode(rig);
  assert.deepEqual(factsOf(told), {
    instance: "gold-hot-1",
    cause: "reset",
    from: "hot",
    to: null,
    affected: 2,
    lost: 0,
    rtoMs: 0,
    isOver: true,
  });
  assert.doesNotMatch(rig.gateway.metricsText(), /tidegate_recovery_seconds_count/);
});

test("episodes: a stream that flows on after another's reset was not affected", async () => {
  const rig = await start(tableOf([1], true));
  const cut = rig.chat();
  await rig.clock.advance(45);
  const flowing = rig.chat();
  rig.engine(1).breakAfter = { tokens: 3, how: "reset" };
  await rig.clock.advance(70);
  assert.ok(cut.endedAt !== null && flowing.firstByteAt !== null);
  rig.engine(1).breakAfter = null;
  await rig.clock.advance(500);
  assert.equal(flowing.wholeStream, WHOLE);
  const told = onlyEpisode(rig);
  assert.deepEqual([told.affected, told.to, told.isOver], [1, null, true]);
});

test("episodes: both hot lost at once are one episode that ends on the warm", async () => {
  const rig = await start(tableOf([1, 2], true));
  const clients = Array.from({ length: 10 }, () => rig.chat());
  await rig.clock.advance(30);
  rig.engine(1).kill();
  rig.engine(2).kill();
  await rig.clock.advance(1_000);
  for (const client of clients) assert.equal(client.wholeStream, WHOLE);
  assert.deepEqual(factsOf(onlyEpisode(rig)), {
    instance: "gold-hot-1",
    cause: "reset",
    from: "hot",
    to: "warm",
    affected: 10,
    lost: 0,
    rtoMs: 50,
    isOver: true,
  });
});

test("episodes: two losses at different times are two episodes", async () => {
  const rig = await start(tableOf([1, 2], true));
  Array.from({ length: 4 }, () => rig.chat());
  await rig.clock.advance(10);
  rig.engine(1).kill();
  await rig.clock.advance(3_000);
  rig.chat();
  await rig.clock.advance(10);
  rig.engine(2).kill();
  await rig.clock.advance(1_000);
  const over = episodes(rig).filter((episode) => episode.isOver);
  const first = over[0]?.number ?? 0;
  assert.deepEqual(
    over.map(({ number, instance, to, affected }) => ({ number: number - first, instance, to, affected })),
    [
      { number: 0, instance: "gold-hot-1", to: "hot", affected: 2 },
      { number: 1, instance: "gold-hot-2", to: "warm", affected: 1 },
    ],
  );
});

test("episodes: requests held for want of anybody wait until a new instance serves them", async () => {
  const rig = await start(tableOf([1], false));
  const first = rig.chat();
  await rig.clock.advance(10);
  rig.engine(1).kill();
  const killedAt = rig.clock.monotonicMs();
  await rig.clock.advance(1_000);
  const second = rig.chat();
  await rig.clock.advance(500);
  rig.tell({ type: "table", table: tableOf([1], true, { revision: 2 }) });
  const readyAt = rig.clock.monotonicMs();
  await rig.clock.advance(1_000);
  for (const client of [first, second]) assert.equal(client.wholeStream, WHOLE);
  const told = onlyEpisode(rig);
  assert.equal(told.affected, 2);
  assert.equal(told.to, "warm");
  assert.equal(told.rtoMs, (first.firstByteAt ?? 0) - killedAt);
  assert.equal((told.targetReadyAgeMs ?? 0) - (told.firstGoodTokenAgeMs ?? 0), (first.firstByteAt ?? 0) - readyAt);
});

test("episodes: an idle loss begins an episode only when a request finds nobody", async () => {
  const rig = await start(tableOf([1], false));
  rig.engine(1).kill();
  await rig.clock.advance(6_000);
  assert.deepEqual(rig.ejections(), ["gold-hot-1 refused"]);
  assert.deepEqual(episodes(rig), []);
  rig.chat();
  await rig.clock.advance(300);
  const told = onlyEpisode(rig);
  assert.deepEqual([told.instance, told.cause, told.affected, told.rtoMs, told.isOver], ["gold-hot-1", "refused", 1, null, false]);
});

test("episodes: a service that starts for the first time has none, whoever waits for it", async () => {
  const rig = await start(rigTable([rigEndpoint(1, { isReady: false })]));
  const client = rig.chat();
  await rig.clock.advance(1_000);
  rig.tell({ type: "table", table: rigTable([rigEndpoint(1)], { revision: 2 }) });
  await rig.clock.advance(1_000);
  assert.equal(client.wholeStream, WHOLE);
  assert.deepEqual(episodes(rig), []);
});

test("episodes: a loss that the control plane saw first begins one with the first request that waits", async () => {
  const rig = await start(rigTable([rigEndpoint(1)]));
  rig.chat();
  await rig.clock.advance(1_000);
  rig.tell({ type: "table", table: rigTable([rigEndpoint(1, { isReady: false, generation: generation(2) })], { revision: 2 }) });
  const client = rig.chat();
  await rig.clock.advance(700);
  rig.tell({ type: "table", table: rigTable([rigEndpoint(1, { generation: generation(2) })], { revision: 3 }) });
  await rig.clock.advance(1_000);
  assert.equal(client.wholeStream, WHOLE);
  assert.equal(onlyEpisode(rig).rtoMs, 750);
});

for (const waitMs of [1_500, 4_000]) {
  test(`episodes: requests refused after ${waitMs} ms were told so: they are affected, not lost`, async () => {
    const rig = await start(tableOf([1], false, { degraded: [{ kind: "queue", upToMs: waitMs }] }));
    const client = rig.chat();
    await rig.clock.advance(10);
    rig.engine(1).kill();
    await rig.clock.advance(waitMs + 1_000);
    assert.equal(client.end_, "ended");
    const told = onlyEpisode(rig);
    assert.deepEqual([told.affected, told.lost, told.to, told.rtoMs, told.isOver], [1, 0, null, null, true]);
    const lastedMs = told.faultAgeMs - (told.endedAgeMs ?? 0);
    assert.ok(lastedMs >= waitMs && lastedMs <= waitMs + 100, `it lasted until they were refused: ${lastedMs} ms`);
  });
}

test("episodes: a whole answer counts without its modelled decode", async () => {
  const rig = await start(tableOf([1, 2], false));
  // Streams first, so that the gaps are known: 20 ms.
  for (let count = 0; count < 4; count += 1) rig.chat();
  await rig.clock.advance(1_000);
  const clients = Array.from({ length: 4 }, () => rig.chat({ stream: false }));
  await rig.clock.advance(30);
  rig.engine(1).kill();
  const killedAt = rig.clock.monotonicMs();
  await rig.clock.advance(1_000);
  const worst = Math.max(...clients.map((client) => (client.endedAt ?? Infinity) - killedAt));
  assert.equal(worst, 150, "a prefill of 50 ms and five tokens of 20 ms");
  const told = onlyEpisode(rig);
  assert.equal(told.affected, 2);
  const rtoMs = told.rtoMs ?? Infinity;
  // The gaps' histogram is exact within 12 %.
  assert.ok(rtoMs >= 35 && rtoMs <= 65, `${rtoMs} ms`);
});

test("episodes: an episode is over after a minute, with whoever waits counted as long as it waited", async () => {
  const rig = await start(tableOf([1], false, { degraded: [{ kind: "queue", upToMs: 90_000 }] }));
  rig.chat();
  await rig.clock.advance(10);
  rig.engine(1).kill();
  await rig.clock.advance(61_000);
  const told = onlyEpisode(rig);
  assert.equal(told.isOver, true);
  assert.equal(told.affected, 1);
  assert.ok((told.rtoMs ?? 0) >= 60_000 && (told.rtoMs ?? 0) <= 60_100, `${told.rtoMs} ms`);
});

test("episodes: reports come at the first good token at once, else at most every 100 ms", async () => {
  const rig = await start(tableOf([1], false));
  rig.engine(WARM).prefillMs = 33;
  rig.chat();
  await rig.clock.advance(10);
  rig.engine(1).kill();
  const toldAt: number[] = [];
  for (let step = 0; step < 100; step += 1) {
    rig.chat();
    if (step === 70) rig.tell({ type: "table", table: tableOf([1], true, { revision: 2 }) });
    const before = episodes(rig).length;
    await rig.clock.advance(10);
    if (episodes(rig).length > before) toldAt.push(step * 10);
  }
  const first = episodes(rig).findIndex((episode) => episode.to !== null);
  assert.equal(episodes(rig)[first]?.firstGoodTokenAgeMs, 0);
  const gaps = toldAt.slice(1).map((at, index) => at - (toldAt[index] ?? 0));
  assert.ok(
    gaps.every((gapMs, index) => gapMs >= 90 || index + 1 === first),
    gaps.join(" "),
  );
  assert.ok(toldAt.length >= 8);
});

test("episodes: what is open and what ended last is told again after the control plane came back", async () => {
  const rig = await start(tableOf([1, 2], false));
  Array.from({ length: 4 }, () => rig.chat());
  await rig.clock.advance(10);
  rig.engine(1).kill();
  await rig.clock.advance(5_000);
  rig.sentUp.length = 0;
  rig.tell({ type: "welcome", stateId: "state-1" }, { type: "table", table: tableOf([1, 2], false) }, { type: "synced" });
  const again = onlyEpisode(rig);
  assert.equal(again.isOver, true);
  assert.equal(again.faultAgeMs, 5_000);
  rig.chat();
  await rig.clock.advance(10);
  rig.engine(2).kill();
  await rig.clock.advance(200);
  rig.sentUp.length = 0;
  rig.tell({ type: "welcome", stateId: "state-1" }, { type: "table", table: tableOf([1, 2], false) }, { type: "synced" });
  assert.deepEqual(
    episodes(rig).map(({ number, isOver }) => [number, isOver]),
    [[again.number + 1, false]],
  );
});

test("episodes: a table of another service says nothing of this one's loss", async () => {
  const rig = await start(tableOf([1, 2], false));
  rig.chat();
  rig.tell({ type: "table", table: rigTable([rigEndpoint(5)], { uid: uid("other"), models: ["other"] }) });
  await rig.clock.advance(1_000);
  assert.deepEqual(episodes(rig), []);
});

test("episodes: where the gateway wakes the warm, its target is ready when it was woken", async () => {
  const warm: Rung = {
    level: "warm",
    activation: { kind: "wake" },
    endpoints: [rigEndpoint(WARM, { weight: 0, isReady: false, isAsleep: true })],
  };
  const rig = new GatewayRig();
  for (const port of [1, WARM]) rig.engine(port);
  rig.engine(WARM).isAsleep = true;
  await rig.start(rigTable([], { rungs: [hotRung([1]), warm], knownAnswer: "tide" }));
  const client = rig.chat();
  await rig.clock.advance(10);
  rig.engine(1).kill();
  await rig.clock.advance(3_000);
  const woken = rig.sentUp.find((message) => message.type === "rung-activated");
  assert.equal(woken?.outcome, "awake");
  assert.equal(client.wholeStream, WHOLE);
  const told = episodes(rig).find((episode) => episode.to !== null);
  assert.ok(told !== undefined && told.targetReadyAgeMs !== null);
  assert.deepEqual([told.to, told.firstGoodTokenAgeMs, told.targetReadyAgeMs], ["warm", 0, 50], "one prefill after the wake");
  assert.ok(told.faultAgeMs > told.targetReadyAgeMs, "the wake took time");
});
