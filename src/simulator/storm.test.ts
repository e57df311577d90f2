import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { instanceName } from "../base/ids.ts";
import { untilWhole } from "./until-whole.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

const SOAK_MS = 5_000;
const STEP_MS = 100;
const SERVICES = ["tenant-a", "tenant-b", "tenant-c"];
const hotOf = (service: string) => instanceName(`${service}-hot-1`);

async function wholeWorld(): Promise<World> {
  const world = await startWorld(7, [
    gpuNodeDraft("gpu-a", "az-1", 4),
    gpuNodeDraft("gpu-b", "az-2", 4),
    ...SERVICES.map((name) =>
      draft("HotStandbyConfig", name, {
        tenant: name,
        tier: "gold",
        model: worldModel(name.replace("tenant", "tide")),
        hotStandby: { gpuCount: 1, memoryReserved: "40GB" },
        warmStandby: { gpuCount: 1, memoryReserved: "40GB" },
        failoverPolicy: { failback: { soak: `${SOAK_MS}ms`, steps: [100] } },
      }),
    ),
  ]);
  await untilWhole(world);
  return world;
}

async function statusOf(world: World, service: string): Promise<ServiceStatus> {
  const stored = await world.store.get("HotStandbyConfig", service);
  assert.ok(stored.ok);
  const status = parseServiceStatus(stored.value.status);
  assert.ok(status.ok);
  return status.value;
}

/** When traffic of that service began to go back, after the first loss. */
async function backAfterMs(laterLoss: string | null): Promise<number> {
  const world = await wholeWorld();
  const fromMs = world.clock.monotonicMs();
  for (const service of ["tenant-a", "tenant-b"]) world.launcher.kill(hotOf(service), "SIGKILL");
  let isLater = laterLoss === null;
  for (;;) {
    await world.clock.advance(STEP_MS);
    const tookMs = world.clock.monotonicMs() - fromMs;
    if (!isLater && tookMs >= 4_000 && laterLoss !== null) {
      isLater = true;
      world.launcher.kill(hotOf(laterLoss), "SIGKILL");
      await world.clock.advance(STEP_MS);
      assert.equal((await statusOf(world, laterLoss)).level, "warm", "a loss in a storm moves at once");
    }
    const { level, failback } = await statusOf(world, "tenant-a");
    assert.ok(tookMs < 30_000, "it goes back in the end");
    if (level === "warm" && failback.step === null) continue;
    if (level === "hot" && failback.doneAt === null) continue;
    await untilWhole(world);
    await world.stop();
    return tookMs;
  }
}

test("simulated: a service goes back only when the storm that it was in is a soak ago, for others too", async () => {
  const alone = await backAfterMs(null);
  const withLater = await backAfterMs("tenant-c");
  assert.ok(alone < 4_000 + SOAK_MS - STEP_MS, `${alone} ms when nobody else is lost`);
  assert.ok(withLater >= 4_000 + SOAK_MS && withLater <= 4_000 + SOAK_MS + 1_000, `${withLater} ms when another is lost after 4 s`);
});
