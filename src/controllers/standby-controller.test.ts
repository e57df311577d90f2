import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { gatewayId, generation, instanceName, serviceName, uid } from "../base/ids.ts";
import type { DownMessage, UpMessage } from "../api/link-message.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { JsonObject } from "../base/json.ts";
import type { ResourceDraft } from "../api/resource.ts";
import type { RouteTable } from "../api/route-table.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import type { GatewayHub, GatewayHubEvents } from "../ports/gateway-link.ts";
import { FakePlatform } from "./fake-platform.ts";
import { createLinkController } from "./link-controller.ts";
import { startLoop } from "./run-loop.ts";
import { createStandbyController, serviceOfPartition } from "./standby-controller.ts";

const CONFIG: JsonObject = {
  tenant: "tenant-gold",
  tier: "platinum",
  model: { name: "tide-8b", engine: "simulated", revision: "r1", weights: "16GB", contextLength: 8192 },
  hotStandby: { gpuCount: 2, memoryReserved: "80GB" },
  warmStandby: { gpuCount: 1, memoryReserved: "40GB" },
};

/** A hub with one gateway that acknowledges every table unless it is told to be silent. */
function fakeHub() {
  let events: GatewayHubEvents | null = null;
  const id = gatewayId("gateway-0");
  const told: DownMessage[] = [];
  const say = (message: UpMessage): void => events?.message(id, message);
  const gateway = {
    told,
    isSilent: false,
    say,
    join: () => events?.joined(id, { type: "hello", gateway: id, pid: 1, address: "127.0.0.1:8080" }),
    table: (): RouteTable => {
      const tables = told.flatMap((message) => (message.type === "table" ? [message.table] : []));
      const last = tables.at(-1);
      if (last === undefined) throw new Error("no table was published");
      return last;
    },
  };
  const hub: GatewayHub = {
    listen: async (given) => void (events = given),
    send(_to, message) {
      told.push(message);
      if (message.type !== "table" || gateway.isSilent) return;
      const { uid: of, epoch, revision } = message.table;
      void Promise.resolve().then(() => say({ type: "ack", uid: of, epoch, revision }));
    },
    close: async () => undefined,
  };
  return { hub, gateway };
}

async function createWorld() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const platform = new FakePlatform(clock);
  const { hub, gateway } = fakeHub();
  const random = createSeededRandom(1);
  const log = { record: () => undefined };
  const put = async (draft: Pick<ResourceDraft, "kind" | "name" | "spec">, status: JsonObject | null = null): Promise<void> => {
    const old = await store.get(draft.kind, draft.name);
    const full = { labels: {}, annotations: {}, ...draft };
    const written = old.ok ? await store.writeSpec(full, old.value.version) : await store.create(full);
    assert.ok(written.ok);
    if (status !== null) assert.ok((await store.writeStatus(draft, status, written.value.version)).ok);
  };
  const place = (instance: string, gpu: number | null): Promise<void> =>
    put(
      {
        kind: "GPUPartition",
        name: `tenant-gold-gpu-partition-${instance}-0`,
        spec: {
          tenant: "tenant-gold",
          service: "gold",
          instance,
          mode: "exclusive",
          memory: "40GB",
          computePercent: 100,
          ...(gpu === null ? {} : { node: "gpu-a", gpu }),
        },
      },
      gpu === null
        ? { phase: "Pending", refusal: { code: "NO_CAPACITY", what: "No GPU is free.", why: "All are taken.", next: "Add one." } }
        : { phase: "Bound" },
    );
  const startControlPlane = () => {
    const link = createLinkController(
      { hub, log, stateId: "state-1" },
      { ejected: (report) => standby.report(report), acknowledged: (service) => loop.kick(service) },
    );
    const standby = createStandbyController(
      {
        launcher: platform.launcher,
        driver: platform.driver,
        upstream: platform.upstream,
        store,
        clock,
        random,
        log,
        desk: link,
        stateId: "state-1",
      },
      (name) => loop.kick(name),
    );
    const loop = startLoop(
      {
        name: "standby",
        namesOf: ({ kind, name }) =>
          kind === "HotStandbyConfig" ? [name] : kind === "GPUPartition" ? [serviceOfPartition(name) ?? ""].filter(Boolean) : [],
        firstNames: () => standby.names(),
        reconcile: (name) => standby.reconcile(name),
      },
      { store, clock, log },
    );
    return { link, standby, loop };
  };
  const status = async (): Promise<ServiceStatus> => {
    const resource = await store.get("HotStandbyConfig", "gold");
    assert.ok(resource.ok);
    const parsed = parseServiceStatus(resource.value.status);
    assert.ok(parsed.ok);
    return parsed.value;
  };
  const states = async (): Promise<readonly string[]> =>
    (await status()).instances.map((instance) => `${instance.name}/${instance.generation} ${instance.state}`);
  return { clock, store, platform, gateway, put, place, startControlPlane, status, states };
}

