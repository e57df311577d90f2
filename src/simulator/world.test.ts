import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceDraft } from "../api/resource.ts";
import { generation, instanceName } from "../base/ids.ts";
import { CRASH_SITES, GATEWAY_CRASH_SITES } from "./crash-points.ts";
import { formatViolation } from "./checker.ts";
import { createLadderCheckers, LadderWatch } from "./ladder-checks.ts";
import { createLadderEyes, type LadderEyes } from "./ladder-view.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import { WorldClient } from "./world-client.ts";
import { CONTROL_PLANE } from "./world-control-plane.ts";
import { ENGINES, partyOf } from "./world-engine.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World, type WorldOptions } from "./world.ts";

const SERVICE = "tenant-gold";
const VICTIM = instanceName(`${SERVICE}-hot-1`);
const RESOURCES: readonly ResourceDraft[] = [
  gpuNodeDraft("gpu-a", "az-1", 2),
  gpuNodeDraft("gpu-b", "az-2", 2),
  draft("HotStandbyConfig", SERVICE, {
    tenant: SERVICE,
    tier: "gold",
    model: worldModel("tide-8b"),
    hotStandby: { gpuCount: 1, memoryReserved: "40GB" },
    warmStandby: { gpuCount: 1, memoryReserved: "20GB", rest: "asleep" },
    failoverPolicy: { failback: { soak: "5s" } },
  }),
];
const WHOLE_WITHIN_MS = 60_000;

async function whyAway(eyes: LadderEyes): Promise<string | null> {
  const view = await eyes.look();
  const [service] = view?.services ?? [];
  return view === null || service === undefined ? "It is not stored." : whyNotWhole(service, view.records);
}

async function untilWhole(world: World): Promise<void> {
  const untilMs = world.clock.monotonicMs() + WHOLE_WITHIN_MS;
  const eyes = createLadderEyes(world, []);
  for (;;) {
    // The status alone may be that of before the fault.
    const isThere = (await world.launcher.observe()).some(({ instance }) => instance === VICTIM);
    const reason = isThere ? await whyAway(eyes) : `${VICTIM} does not run.`;
    if (reason === null) return;
    assert.ok(world.clock.monotonicMs() < untilMs, reason);
    await world.clock.advance(100);
  }
}

async function wholeWorld(seed: number, options: WorldOptions = {}): Promise<World> {
  const world = await startWorld(seed, RESOURCES, options);
  await untilWhole(world);
  return world;
}

/** A client of each gateway, by name. */
async function clientsOf(world: World): Promise<ReadonlyMap<string, WorldClient>> {
  const key = await world.createKey(SERVICE);
  await world.clock.advance(250);
  return new Map(
    world.gateways.map(({ name, address }) => {
      const party = `client of ${name}`;
      const ports = { clock: world.clock, random: world.chance(party), upstream: world.upstreamOf(party), log: world.log };
      return [name, new WorldClient(ports, { gateway: address, key, model: "tide-8b", requestsPerSecond: 10 })];
    }),
  );
}

const outcomesOf = (client: WorldClient | undefined, sinceMs: number): readonly string[] => [
  ...new Set(client?.requests.filter(({ startedAtMs }) => startedAtMs >= sinceMs).map(({ outcome }) => outcome)),
];

async function endClients(world: World, clients: ReadonlyMap<string, WorldClient>): Promise<void> {
  for (const client of clients.values()) client.stop();
  await world.clock.advance(20_000);
}

