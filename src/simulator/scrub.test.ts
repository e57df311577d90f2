import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { ResourceDraft } from "../api/resource.ts";
import { instanceName } from "../base/ids.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

const STEP_MS = 50;

const service = (name: string, hotBytes: string, rest: object): ResourceDraft =>
  draft("HotStandbyConfig", name, {
    tenant: name,
    tier: "gold",
    model: worldModel(`tide-${name}`),
    hotStandby: { gpuCount: 1, memoryReserved: hotBytes },
    ...rest,
  });

async function untilReady(world: World, service: string, instance: string): Promise<number> {
  const startMs = world.clock.monotonicMs();
  for (;;) {
    const stored = await world.store.get("HotStandbyConfig", service);
    const status = parseServiceStatus(stored.ok ? stored.value.status : null);
    if (status.ok && status.value.instances.some(({ name, state }) => name === instance && state === "Ready"))
      return world.clock.monotonicMs() - startMs;
    assert.ok(world.clock.monotonicMs() - startMs < 60_000, `${instance} starts`);
    await world.clock.advance(STEP_MS);
  }
}

async function waitsOf(world: World): Promise<readonly number[]> {
  const seen = await world.account.driver.observe();
  return (seen.ok ? seen.value : []).map(({ scrub }) => scrub.waitedMs);
}

test("neither a restart nor a cold start on its own reserve waits for a scrub", async () => {
  const world = await startWorld(1, [
    gpuNodeDraft("gpu-a", "az-1", 2),
    service("gold", "40GB", { warmStandby: { gpuCount: 0 }, coldStandby: { imageCache: true, memoryReserved: "20GB" } }),
  ]);
  await untilReady(world, "gold", "gold-hot-1");
  for (let round = 0; round < 3; round += 1) {
    world.launcher.kill(instanceName("gold-hot-1"), "SIGKILL");
    await world.clock.advance(STEP_MS);
    await untilReady(world, "gold", "gold-cold-1");
    await untilReady(world, "gold", "gold-hot-1");
    await world.clock.advance(40_000);
  }
  const seen = await world.account.driver.observe();
  assert.ok(seen.ok && seen.value.some(({ scrub }) => scrub.scrubbedBytes > 0), "something was scrubbed in the background");
  assert.deepEqual(await waitsOf(world), [0, 0]);
  await world.stop();
});

test("a tenant that starts where another one has just left waits for the scrub of what it needs, and starts", async () => {
  const none = { warmStandby: { gpuCount: 0 }, coldStandby: { gpuCount: 0 } };
  const world = await startWorld(2, [gpuNodeDraft("gpu-a", "az-1", 1), service("red", "70GB", none)]);
  await untilReady(world, "red", "red-hot-1");
  const stored = await world.store.get("HotStandbyConfig", "red");
  assert.ok(stored.ok && (await world.store.create(service("blue", "70GB", none))).ok);
  await world.clock.advance(1_000);
  assert.ok((await world.store.remove("HotStandbyConfig", "red")).ok);
  await untilReady(world, "blue", "blue-hot-1");
  // 60 of the 70 GB that red had, at 300 GB a second.
  const [waitedMs = 0] = await waitsOf(world);
  assert.ok(waitedMs >= 200 && waitedMs <= 202, `${waitedMs} ms`);
  await world.stop();
});
