import { test } from "node:test";
import assert from "node:assert/strict";
import { epoch, gatewayId, wallMs } from "../base/ids.ts";
import { formatWall } from "../base/time.ts";
import { episodeAt, hot1, hot2, steadyLadder, WALL, warm1 } from "./fake-ladder.ts";
import type { EpisodeView } from "./episode-view.ts";
import { lossNear, rtoAfter, type MoveTime } from "./rto-clock.ts";

const movedAt = (ms: number, more: Partial<MoveTime> = {}): MoveTime => ({
  atMs: wallMs(WALL + ms),
  epoch: epoch(2),
  redundantAtMs: null,
  ...more,
});
const at = (ms: number): string => formatWall(wallMs(WALL + ms));

test("a failover's record has the whole clock: the gateway's times and the controller's", () => {
  const ladder = steadyLadder();
  const faultMs = ladder.nowMs + 20;
  ladder.kill(hot1, hot2).look();
  const decidedMs = ladder.nowMs;
  ladder.episodes = [episodeAt(faultMs)];
  ladder.look();
  ladder.settle(3);
  const record = ladder.records.get("gold-2");
  assert.deepEqual(record?.status, {
    phase: "Completed",
    epoch: 2,
    clock: {
      fault: at(faultMs),
      detected: at(faultMs + 5),
      decided: at(decidedMs),
      targetReady: at(faultMs + 300),
      routed: at(decidedMs + 100),
      firstGoodToken: at(faultMs + 350),
      redundant: at(decidedMs + 100),
    },
    rtoMs: 400,
    capacityRtoMs: null,
    mttrrMs: decidedMs + 100 - faultMs,
    affected: { requests: 4, lost: 0 },
    reason: "gold-hot-1, gold-hot-2 do not serve; warm is woken.",
  });
  assert.deepEqual(ladder.status?.rto, { targetMs: 5_000, lastMs: 400, worstMs: 400 });
  assert.equal(ladder.status?.openMove, null);
});

test("a later loss that nobody has got over yet does not take the place of what a record measured, and one that was worse does, whole", () => {
  const ladder = steadyLadder({ failoverPolicy: { failback: { soak: "60s" } } });
  ladder.badStarts.add(hot2);
  const faultMs = ladder.nowMs + 20;
  ladder.kill(hot1, hot2).look();
  const first = episodeAt(faultMs);
  ladder.episodes = [first];
  ladder.look();
  const later = episodeAt(faultMs + 900, {
    number: 2,
    instance: hot2,
    firstGoodTokenAtMs: null,
    targetReadyAtMs: null,
    rtoMs: null,
    isOver: false,
  });
  ladder.episodes = [later];
  ladder.look();
  const record = () => ladder.records.get("gold-2")?.status;
  assert.deepEqual([record()?.clock.fault, record()?.clock.firstGoodToken, record()?.rtoMs], [at(faultMs), at(faultMs + 350), 400]);
  ladder.episodes = [{ ...later, firstGoodTokenAtMs: wallMs(WALL + faultMs + 1_800), rtoMs: 900, isOver: true }];
  ladder.look();
  assert.deepEqual([record()?.clock.fault, record()?.clock.firstGoodToken, record()?.rtoMs], [at(faultMs + 900), at(faultMs + 1_800), 900]);
});

test("a move is routed when every gateway has acknowledged its epoch, and not before", () => {
  const ladder = steadyLadder();
  ladder.isAcknowledged = false;
  ladder.kill(hot1, hot2).settle(5);
  assert.deepEqual([ladder.records.get("gold-2")?.status?.clock.routed, ladder.place], [null, "warm/2/Shifting"]);
  ladder.isAcknowledged = true;
  ladder.look();
  assert.equal(ladder.records.get("gold-2")?.status?.clock.routed, at(ladder.nowMs));
});

test("a record that was not written when the control plane ended is written by the next look", () => {
  const ladder = steadyLadder().kill(hot1, hot2);
  ladder.lookOnly();
  assert.deepEqual(ladder.recorded, []);
  ladder.crash();
  ladder.settle(4);
  assert.deepEqual(ladder.recorded, ["gold-2 hot>warm Completed"]);
  assert.equal(ladder.status?.failovers.inWindow, 1);
});

