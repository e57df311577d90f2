import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../../src/adapters/cluster-store/memory.ts";
import { startPlatform } from "./bench-platform.ts";
import { fleetDrafts } from "./fleet-drafts.ts";
import { deadInstanceLooks, nodeLostPasses, serviceAddedPasses, settle, steadyPasses } from "./measure.ts";

test("the reconcile bench brings up a fleet, and after each thing that it does to it the fleet is as configured again", async () => {
  const counts = { nodeCount: 20, serviceCount: 10 };
  const platform = await startPlatform(fleetDrafts(counts), async (clock) => createMemoryStore(clock));
  const states: string[] = [];
  await settle(platform, (state) => states.push(state));
  const engines = (await platform.launcher.observe()).length;
  const [steady] = await steadyPasses(platform, 1);
  assert.deepEqual([engines, steady?.looksMs.length, states.at(-1)], [41, 10, "10 Normal"]);
  assert.equal((await deadInstanceLooks(platform, { looks: 2, services: 10 })).length, 2);
  const restarted = (await platform.launcher.observe()).filter(({ generation }) => generation === 2);
  assert.deepEqual(restarted.map(({ instance }) => instance).toSorted(), ["service-000-hot-1", "service-001-hot-1"]);
  await settle(platform, () => undefined);
  await nodeLostPasses(platform);
  await serviceAddedPasses(platform, 10);
  await settle(platform, (state) => states.push(state));
  assert.equal(states.at(-1), "11 Normal");
  await platform.stop();
});
