import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { untilWhole } from "./until-whole.ts";
import { WorldClient, type WorldRequest } from "./world-client.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld } from "./world.ts";

const TENANT = "tenant-gold";
const QUEUE: JsonObject = { kind: "queue", upTo: "200ms" };
const MODEL: JsonObject = { kind: "model", name: "tide-small" };
const SHED: JsonObject = { kind: "shed" };

/** Requests for the big model that began in the half second after its only engine died; another service of the tenant has a small one. */
async function askWithoutEngine(degraded: readonly JsonObject[]): Promise<readonly WorldRequest[]> {
  const service = (name: string, model: string, more: JsonObject) =>
    draft("HotStandbyConfig", name, {
      tenant: TENANT,
      tier: "silver",
      model: worldModel(model),
      hotStandby: { gpuCount: 1, memoryReserved: "40GB" },
      ...more,
    });
  const world = await startWorld(7, [
    gpuNodeDraft("gpu-a", "az-1", 2),
    gpuNodeDraft("gpu-b", "az-2", 2),
    service("big", "tide-big", { degraded }),
    service("small", "tide-small", {}),
  ]);
  await untilWhole(world);
  const key = await world.createKey(TENANT);
  await world.clock.advance(250);
  const ports = { clock: world.clock, random: world.chance("client"), upstream: world.upstreamOf("client"), log: world.log };
  const client = new WorldClient(ports, { gateway: world.gatewayAddress, key, model: "tide-big", requestsPerSecond: 20 });
  await world.clock.advance(1_000);
  world.launcher.kill(instanceName("big-hot-1"), "SIGKILL");
  await world.clock.advance(20);
  const sinceMs = world.clock.monotonicMs();
  await world.clock.advance(500);
  client.stop();
  await world.clock.advance(20_000);
  await world.stop();
  assert.equal(world.network.openCount(), 0);
  return client.requests.filter(({ startedAtMs }) => startedAtMs >= sinceMs);
}

test("degraded world: with the big model's only engine dead the small one answers in its place, before the big one is back", async () => {
  const asked = await askWithoutEngine([QUEUE, MODEL, SHED]);
  assert.ok(asked.length >= 5);
  for (const { outcome, startedAtMs, firstByteAtMs } of asked) {
    assert.equal(outcome, "complete");
    assert.ok(firstByteAtMs !== null && firstByteAtMs - startedAtMs < 1_000, `${(firstByteAtMs ?? 0) - startedAtMs} ms`);
  }
});

test("degraded world: without another model they wait so long as they may, and are shed", async () => {
  const asked = await askWithoutEngine([QUEUE, SHED]);
  assert.ok(asked.length >= 5);
  assert.deepEqual([...new Set(asked.map(({ outcome }) => outcome))], ["refused"]);
});