test("two gateways serve one platform, each by its own address, link and file", async () => {
  const world = await wholeWorld(1, { gateways: 2 });
  const clients = await clientsOf(world);
  const [zero, one] = [clients.get("gateway-0"), clients.get("gateway-1")];
  const startedMs = world.clock.monotonicMs();
  world.cutLink("gateway-1");
  assert.deepEqual([world.isLinkCut("gateway-0"), world.isLinkCut("gateway-1"), world.isLinkCut()], [false, true, true]);
  await world.clock.advance(3_000);
  // Its file is its own: it knows the tables although nobody tells it of them.
  await world.restartGateway("gateway-1");
  const restartedMs = world.clock.monotonicMs();
  await world.clock.advance(3_000);
  world.restoreLink("gateway-1");
  await endClients(world, clients);
  assert.deepEqual([outcomesOf(zero, startedMs), outcomesOf(one, restartedMs)], [["complete"], ["complete"]]);
  await world.stop();
  assert.equal(world.network.openCount(), 0);
});

test("a gateway that is cut off from all engines, also from such as start later, fails alone", async () => {
  const world = await wholeWorld(2, { gateways: 2 });
  const clients = await clientsOf(world);
  await world.clock.advance(2_000);
  const cutMs = world.clock.monotonicMs();
  world.network.partition("gateway-1", ENGINES);
  world.launcher.kill(VICTIM, "SIGKILL");
  await world.clock.advance(8_000);
  const healedMs = world.clock.monotonicMs();
  const completeThere = clients
    .get("gateway-1")
    ?.requests.filter(({ startedAtMs, outcome }) => startedAtMs >= cutMs && outcome === "complete");
  assert.deepEqual(completeThere, []);
  world.network.heal("gateway-1", ENGINES);
  await world.clock.advance(40_000);
  const againMs = world.clock.monotonicMs();
  await world.clock.advance(3_000);
  await endClients(world, clients);
  const zero = clients.get("gateway-0")?.requests.filter(({ startedAtMs }) => startedAtMs >= cutMs && startedAtMs < healedMs) ?? [];
  const lost = zero.filter(({ outcome }) => outcome !== "complete" && outcome !== "error-event");
  assert.ok(zero.length > 30);
  assert.deepEqual(lost, []);
  assert.deepEqual(outcomesOf(clients.get("gateway-1"), againMs), ["complete"]);
  await world.stop();
  assert.equal(world.network.openCount(), 0);
});

test("a control plane that stands still for 30 s does nothing meanwhile and nothing twice afterwards", async () => {
  const world = await wholeWorld(3);
  const checks = new LadderWatch(world, createLadderCheckers());
  world.pause(CONTROL_PLANE);
  world.launcher.kill(VICTIM, "SIGKILL");
  const versionsOf = async (): Promise<readonly string[]> => {
    const listed = await world.store.list("HotStandbyConfig");
    return listed.ok ? listed.value.items.map(({ version }) => version) : [];
  };
  const before = await versionsOf();
  for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 250) {
    await world.clock.advance(250);
    await checks.look();
  }
  assert.deepEqual(await versionsOf(), before);
  const engines = async (): Promise<readonly string[]> => (await world.launcher.observe()).map(({ instance }) => instance);
  assert.ok(!(await engines()).includes(VICTIM));
  world.resume(CONTROL_PLANE);
  await untilWhole(world);
  await checks.look();
  const victim = (await world.launcher.observe()).find(({ instance }) => instance === VICTIM);
  assert.equal(victim?.generation, generation(2));
  assert.deepEqual(checks.violations.map(formatViolation), []);
  await world.stop();
});

test("a gateway or an engine that stood still goes on where it was, and a gateway blames nobody for its own pause", async () => {
  const world = await wholeWorld(4);
  const clients = await clientsOf(world);
  await world.clock.advance(1_000);
  world.pause("gateway-0");
  const pausedMs = world.clock.monotonicMs();
  await world.clock.advance(3_000);
  const client = clients.get("gateway-0");
  assert.ok(client?.requests.every(({ endedAtMs }) => endedAtMs === null || endedAtMs <= pausedMs + 5));
  world.resume("gateway-0");
  await world.clock.advance(2_000);
  await endClients(world, clients);
  assert.deepEqual(outcomesOf(client, 0), ["complete"]);
  assert.deepEqual(
    world.log.events.filter(({ event }) => event === "gateway.ejected"),
    [],
  );
  const engine = partyOf(VICTIM, generation(1));
  world.pause(engine);
  await world.clock.advance(200);
  world.resume(engine);
  await world.clock.advance(5_000);
  assert.equal(await whyAway(createLadderEyes(world, [])), null);
  await world.stop();
});