test("a finished record whose last writing failed stays open until it is stored", () => {
  const ladder = steadyLadder().kill(hot1, hot2);
  ladder.look();
  for (let look = 0; look < 40; look += 1) {
    const stored = ladder.records.get("gold-2");
    ladder.look();
    if (stored !== undefined) ladder.records.set("gold-2", stored);
  }
  assert.equal(ladder.status?.openMove?.record, "gold-2");
  ladder.settle(4);
  assert.deepEqual([ladder.recorded, ladder.status?.openMove], [["gold-2 hot>warm Completed"], null]);
});

test("a record whose status was never written ends as Failed when the service has gone on, and says why", () => {
  const ladder = steadyLadder().kill(hot1, hot2);
  ladder.look();
  const stored = ladder.records.get("gold-2");
  assert.ok(stored !== undefined);
  ladder.settle(40);
  assert.equal(ladder.status?.openMove, null);
  ladder.records.set("gold-2", { ...stored, status: null });
  ladder.look();
  const ended = ladder.records.get("gold-2");
  assert.deepEqual([ended?.from, ended?.to, ended?.status?.phase, ended?.status?.epoch], ["hot", "warm", "Failed", null]);
  assert.match(ended?.status?.reason ?? "", /had gone on, and what was measured had not been stored\.$/);
});

test("two losses of one millisecond do not share a clock: the worse one stands in the record alone", () => {
  const ladder = steadyLadder({ failoverPolicy: { failback: { soak: "60s" } } });
  ladder.badStarts.add(hot2);
  const faultMs = ladder.nowMs + 20;
  ladder.kill(hot1, hot2).look();
  const first = episodeAt(faultMs, { rtoMs: 15, firstGoodTokenAtMs: wallMs(WALL + faultMs + 15) });
  ladder.episodes = [first];
  ladder.look();
  const worse = episodeAt(faultMs, {
    number: 2,
    instance: hot2,
    detectedAtMs: wallMs(WALL + faultMs + 237),
    firstGoodTokenAtMs: null,
    rtoMs: 237,
  });
  ladder.episodes = [first, worse];
  ladder.look();
  const { clock, rtoMs } = ladder.records.get("gold-2")?.status ?? assert.fail("the record is written");
  assert.deepEqual([clock.fault, clock.detected, clock.firstGoodToken, rtoMs], [at(faultMs), at(faultMs + 237), null, 237]);
});

test("a record that a deleted service of the same name left says nothing of this one's move", () => {
  const earlier = steadyLadder().kill(hot1, hot2).settle(3).records.get("gold-2");
  assert.ok(earlier !== undefined);
  const ladder = steadyLadder();
  ladder.nowMs += 1_000_000;
  ladder.records.set("gold-2", earlier);
  ladder.kill(hot1, hot2).look();
  const clock = ladder.records.get("gold-2")?.status?.clock;
  assert.deepEqual([clock?.decided, clock?.routed, ladder.recorded], [at(ladder.nowMs), null, ["gold-2 hot>warm Running"]]);
});

test("an episode of a control plane that was away is stamped by the next one", () => {
  const ladder = steadyLadder().kill(hot1, hot2).settle(2);
  ladder.crash();
  ladder.episodes = [episodeAt(ladder.nowMs - 200)];
  ladder.look();
  assert.equal(ladder.records.get("gold-2")?.status?.rtoMs, 400);
});

test("a loss without a move sets the service's RTO all the same", () => {
  const ladder = steadyLadder().kill(hot1);
  ladder.episodes = [episodeAt(ladder.nowMs, { to: "hot", rtoMs: 80 })];
  ladder.settle(3);
  assert.deepEqual([ladder.status?.rto, ladder.recorded, ladder.status?.epoch], [{ targetMs: 5_000, lastMs: 80, worstMs: 80 }, [], 1]);
});

test("a gateway's cause is the record's", () => {
  const ladder = steadyLadder();
  ladder.episodes = [episodeAt(ladder.nowMs, { cause: "no-progress" })];
  ladder.kill(hot1, hot2).look();
  assert.equal(ladder.records.get("gold-2")?.cause, "no-progress");
});

