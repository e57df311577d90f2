import assert from "node:assert/strict";
import { test } from "node:test";
import type { Episode } from "../api/link-message.ts";
import { epoch, gatewayId, instanceName, serviceName, uid, wallMs } from "../base/ids.ts";
import { createEpisodeShelf } from "./episode-shelf.ts";

const SERVICE = serviceName("gold");
const GATEWAY = gatewayId("g1");
const EPISODE: Episode = {
  type: "episode",
  service: SERVICE,
  uid: uid("service"),
  epoch: epoch(1),
  number: 1,
  instance: instanceName("gold-hot-1"),
  cause: "reset",
  from: "hot",
  to: null,
  faultAgeMs: 20,
  detectedAgeMs: 20,
  targetReadyAgeMs: null,
  firstGoodTokenAgeMs: null,
  endedAgeMs: null,
  affected: 1,
  lost: 0,
  rtoMs: null,
  isOver: false,
};
const BASE = 1_800_000_000_000;
const hearAt = (ms: number) => ({ gateway: GATEWAY, atMs: wallMs(BASE + ms) });

test("a second message of a loss adds its times to those heard first, as far from them as the gateway saw them", () => {
  const shelf = createEpisodeShelf();
  shelf.hear(EPISODE, hearAt(1_050));
  // It was under way 3 ms less than the first.
  shelf.hear(
    { ...EPISODE, faultAgeMs: 420, detectedAgeMs: 420, targetReadyAgeMs: 420, firstGoodTokenAgeMs: 410, isOver: true },
    hearAt(1_447),
  );
  const [seen] = shelf.of(SERVICE, wallMs(BASE + 2_000));
  assert.deepEqual(
    [seen?.faultAtMs, seen?.detectedAtMs, seen?.targetReadyAtMs, seen?.firstGoodTokenAtMs].map((atMs) => Number(atMs) - BASE),
    [1_030, 1_030, 1_030, 1_040],
  );
});

test("a message that says nothing new is no news, and a loss of another instance under the same number is another loss", () => {
  const shelf = createEpisodeShelf();
  assert.equal(shelf.hear(EPISODE, hearAt(1_050)), true);
  assert.equal(shelf.hear({ ...EPISODE, faultAgeMs: 120, detectedAgeMs: 120 }, hearAt(1_151)), false);
  assert.equal(shelf.hear({ ...EPISODE, instance: instanceName("gold-hot-2"), faultAgeMs: 5 }, hearAt(1_200)), true);
  assert.deepEqual(
    shelf.of(SERVICE, wallMs(BASE + 2_000)).map(({ instance, faultAtMs }) => [instance, faultAtMs - BASE]),
    [["gold-hot-2", 1_195]],
  );
  assert.deepEqual(shelf.of(SERVICE, wallMs(BASE + 600_000)), []);
});

test("a token that came at the moment of detection does not come before it, whatever fractions the ages have", () => {
  for (let count = 0; count < 1_000; count += 1) {
    const shelf = createEpisodeShelf();
    const ageMs = 20 + count / 7;
    const laterMs = 100 + count / 11;
    shelf.hear({ ...EPISODE, faultAgeMs: ageMs + 0.1, detectedAgeMs: ageMs }, hearAt(1_050));
    const later = { faultAgeMs: ageMs + 0.1 + laterMs, detectedAgeMs: ageMs + laterMs, firstGoodTokenAgeMs: ageMs + laterMs };
    shelf.hear({ ...EPISODE, ...later }, hearAt(1_150));
    const [seen] = shelf.of(SERVICE, wallMs(BASE + 2_000));
    assert.ok(seen !== undefined && seen.firstGoodTokenAtMs !== null);
    assert.ok(seen.firstGoodTokenAtMs >= seen.detectedAtMs, `${seen.firstGoodTokenAtMs - seen.detectedAtMs} ms, case ${count}`);
  }
});
