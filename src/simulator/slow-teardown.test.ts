import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { assert as must } from "../base/assert.ts";
import { createLadderEyes } from "./ladder-view.ts";
import { inject } from "./perform-event.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import { WorldClient } from "./world-client.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

const TEARDOWN_MS = 8_000;
/** Looks, a start that fails, its pause, and a load of 1.4 s. */
const START_MS = 2_500;
const WATCHED_MS = 15_000;
const STEP_MS = 100;

async function statusOf(world: World): Promise<ServiceStatus> {
  const stored = await world.store.get("HotStandbyConfig", "gold");
  const status = parseServiceStatus(stored.ok ? stored.value.status : null);
  must(status.ok, "the status of gold reads");
  return status.value;
}

/** One hot engine that needs most of a GPU, a sleeping one on the next, and so many GPUs in all. */
async function wholeWorld(gpuCount: number): Promise<{ readonly world: World; readonly client: WorldClient }> {
  const world = await startWorld(1, [
    gpuNodeDraft("gpu-a", "az-1", gpuCount),
    draft("HotStandbyConfig", "gold", {
      tenant: "gold",
      tier: "gold",
      model: worldModel("tide"),
      hotStandby: { gpuCount: 1, memoryReserved: "70GB" },
      warmStandby: { gpuCount: 1, rest: "asleep", memoryReserved: "40GB" },
      coldStandby: { gpuCount: 0 },
    }),
  ]);
  const eyes = createLadderEyes(world, []);
  const isWhole = async (): Promise<boolean> => {
    const view = await eyes.look();
    return view !== null && view.services.every((one) => (whyNotWhole(one, view.records) ?? []).length === 0);
  };
  for (let waitedMs = 0; !(await isWhole()); waitedMs += STEP_MS) {
    assert.ok(waitedMs < 60_000, "the platform starts");
    await world.clock.advance(STEP_MS);
  }
  const key = await world.createKey("gold");
  await world.clock.advance(3_000);
  const ports = { clock: world.clock, random: world.chance("client"), upstream: world.upstreamOf("client"), log: world.log };
  const client = new WorldClient(ports, { gateway: world.gatewayAddress, key, model: "tide", requestsPerSecond: 8 });
  await world.clock.advance(2_000);
  return { world, client };
}

interface Story {
  /** When hot was Ready again, after its end. */
  readonly readyMs: number;
  readonly gpu: number;
  readonly sawGone: boolean;
  readonly reasons: ReadonlySet<string>;
  readonly outcomes: ReadonlySet<string>;
}

/** Ends the hot engine on a GPU whose driver is slow, and watches. */
async function endSlowly(gpuCount: number, ending: "killed" | "hung"): Promise<Story> {
  const { world, client } = await wholeWorld(gpuCount);
  const hot = (await world.launcher.observe()).find(({ instance }) => instance === "gold-hot-1");
  const at = (await statusOf(world)).instances.find(({ name }) => name === "gold-hot-1")?.members[0];
  must(hot !== undefined && at !== undefined, "hot runs on a GPU");
  assert.ok(world.account.slowTeardown({ kind: "slow-teardown", ...at, teardownMs: TEARDOWN_MS }, WATCHED_MS).ok);
  if (ending === "killed") world.launcher.kill(hot.instance, "SIGKILL");
  else inject(world, hot, { fault: { kind: "hang" }, forMs: 60_000 });
  const reasons = new Set<string>();
  let readyMs = 0;
  let gpu = -1;
  let sawGone = false;
  for (let nowMs = STEP_MS; nowMs <= WATCHED_MS; nowMs += STEP_MS) {
    await world.clock.advance(STEP_MS);
    const status = await statusOf(world);
    const next = status.instances.find(({ name }) => name === "gold-hot-1");
    if (readyMs === 0 && next?.state === "Ready" && next.generation > hot.generation) {
      readyMs = nowMs;
      gpu = next.members[0]?.gpu ?? -1;
    }
    for (const { reason } of status.quarantined) reasons.add(reason);
    const seen = await world.account.driver.observe();
    sawGone ||= seen.ok && seen.value.some(({ holders }) => holders.some(({ state }) => state === "gone"));
  }
  client.stop();
  await world.clock.advance(2_000);
  await world.stop();
  return { readyMs, gpu, sawGone, reasons, outcomes: new Set(client.requests.map(({ outcome }) => outcome)) };
}

for (const ending of ["killed", "hung"] as const) {
  /** A hang is found first, and its process's end is waited for a second. */
  const foundMs = ending === "killed" ? 0 : 4_000;
  test(`an engine that is ${ending} where teardown is slow starts on another GPU, and nobody loses a request`, async () => {
    const story = await endSlowly(3, ending);
    assert.ok(story.readyMs > 0 && story.readyMs <= foundMs + START_MS, `Ready after ${story.readyMs} ms`);
    assert.equal(story.gpu, 2);
    assert.deepEqual([[...story.reasons], [...story.outcomes], story.sawGone], [["SlowTeardown"], ["complete"], true]);
  });
  test(`an engine that is ${ending} where teardown is slow and no other GPU is free waits for its own, no longer`, async () => {
    const story = await endSlowly(2, ending);
    const teardownEndMs = TEARDOWN_MS + (ending === "killed" ? 0 : 3_000);
    assert.ok(story.readyMs > teardownEndMs && story.readyMs <= teardownEndMs + START_MS, `Ready after ${story.readyMs} ms`);
    assert.equal(story.gpu, 0);
    assert.deepEqual([[...story.reasons], [...story.outcomes]], [["SlowTeardown"], ["complete"]]);
  });
}