/** Two hot and one warm instance, placed, everything Ready, one gateway joined. */
async function createSteadyWorld() {
  const world = await createWorld();
  await world.put({ kind: "HotStandbyConfig", name: "gold", spec: CONFIG });
  await Promise.all([world.place("gold-hot-1", 0), world.place("gold-hot-2", 1), world.place("gold-warm-1", 2)]);
  const control = world.startControlPlane();
  await control.link.open();
  world.gateway.join();
  await world.clock.advance(1_000);
  return { ...world, control };
}

const ALL_READY = ["gold-hot-1/1 Ready", "gold-hot-2/1 Ready", "gold-warm-1/1 Ready"];

test("a new config starts its hot and warm instances together and serves when they gave the known answer", async () => {
  const { platform, gateway, states, status } = await createSteadyWorld();
  assert.deepEqual(await states(), ALL_READY);
  assert.deepEqual(platform.starts, ["gold-hot-1/1 on gpu-a/0", "gold-hot-2/1 on gpu-a/1", "gold-warm-1/1 on gpu-a/2"]);
  const { level, phase, epoch, knownAnswer } = await status();
  assert.deepEqual({ level, phase, epoch, knownAnswer }, { level: "hot", phase: "Normal", epoch: 1, knownAnswer: " comes in" });
  const table = gateway.table();
  assert.deepEqual(
    table.rungs.map((rung) => [rung.level, rung.activation.kind, ...rung.endpoints.map((e) => `${e.instance} ${e.isReady} ${e.weight}`)]),
    [
      ["hot", "none", "gold-hot-1 true 80", "gold-hot-2 true 20"],
      ["warm", "none", "gold-warm-1 true 0"],
      ["cold", "controller"],
    ],
  );
});

test("a killed engine is out of the table at once and restarted at once with the next generation", async () => {
  const { clock, platform, gateway, states } = await createSteadyWorld();
  const before = clock.monotonicMs();
  platform.kill("gold-hot-1");
  await clock.advance(8);
  assert.deepEqual(await states(), ["gold-hot-1/2 Starting", "gold-hot-2/1 Ready", "gold-warm-1/1 Ready"]);
  assert.deepEqual(
    gateway
      .table()
      .rungs[0]?.endpoints.map((e) => `${e.instance} ${e.isReady}`)
      .filter((line) => line.endsWith("true")),
    ["gold-hot-2 true"],
  );
  assert.ok(platform.engine("gold-hot-1").readyAtMs - before < 320);
  await clock.advance(500);
  assert.deepEqual(await states(), ["gold-hot-1/2 Ready", "gold-hot-2/1 Ready", "gold-warm-1/1 Ready"]);
});

test("a second death soon after waits half a second, and the wait is forgotten after ten calm seconds", async () => {
  const { clock, platform, states } = await createSteadyWorld();
  await clock.advance(10_000);
  platform.kill("gold-hot-1");
  await clock.advance(500);
  platform.kill("gold-hot-1");
  await clock.advance(400);
  assert.equal((await states())[0], "gold-hot-1/2 Failed");
  await clock.advance(600);
  assert.equal((await states())[0], "gold-hot-1/3 Ready");
  await clock.advance(11_000);
  platform.kill("gold-hot-1");
  await clock.advance(50);
  assert.equal((await states())[0], "gold-hot-1/4 Starting");
});

const report = (cause: "silent" | "no-progress" | "5xx"): UpMessage => ({
  type: "ejected",
  service: serviceName("gold"),
  instance: instanceName("gold-hot-1"),
  uid: uid("any"),
  generation: generation(1),
  cause,
  ageMs: 0,
});

test("a report about an engine that generates leaves it as it is, and the history says so", async () => {
  const { clock, platform, gateway, states, status } = await createSteadyWorld();
  gateway.say(report("5xx"));
  await clock.advance(2_000);
  assert.deepEqual(await states(), ALL_READY);
  assert.equal(platform.starts.length, 3);
  assert.match((await status()).history.at(-1)?.what ?? "", /Leaves gold-hot-1 as it is/);
});

for (const mode of ["stopped", "hung"] as const) {
  test(`a reported engine that is ${mode} is fenced and restarted after a second of judgement`, async () => {
    const { clock, platform, gateway, states } = await createSteadyWorld();
    platform.engine("gold-hot-1").mode = mode;
    gateway.say(report(mode === "hung" ? "no-progress" : "silent"));
    await clock.advance(900);
    assert.equal((await states())[0], "gold-hot-1/1 Suspect");
    assert.equal(gateway.table().rungs[0]?.endpoints[0]?.isReady, true);
    await clock.advance(2_000);
    assert.deepEqual(await states(), ["gold-hot-1/2 Ready", "gold-hot-2/1 Ready", "gold-warm-1/1 Ready"]);
  });
}

test("a stopped engine that runs again within the judgement stays", async () => {
  const { clock, platform, gateway, states } = await createSteadyWorld();
  platform.engine("gold-hot-1").mode = "stopped";
  gateway.say(report("silent"));
  await clock.advance(500);
  platform.engine("gold-hot-1").mode = "well";
  await clock.advance(2_000);
  assert.equal(platform.starts.length, 3, (await states()).join());
});
