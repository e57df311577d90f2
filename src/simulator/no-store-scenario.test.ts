import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { drawOutage, OUTAGE_CLASSES } from "./no-store-faults.ts";
import { runNoStoreScenario } from "./no-store-scenario.ts";

test("half an hour without the store: gateways serve and fail over within their grants, nothing is started, and all is whole after it", async () => {
  const { violations, counts, timesMs } = await runNoStoreScenario({ seed: 12, outageMs: 1_700_000, passing: 3 });
  assert.deepEqual(violations, []);
  const faults = Object.keys(counts).filter((name) => name.startsWith("fault "));
  assert.ok(faults.length === 8, faults.join(", "));
  const { "served in the outage": served = 0, "refused with nobody left": refused = 0, "wakes in the outage": wakes = 0 } = counts;
  assert.ok(served > 200 && refused > 20 && wakes >= 1, JSON.stringify(counts));
  assert.equal(timesMs["whole after"]?.length, 1);
});

test("over the seeds of a row every class of an outage has its turn, the passing ones before what stays broken", () => {
  const place = { node: "gpu-a", zone: "az-1", gpuCount: 2 };
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= 25; seed += 1) {
    const outage = drawOutage(createSeededRandom(seed), { seed, places: [place], outageMs: 86_400_000, ungrantedHot: "silver-hot-1" });
    const times = outage.map(({ scheduled }) => scheduled.atMs);
    assert.deepEqual(
      times,
      times.toSorted((left, right) => left - right),
    );
    assert.ok(outage.findIndex(({ isLasting }) => isLasting) > outage.findLastIndex(({ isLasting }) => !isLasting));
    for (const { className } of outage) seen.set(className, (seen.get(className) ?? 0) + 1);
  }
  for (const name of OUTAGE_CLASSES) assert.ok((seen.get(name) ?? 0) >= 10, `${name}: ${seen.get(name)}`);
});