test("lost GPUs are the cause where they are known", () => {
  const ladder = steadyLadder().loseGpus(0, 1);
  ladder.look();
  assert.equal(ladder.records.get("gold-2")?.cause, "gpu-lost");
});

test("two gateways that saw one loss add their requests, and the slower one's clock counts", () => {
  const slow = episodeAt(300, { gateway: gatewayId("g2"), affected: 3, lost: 1, rtoMs: 900, isOver: false });
  const loss = lossNear([episodeAt(0), slow], movedAt(400));
  assert.deepEqual([loss?.affected, loss?.rtoMs, loss?.clock.fault, loss?.isOver], [{ requests: 7, lost: 1 }, 900, at(300), false]);
});

const losses = [
  { name: "a loss more than a minute before a move is not the move's", faults: [0], movedMs: 60_001, fault: null },
  { name: "the newest loss before a move is the move's", faults: [0, 30_000], movedMs: 30_500, fault: 30_000 },
  { name: "a loss after the move is another one where an earlier one is there", faults: [0, 20_000], movedMs: 500, fault: 0 },
  { name: "a service without traffic learns of its loss after the move", faults: [20_000, 30_000], movedMs: 500, fault: 20_000 },
];
for (const c of losses) {
  test(c.name, () => {
    const loss = lossNear(
      c.faults.map((ms) => episodeAt(ms)),
      movedAt(c.movedMs),
    );
    assert.equal(loss?.faultAtMs ?? null, c.fault === null ? null : WALL + c.fault);
  });
}

test("what an earlier move got over is not this move's loss, what its rung could not end is, and what came after all stood again is not", () => {
  const first = episodeAt(0, { epoch: epoch(1) });
  const faultOf = (episodes: readonly EpisodeView[], more: Partial<MoveTime> = {}): number | null => {
    const loss = lossNear(episodes, movedAt(2_000, { epoch: epoch(3), ...more }));
    return loss === null ? null : loss.faultAtMs - WALL;
  };
  assert.equal(faultOf([first]), null);
  assert.equal(faultOf([first, episodeAt(1_990, { number: 2, epoch: epoch(2), firstGoodTokenAtMs: null, isOver: false })]), 1_990);
  assert.equal(faultOf([{ ...first, firstGoodTokenAtMs: null, isOver: false }]), 0);
  assert.equal(faultOf([{ ...first, firstGoodTokenAtMs: wallMs(WALL + 2_300) }]), 0);
  // The control plane was away: it decides long after gateways have served from the next rung.
  assert.equal(faultOf([{ ...first, epoch: epoch(2) }]), 0);
  const late = episodeAt(2_050, { number: 3, epoch: epoch(3) });
  assert.equal(faultOf([late]), 2_050);
  assert.equal(faultOf([late], { redundantAtMs: wallMs(WALL + 2_000) }), null);
});

test("the worst RTO stays, the last is the newest that is over", () => {
  const before = { targetMs: 5_000, lastMs: 100, worstMs: 2_000 };
  const episodes = [episodeAt(10, { rtoMs: 300 }), episodeAt(0, { rtoMs: 700 }), episodeAt(20, { rtoMs: 9_000, isOver: false })];
  assert.deepEqual(rtoAfter(before, episodes, 15_000), { targetMs: 15_000, lastMs: 300, worstMs: 2_000 });
  assert.deepEqual(rtoAfter(before, [], 5_000), before);
});

test("a failed wake makes the record of its rung Failed, with the reason in it", () => {
  const ladder = steadyLadder().kill(hot1, hot2);
  ladder.badStarts.add(hot1).add(hot2);
  ladder.badWakes.set(warm1, "fails");
  ladder.settle(3);
  const record = ladder.records.get("gold-2");
  assert.equal(record?.status?.phase, "Failed");
  assert.match(record?.status?.reason ?? "", /It never served/);
  assert.deepEqual([ladder.records.get("gold-3")?.from, ladder.records.get("gold-3")?.cause], ["warm", "wake-failed"]);
});