test("without its store a control plane acts on nothing, and all is whole again soon after it is back", async () => {
  for (const faults of [{ isOut: true }, { isFull: true }]) {
    const world = await wholeWorld(5);
    const clients = await clientsOf(world);
    const startedMs = world.clock.monotonicMs();
    world.faultStore(faults, 20_000);
    world.launcher.kill(VICTIM, "SIGKILL");
    await world.clock.advance(19_000);
    const [asked] = [...clients.values()].map((client) => client.requests.filter(({ startedAtMs }) => startedAtMs > startedMs + 5_000));
    // The gateway needs no store to serve from the warm instance.
    assert.ok(asked !== undefined && asked.filter(({ outcome }) => outcome === "complete").length > 50);
    await world.clock.advance(2_000);
    await untilWhole(world);
    await endClients(world, clients);
    await world.stop();
    assert.ok(world.log.events.some(({ event }) => event === "store.fault"));
  }
});

test("under a store with every fault at once nothing breaks, and all is whole again afterwards", async () => {
  for (let seed = 20; seed < 24; seed += 1) {
    const world = await wholeWorld(seed);
    const checks = new LadderWatch(world, createLadderCheckers());
    const faults = { conflictRatio: 0.1, unavailableRatio: 0.1, lostAnswerRatio: 0.1, slowRatio: 0.3, watchDelayMs: 1_000 };
    world.faultStore({ ...faults, slowMs: { min: 10, max: 500 } }, 20_000);
    for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 250) {
      if (waitedMs % 5_000 === 0) world.launcher.kill(VICTIM, "SIGKILL");
      await world.clock.advance(250);
      await checks.look();
    }
    await untilWhole(world);
    assert.deepEqual(checks.violations.map(formatViolation), [], `seed ${seed}`);
    await world.stop();
  }
});

test("after a death at any crash point, before it or after it, all is whole again", async () => {
  const reached = new Set<string>();
  for (const [index, site] of CRASH_SITES.entries()) {
    for (const point of ["before", "after"] as const) {
      const world = await wholeWorld(100 + index);
      const checks = new LadderWatch(world, createLadderCheckers());
      world.launcher.kill(VICTIM, "SIGKILL");
      if (await world.crashControlPlane(point, 10_000, site)) reached.add(site);
      await checks.look();
      await untilWhole(world);
      await checks.look();
      assert.deepEqual(checks.violations.map(formatViolation), [], `${point} ${site}`);
      await world.stop();
    }
  }
  for (const site of ["store.writeStatus", "launcher.ensure", "driver.ensurePartition", "upstream.call", "hub.send"])
    assert.ok(reached.has(site), `${site} of ${[...reached].join(", ")}`);
});

test("after a gateway's death at any crash point its next life serves, and what it had in hand alone is lost", async () => {
  for (const site of GATEWAY_CRASH_SITES) {
    for (const point of ["before", "after"] as const) {
      const world = await wholeWorld(200);
      const clients = await clientsOf(world);
      // So that its table changes, and is saved.
      world.launcher.kill(VICTIM, "SIGKILL");
      assert.ok(await world.crashGateway("gateway-0", { point, site }, 10_000), `${point} ${site} is reached`);
      await untilWhole(world);
      const againMs = world.clock.monotonicMs();
      await world.clock.advance(2_000);
      await endClients(world, clients);
      assert.deepEqual(outcomesOf(clients.get("gateway-0"), againMs), ["complete"], `${point} ${site}`);
      await world.stop();
      assert.equal(world.network.openCount(), 0);
    }
  }
});
