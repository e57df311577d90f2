import assert from "node:assert/strict";
import { test } from "node:test";
import { wallMs } from "../base/ids.ts";
import { formatWall } from "../base/time.ts";
import { withoutFuture } from "./clock-set-back.ts";
import { hot1, hot2, steadyLadder, WALL } from "./fake-ladder.ts";

const HOUR_MS = 3_600_000;

test("a clock that is set back costs a failback one more soak, not an hour", () => {
  const ladder = steadyLadder().kill(hot1, hot2);
  for (let second = 0; second < 6; second += 1) ladder.look(1_000);
  assert.equal(ladder.status?.level, "warm");
  ladder.wallOffsetMs = -HOUR_MS;
  for (let second = 0; second < 10; second += 1) ladder.look(1_000);
  assert.equal(ladder.step, null);
  ladder.look(1_000);
  assert.equal(ladder.step, 1);
  // The step too is judged in time when the clock is set back under it.
  ladder.wallOffsetMs = -2 * HOUR_MS;
  for (let second = 0; second < 40 && !ladder.place.startsWith("hot"); second += 1)
    ladder.serve({ requests: 100, returned: 50 }).look(1_000);
  assert.match(ladder.place, /^hot/);
});

test("a window of moves that begins ahead begins now: Hold ends one window later at most", () => {
  const ladder = steadyLadder({ failoverPolicy: { maxFailoverCount: 1, window: "1m", failback: { soak: "10s" } } }).kill(hot1, hot2);
  for (let second = 0; second < 3; second += 1) ladder.look(1_000);
  assert.equal(ladder.status?.failovers.inWindow, 1);
  ladder.wallOffsetMs = -HOUR_MS;
  for (let second = 0; second < 62; second += 1) ladder.look(1_000);
  assert.equal(ladder.status?.failovers.inWindow, 0);
});

test("every stored time that decides is taken for now when it lies ahead, and a status without one stays the same object", () => {
  const { status } = steadyLadder();
  assert.ok(status !== null);
  const now = wallMs(WALL + 60_000);
  assert.equal(withoutFuture(status, now), status);
  const [ahead, at] = [formatWall(wallMs(now + 1)), formatWall(now)];
  const told = {
    soakSince: ahead,
    failback: { step: { percent: 1, since: ahead }, doneAt: ahead, undone: { count: 1, at: ahead, why: "" } },
    errorBudget: { ...status.errorBudget, windowStart: ahead },
    failovers: { ...status.failovers, windowStart: ahead },
  };
  const mended = withoutFuture({ ...status, ...told }, now);
  assert.deepEqual(JSON.parse(JSON.stringify(mended)), JSON.parse(JSON.stringify({ ...status, ...told }).replaceAll(ahead, at)));
  assert.deepEqual(withoutFuture(mended, now), mended);
});
