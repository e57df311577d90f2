import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import { instanceName, nodeName } from "../base/ids.ts";
import { createLadderEyes } from "./ladder-view.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import { WorldClient } from "./world-client.ts";
import { CONTROL_PLANE } from "./world-control-plane.ts";
import { ENGINES } from "./world-engine.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

const SERVICE = "tenant-gold";
const HOT = instanceName(`${SERVICE}-hot-1`);
const RESOURCES = [
  gpuNodeDraft("gpu-a", "az-1", 1),
  gpuNodeDraft("gpu-b", "az-2", 1),
  draft("HotStandbyConfig", SERVICE, {
    tenant: SERVICE,
    tier: "gold",
    model: worldModel("tide-8b"),
    hotStandby: { gpuCount: 1, memoryReserved: "80GB" },
    warmStandby: { gpuCount: 1, memoryReserved: "80GB", rest: "asleep" },
    failoverPolicy: { maxFailoverCount: 1 },
  }),
];
const STEP_MS = 250;
const SHORT = "Tell of the tide.";
/** Its prefill takes two steps of the engine, so that first tokens can be late while no step is. */
const LONG = Array.from({ length: 3_000 }, () => "tide").join(" ");
/** A window: what follows is judged against good history. */
const HISTORY_MS = 60_000;

/** A whole service under load. */
async function startLoaded(seed: number, prompt: string) {
  const world = await startWorld(seed, RESOURCES);
  while (!(await isWhole(world))) await world.clock.advance(STEP_MS);
  const key = await world.createKey(SERVICE);
  await world.clock.advance(STEP_MS);
  const client = new WorldClient(
    { clock: world.clock, random: world.chance("client"), upstream: world.upstreamOf("client"), log: world.log },
    { gateway: world.gatewayAddress, key, model: "tide-8b", requestsPerSecond: 1, prompts: [prompt], tokensMax: [8] },
  );
  await world.clock.advance(HISTORY_MS);
  return {
    world,
    /** Lets time pass. @param expected all that is told of alerts meanwhile, in order, and the seconds between which it is. */
    expectFor: async (durationMs: number, ...expected: readonly (readonly [string, number, number])[]): Promise<void> => {
      const told: (readonly [string, number])[] = [];
      for (let passedMs = 0, known = world.log.events.length; passedMs < durationMs; passedMs += STEP_MS) {
        await world.clock.advance(STEP_MS);
        for (const { event, fields } of world.log.events.slice(known))
          if (typeof fields["alert"] === "string") told.push([`${event} ${fields["alert"]}`, passedMs / 1_000]);
        known = world.log.events.length;
      }
      assert.deepEqual(
        told.map(([what]) => what),
        expected.map(([what]) => what),
      );
      for (const [index, [what, second]] of told.entries()) {
        const [, from = 0, to = 0] = expected[index] ?? [];
        assert.ok(second >= from && second <= to, `${what} at ${second} s`);
      }
    },
    stop: async () => {
      client.stop();
      await world.stop();
    },
  };
}

async function isWhole(world: World): Promise<boolean> {
  const view = await createLadderEyes(world, []).look();
  const [service] = view?.services ?? [];
  return view !== null && service !== undefined && whyNotWhole(service, view.records) === null;
}

/** Where the service is, and the reason of its condition. */
async function placeOf(world: World) {
  const stored = await world.store.get("HotStandbyConfig", SERVICE);
  const status = stored.ok ? parseServiceStatus(stored.value.status) : null;
  assert.ok(status?.ok === true);
  const { level, epoch, phase, conditions } = status.value;
  return [level, Number(epoch), phase, conditions.find(({ type }) => type === "Alerting")?.reason];
}

async function order(world: World, fault: object, forMs: number): Promise<void> {
  const engine = (await world.launcher.observe()).find(({ instance }) => instance === HOT);
  assert.ok(engine !== undefined, `${HOT} runs`);
  const body = new TextEncoder().encode(JSON.stringify({ fault, forMs }));
  const request = { method: "POST", target: "/tidegate/faults", headers: ["content-type", "application/json"], body } as const;
  world.upstreamOf("drill").call(engine.address, request, {
    head: (status) => assert.equal(status, 200),
    data: (lent) => assert.ok(lent.byteLength > 0),
    end: () => world.log.record({ level: "info", event: "drill.ordered", fields: { instance: HOT } }),
    failed: ({ code }) => assert.fail(code),
  });
}

test("clients that lose their requests are told of although every engine is well, and that moves nothing", async () => {
  const { world, expectFor, stop } = await startLoaded(1, SHORT);
  world.network.partition("gateway-0", ENGINES);
  // Those that wait for a rung to wake are failures only when they are refused.
  await expectFor(125_000, ["alert.firing TidegateErrorRatioHigh", 60, 120]);
  assert.deepEqual(await placeOf(world), ["hot", 1, "Normal", "TidegateErrorRatioHigh"]);
  world.network.heal("gateway-0", ENGINES);
  await expectFor(80_000, ["alert.resolved TidegateErrorRatioHigh", 0, 75]);
  assert.deepEqual(await placeOf(world), ["hot", 1, "Normal", "NoAlert"]);
  await stop();
});

test("an engine that gives its first tokens after two seconds warns, and that moves nothing", async () => {
  const { world, expectFor, stop } = await startLoaded(2, LONG);
  await order(world, { kind: "slow", factor: 70 }, 150_000);
  await expectFor(150_000, ["alert.firing TidegateFirstTokenSlow", 120, 150]);
  assert.deepEqual(await placeOf(world), ["hot", 1, "Normal", "TidegateFirstTokenSlow"]);
  await expectFor(80_000, ["alert.resolved TidegateFirstTokenSlow", 0, 75]);
  assert.deepEqual(await placeOf(world), ["hot", 1, "Normal", "NoAlert"]);
  await stop();
});

test("a lost GPU that nothing replaces is told of by its one move at once, by its redundancy after five minutes, and by no ratio", async () => {
  const { world, expectFor, stop } = await startLoaded(3, SHORT);
  const placed = await world.store.list("GPUPartition");
  const node = placed.ok ? placed.value.items.find(({ spec }) => spec["instance"] === HOT)?.spec["node"] : null;
  assert.ok(typeof node === "string");
  const loss = { kind: "gpu-lost", mode: "fallen_off_bus", node: nodeName(node), gpu: 0 } as const;
  assert.ok(world.account.loseGpus(loss, 600_000).ok);
  await expectFor(305_000, ["alert.firing TidegateHeld", 0, 2], ["alert.firing TidegateRedundancyLost", 300, 304]);
  assert.deepEqual(await placeOf(world), ["warm", 2, "Restoring", "TidegateRedundancyLost"]);
  await stop();
});

test("a link that is cut for longer than a minute is told of, a control plane that stood still for half a minute tells of nothing", async () => {
  const { world, expectFor, stop } = await startLoaded(4, SHORT);
  world.cutLink();
  await expectFor(65_000, ["alert.firing TidegateGatewayAbsent", 60, 63]);
  world.restoreLink();
  await expectFor(20_000, ["alert.resolved TidegateGatewayAbsent", 0, 3]);
  world.pause(CONTROL_PLANE);
  await world.clock.advance(30_000);
  world.resume(CONTROL_PLANE);
  await expectFor(70_000);
  assert.equal(world.log.events.filter(({ event }) => event === "alert.firing").length, 1);
  await stop();
});
