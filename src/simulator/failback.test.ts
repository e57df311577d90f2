import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fault } from "../api/fault.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { ResourceDraft } from "../api/resource.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { instanceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { WorldClient } from "./world-client.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

// The way back in the whole platform: the control plane's steps, the gateway's share and counts, engines that are well or are not.

const SERVICE = "tenant-gold";
const HOT = instanceName(`${SERVICE}-hot-1`);
const resources = (failback: JsonObject): readonly ResourceDraft[] => [
  gpuNodeDraft("gpu-a", "az-1", 2),
  gpuNodeDraft("gpu-b", "az-2", 2),
  draft("HotStandbyConfig", SERVICE, {
    tenant: SERVICE,
    tier: "gold",
    model: worldModel("tide-8b"),
    hotStandby: { gpuCount: 1, memoryReserved: "40GB" },
    warmStandby: { gpuCount: 1, memoryReserved: "20GB", rest: "asleep" },
    failoverPolicy: { failback },
  }),
];

async function statusOf(world: World): Promise<ServiceStatus> {
  const stored = await world.store.get("HotStandbyConfig", SERVICE);
  assert.ok(stored.ok);
  const status = parseServiceStatus(stored.value.status);
  assert.ok(status.ok);
  return status.value;
}

async function waitFor(world: World, what: string, withinMs: number, isTrue: (status: ServiceStatus) => boolean): Promise<ServiceStatus> {
  const untilMs = world.clock.monotonicMs() + withinMs;
  for (;;) {
    const stored = await world.store.get("HotStandbyConfig", SERVICE);
    const status = stored.ok ? parseServiceStatus(stored.value.status) : null;
    if (status?.ok === true && isTrue(status.value)) return status.value;
    assert.ok(world.clock.monotonicMs() < untilMs, `not within ${withinMs} ms: ${what}`);
    await world.clock.advance(100);
  }
}

/** Hot has died once under load, warm serves, and hot is back. */
async function onWarm(seed: number, failback: JsonObject) {
  const world = await startWorld(seed, resources(failback));
  await waitFor(world, "whole", 60_000, ({ phase, instances }) => phase === "Normal" && instances.some(({ state }) => state === "Asleep"));
  const key = await world.createKey(SERVICE);
  await world.clock.advance(250);
  const ports = { clock: world.clock, random: world.chance("client"), upstream: world.upstreamOf("client"), log: world.log };
  const client = new WorldClient(ports, { gateway: world.gatewayAddress, key, model: "tide-8b", requestsPerSecond: 40 });
  await world.clock.advance(15_000);
  world.launcher.kill(HOT, "SIGKILL");
  await waitFor(world, "on warm, and hot is back", 30_000, ({ level, soakSince }) => level === "warm" && soakSince !== null);
  return { world, client };
}

async function end({ world, client }: Awaited<ReturnType<typeof onWarm>>): Promise<readonly string[]> {
  client.stop();
  await world.clock.advance(20_000);
  await world.stop();
  assert.equal(world.network.openCount(), 0);
  return [...new Set(client.requests.map(({ outcome }) => outcome))].toSorted();
}

async function orderFault(world: World, fault: Fault, forMs: number): Promise<void> {
  const engine = (await world.launcher.observe()).find(({ instance }) => instance === HOT);
  assert.ok(engine !== undefined, "hot runs");
  const request = { method: "POST", target: "/tidegate/faults", headers: ["content-type", "application/json"] } as const;
  const body = new TextEncoder().encode(JSON.stringify({ fault, forMs }));
  const nothing = (): void => undefined;
  world.upstreamOf("drill").call(engine.address, { ...request, body }, { head: nothing, data: nothing, end: nothing, failed: nothing });
}

test("simulated: traffic returns to hot by 1, 10, 50 and 100 %, each step judged by what the gateway counted, and warm sleeps after it", async () => {
  const run = await onWarm(41, { soak: "30s" });
  const { world } = run;
  const seen: string[] = [];
  const untilMs = world.clock.monotonicMs() + 70_000;
  while (world.clock.monotonicMs() < untilMs) {
    const { level, failback, instances } = await statusOf(world);
    const warm = instances.find((instance) => instance.level === "warm")?.state ?? "none";
    const now = `${level} ${failback.step?.percent ?? "-"} ${warm}`;
    if (seen.at(-1) !== now) seen.push(now);
    await world.clock.advance(100);
  }
  assert.deepEqual(seen.slice(0, 5), ["warm - Ready", "warm 1 Ready", "warm 10 Ready", "warm 50 Ready", "warm 100 Ready"]);
  assert.deepEqual([seen[5]?.startsWith("hot - "), seen.at(-1)], [true, "hot - Asleep"]);
  const { history, phase, instances: last } = await statusOf(world);
  const onHot = history.flatMap(({ why }) => [...(/(\d+) requests on hot, 0 failed/.exec(why)?.slice(1) ?? [])].map(Number));
  // At 40 a second: three seconds of 10, 50 and 100 %, and what was told of the seconds around them.
  const [atTen = 0, atFifty = 0, atHundred = 0] = onHot.slice(-3);
  assert.ok(atTen >= 8 && atTen <= 24, `at 10 %: ${atTen}`);
  assert.ok(atFifty >= 40 && atFifty <= 100, `at 50 %: ${atFifty}`);
  assert.ok(atHundred >= 80 && atHundred <= 190, `at 100 %: ${atHundred}`);
  assert.deepEqual([phase, last.map(({ level, state }) => `${level} ${state}`)], ["Normal", ["hot Ready", "warm Asleep"]]);
  assert.deepEqual(
    (await end(run)).filter((outcome) => outcome !== "error-event"),
    ["complete"],
  );
});

const ills: readonly { readonly name: string; readonly fault: Fault; readonly why: RegExp }[] = [
  {
    name: "answers a third of its requests with errors",
    fault: { kind: "error-ratio", ratio: 0.33 },
    why: /failed on hot, before|was lost at/,
  },
  { name: "is twenty times slower", fault: { kind: "slow", factor: 20 }, why: /^First tokens take/ },
];
for (const { name, fault, why } of ills) {
  test(`simulated: hot that ${name} at 50 % gives its share back to warm, and comes back once it is well for twice the soak`, async () => {
    const run = await onWarm(42, { soak: "30s" });
    const { world } = run;
    await waitFor(world, "50 %", 60_000, ({ failback }) => failback.step?.percent === 50);
    await orderFault(world, fault, 10_000);
    const undone = await waitFor(world, "undone", 12_000, ({ failback }) => failback.undone !== null);
    assert.deepEqual([undone.level, undone.failback.step, undone.failback.undone?.count], ["warm", null, 1]);
    assert.match(undone.failback.undone?.why ?? "", why);
    const undoneMs = world.clock.monotonicMs();
    await waitFor(world, "the first step again", 120_000, ({ failback }) => failback.step !== null);
    assert.ok(world.clock.monotonicMs() - undoneMs >= 60_000, "it waits for twice the soak");
    await waitFor(world, "hot", 60_000, ({ level }) => level === "hot");
    const outcomes = await end(run);
    assert.ok(!outcomes.includes("broken") && !outcomes.includes("open"), outcomes.join(", "));
  });
}

test("simulated: a service that prefers no rung stays on warm although hot is well, and hot takes over when warm is lost", async () => {
  const run = await onWarm(43, { soak: "5s", preferred: "none" });
  const { world, client } = run;
  await world.clock.advance(60_000);
  const { level, failback } = await statusOf(world);
  assert.deepEqual([level, failback.step], ["warm", null]);
  const lostMs = world.clock.monotonicMs();
  world.launcher.kill(instanceName(`${SERVICE}-warm-1`), "SIGKILL");
  await waitFor(world, "hot", 10_000, (status) => status.level === "hot");
  await end(run);
  const after = client.requests.filter(({ startedAtMs }) => startedAtMs >= lostMs);
  assert.ok(after.length > 0 && after.every(({ outcome }) => outcome === "complete"), "requests after the loss are answered");
});
