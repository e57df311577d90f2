import assert from "node:assert/strict";
import { test } from "node:test";
import { createHttpFaultInjector } from "../adapters/fault-injector/http.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { Fault } from "../api/fault.ts";
import { instanceName, type InstanceName } from "../base/ids.ts";
import type { RunningEngine } from "../ports/engine-launcher.ts";
import { WorldClient } from "./world-client.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

const CLASSES = ["gold", "silver", "bronze"] as const;
const nameOf = (qosClass: (typeof CLASSES)[number]): InstanceName => instanceName(`${qosClass}-hot-1`);

/** One service of each class, all on one GPU. */
async function sharedWorld(isolation: "weak" | "medium"): Promise<World> {
  const services = CLASSES.map((qosClass) =>
    draft("HotStandbyConfig", qosClass, {
      tenant: `tenant-${qosClass}`,
      tier: "silver",
      qosClass,
      isolation,
      model: { ...worldModel(`model-${qosClass}`), weights: "4GB" },
      hotStandby: { gpuCount: 1, memoryReserved: "8GB", gpuMemoryShare: true },
      warmStandby: { gpuCount: 0 },
      coldStandby: { gpuCount: 0 },
    }),
  );
  const world = await startWorld(1, [gpuNodeDraft("gpu-a", "az-1", 1), ...services]);
  await until(world, 30_000, async () => (await running(world)).length === 3 && (await stateOf(world, "bronze")) === "Ready");
  return world;
}

const running = (world: World): Promise<readonly RunningEngine[]> => world.launcher.observe();

async function statusOf(world: World, service: string) {
  const found = await world.store.get("HotStandbyConfig", service);
  const status = found.ok ? parseServiceStatus(found.value.status) : null;
  assert.ok(status?.ok === true);
  return status.value;
}
const stateOf = async (world: World, service: string) => (await statusOf(world, service)).instances[0]?.state;

async function until(world: World, withinMs: number, isSo: () => Promise<boolean>): Promise<number> {
  const startedMs = world.clock.monotonicMs();
  while (!(await isSo())) {
    assert.ok(world.clock.monotonicMs() - startedMs < withinMs, `it did not come to be so: ${isSo.toString()}`);
    await world.clock.advance(10);
  }
  return world.clock.monotonicMs() - startedMs;
}

/** Long answers, so that every engine has work all the time. */
async function saturate(world: World): Promise<readonly WorldClient[]> {
  const clients: WorldClient[] = [];
  for (const qosClass of CLASSES) {
    const key = await world.createKey(`tenant-${qosClass}`);
    await world.clock.advance(250);
    const party = `client of ${qosClass}`;
    const ports = { clock: world.clock, random: world.chance(party), upstream: world.upstreamOf(party), log: world.log };
    const load = { gateway: world.gatewayAddress, key, model: `model-${qosClass}`, requestsPerSecond: 2, tokensMax: [2_000] };
    clients.push(new WorldClient(ports, load));
  }
  await world.clock.advance(3_000);
  return clients;
}

/** Device time of each class in that time, by the driver. */
async function usedIn(world: World, forMs: number): Promise<Readonly<Record<string, number>>> {
  const look = async (): Promise<ReadonlyMap<string, number>> => {
    const seen = await world.account.driver.observe();
    const holders = seen.ok ? (seen.value[0]?.holders ?? []) : [];
    return new Map(holders.map(({ instance, compute }) => [instance, compute?.usedMs ?? 0]));
  };
  const before = await look();
  await world.clock.advance(forMs);
  const after = await look();
  return Object.fromEntries(CLASSES.map((one) => [one, ((after.get(nameOf(one)) ?? 0) - (before.get(nameOf(one)) ?? 0)) / forMs]));
}

async function cheat(world: World, instance: InstanceName, fault: Fault): Promise<void> {
  const engines = await running(world);
  const injector = createHttpFaultInjector({
    clock: world.clock,
    upstream: world.upstreamOf("the drill"),
    addressOf: (wanted) => engines.find((engine) => engine.instance === wanted)?.address ?? null,
  });
  const ordered = injector.ensure(instance, fault, 600_000);
  await world.clock.advance(10);
  assert.ok((await ordered).ok);
}

const pidOf = async (world: World, instance: InstanceName) => (await running(world)).find((engine) => engine.instance === instance)?.pid;

for (const { isolation, fault, what } of [
  { isolation: "weak", fault: { kind: "ignores-share" }, what: /it took \d+ ms of GPU gpu-a\/0's time/ },
  { isolation: "medium", fault: { kind: "ignores-share" }, what: /it took \d+ ms of GPU gpu-a\/0's time/ },
  {
    isolation: "medium",
    fault: { kind: "grabs-memory", bytes: 20e9 },
    what: /it holds 2\d(?:\.\d)? GB of GPU gpu-a\/0, and was granted 8 GB/,
  },
] as const) {
  test(`world: ${fault.kind} under ${isolation} isolation is ended within a second, named, and the neighbours have their shares again`, async () => {
    const world = await sharedWorld(isolation);
    const clients = await saturate(world);
    const bronze = nameOf("bronze");
    const shares = await usedIn(world, 4_000);
    for (const [one, share] of [
      ["gold", 80 / 150],
      ["silver", 50 / 150],
      ["bronze", 20 / 150],
    ] as const)
      assert.ok(Math.abs((shares[one] ?? 0) / share - 1) < 0.1, JSON.stringify(shares));
    const pid = await pidOf(world, bronze);
    await cheat(world, bronze, fault);
    const tookMs = await until(world, 2_000, async () => (await pidOf(world, bronze)) !== pid);
    // Its service is looked at at once, not at its next turn.
    assert.ok(tookMs <= 1_000, `${tookMs}`);
    const [event] = world.log.events.filter((one) => one.event === "isolation.violation");
    assert.deepEqual([event?.fields["instance"], event?.fields["tenant"], event?.fields["service"]], [bronze, "tenant-bronze", "bronze"]);
    const status = await statusOf(world, "bronze");
    assert.match(status.instances[0]?.violations?.what ?? "", what);
    const condition = status.conditions.find(({ type }) => type === "IsolationViolated");
    assert.equal(condition?.status, "True");
    assert.match(condition?.message ?? "", /bronze-hot-1 of tenant tenant-bronze was ended once/);
    const after = await usedIn(world, 1_000);
    assert.ok((after["gold"] ?? 0) >= 0.5 && (after["silver"] ?? 0) >= 0.3, JSON.stringify(after));
    for (const client of clients) client.stop();
    await world.stop();
  });
}

test("world: an engine that takes more each time it is started is not started for ever", async () => {
  const world = await sharedWorld("weak");
  await saturate(world);
  const bronze = nameOf("bronze");
  for (const count of [1, 2, 3]) {
    await until(world, 120_000, async () => (await stateOf(world, "bronze")) === "Ready");
    await world.clock.advance(1_000);
    await cheat(world, bronze, { kind: "ignores-share" });
    await until(world, 5_000, async () => ((await statusOf(world, "bronze")).instances[0]?.violations?.count ?? 0) === count);
  }
  await world.clock.advance(300_000);
  assert.equal(await pidOf(world, bronze), undefined);
  assert.equal(await stateOf(world, "bronze"), "Failed");
  await world.stop();
});

test("world: engines of each class that keep to their shares are never accused", async () => {
  const world = await sharedWorld("weak");
  await saturate(world);
  await world.clock.advance(60_000);
  assert.deepEqual(
    world.log.events.filter((one) => one.event === "isolation.violation"),
    [],
  );
  await world.stop();
});
