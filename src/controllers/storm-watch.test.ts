import assert from "node:assert/strict";
import { test } from "node:test";
import { epoch, monotonicMs, serviceName, wallMs } from "../base/ids.ts";
import { formatWall } from "../base/time.ts";
import type { OpenMove } from "../api/service-status.ts";
import { createStormWatch } from "./storm-watch.ts";

const WALL = 1_800_000_000_000;
const [A, B, C] = ["a", "b", "c"].map(serviceName);
assert.ok(A !== undefined && B !== undefined && C !== undefined);
const at = (ms: number) => ({ wallMs: wallMs(WALL + ms), nowMs: monotonicMs(ms) });
const moveAt = (ms: number, more: Partial<OpenMove> = {}): OpenMove => ({
  record: "r",
  epoch: epoch(2),
  from: "hot",
  to: "warm",
  cause: "engine-ended",
  requestedBy: "automatic",
  decidedAt: formatWall(wallMs(WALL + ms)),
  ...more,
});

test("a storm is found again from stored moves, whenever they are seen", () => {
  const watch = createStormWatch();
  watch.saw(A, moveAt(1_000), at(50_000));
  watch.saw(B, moveAt(4_000), at(51_000));
  assert.deepEqual(watch.storm(3), { lostCount: 2, serviceCount: 3, lastAtMs: 4_000 });
});

test("a service that is lost again alone has not unmade the storm that it was in", () => {
  const watch = createStormWatch();
  watch.saw(A, moveAt(1_000), at(1_000));
  watch.saw(B, moveAt(4_000), at(4_000));
  assert.equal(watch.storm(3)?.lastAtMs, 4_000);
  watch.saw(A, moveAt(60_000), at(60_000));
  assert.equal(watch.storm(3)?.lastAtMs, 4_000);
  watch.saw(C, moveAt(65_000), at(65_000));
  assert.equal(watch.storm(3)?.lastAtMs, 65_000);
});

test("no move, an operator's and a rollout's are no losses, and a wall clock set back makes none of the future", () => {
  const watch = createStormWatch();
  watch.saw(A, null, at(1_000));
  watch.saw(B, moveAt(1_000, { requestedBy: "operator" }), at(1_000));
  watch.saw(C, moveAt(1_000, { cause: "rollout" }), at(1_000));
  assert.equal(watch.storm(3), null);
  watch.saw(A, moveAt(9_000_000), at(2_000));
  watch.saw(B, moveAt(9_000_000), at(3_000));
  assert.equal(watch.storm(3)?.lastAtMs, 3_000);
});
