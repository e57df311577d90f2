import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createMemoryEventLog } from "../adapters/event-log/memory.ts";
import { createSimulatedLauncher } from "../adapters/engine-launcher/simulated.ts";
import { createInProcessLink } from "../adapters/gateway-link/in-process.ts";
import { createSimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import type { LaunchPlan } from "../ports/engine-launcher.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";
import { gatewayId, generation, instanceName, nodeName, partitionName, serviceName, tenantId, uid } from "../base/ids.ts";
import type { ControlPorts } from "../controllers/start-controllers.ts";
import { CRASH_SITES, type CrashSite } from "./crash-points.ts";
import { createMortalPorts } from "./mortal-ports.ts";
import { createSimulatedNetwork } from "./network.ts";
import { gpuNodeDraft } from "./world-resources.ts";

/** Ports over nothing much, and what was called through to it. */
function mortals() {
  const clock = createSimulatedClock();
  const random = createSeededRandom(1);
  const calls: string[] = [];
  const counted = <Port extends object>(name: string, port: Port): Port =>
    new Proxy(port, {
      get(target, method, receiver) {
        calls.push(`${name}.${String(method)}`);
        const value: unknown = Reflect.get(target, method, receiver);
        return value;
      },
    });
  const store = createMemoryStore(clock);
  const network = createSimulatedNetwork(clock, random);
  const { hub } = createInProcessLink();
  const ports: ControlPorts = {
    store: counted("store", store),
    launcher: counted(
      "launcher",
      createSimulatedLauncher(() => "no engine here"),
    ),
    driver: counted("driver", createSimulatedAccount(clock).driver),
    upstream: counted("upstream", network.upstreamOf("control-plane")),
    hub: { listen: (events) => hub.listen(events), send: () => void calls.push("hub.send"), close: () => hub.close() },
    gatewayProcesses: { running: () => [], watch: () => () => false },
    clock,
    random,
    log: createMemoryEventLog(),
    stateId: "state-1",
  };
  return {
    mortal: createMortalPorts(ports),
    clock,
    calls,
    names: async () => {
      const listed = await store.list("GPUNode");
      return listed.ok ? listed.value.items.map(({ name }) => name) : [];
    },
  };
}

for (const { point, stored } of [
  { point: "before", stored: ["gpu-a"] },
  { point: "after", stored: ["gpu-a", "gpu-b"] },
] as const) {
  test(`a control plane that dies ${point} a write never hears of it, and does nothing any more`, async () => {
    const { mortal, clock, names } = mortals();
    assert.ok((await mortal.ports.store.create(gpuNodeDraft("gpu-a", "az-1", 1))).ok);
    const heard: string[] = [];
    mortal.dieAt({ point, site: null }, (site) => heard.push(`died at ${site}`));
    assert.ok((await mortal.ports.store.get("GPUNode", "gpu-a")).ok);
    for (const name of ["gpu-b", "gpu-c"]) {
      void mortal.ports.store.create(gpuNodeDraft(name, "az-1", 1)).then(() => heard.push(name));
      await clock.advance(0);
    }
    void mortal.ports.launcher.observe().then(() => heard.push("observed"));
    mortal.ports.clock.after(1, () => heard.push("a timer"));
    await clock.advance(10);
    assert.deepEqual([heard, await names()], [["died at store.create"], stored]);
  });
}

const PLAN: LaunchPlan = {
  instance: instanceName("tenant-gold-hot-1"),
  uid: uid("uid-1"),
  generation: generation(1),
  model: {
    name: "tide-8b",
    engine: "simulated",
    revision: "r1",
    weightsBytes: 1,
    contextLength: 1,
    tensorParallelSize: 1,
    image: null,
    command: [],
    args: [],
    adapters: [],
  },
  members: [],
  environment: {},
  memoryBytesPerGpu: 1,
  load: { link: "disk", bytesPerSecond: 1 },
  hostToGpuBytesPerSecond: 1,
  isSleepable: false,
};
const NODE = gpuNodeDraft("gpu-a", "az-1", 1);
const PARTITION: GpuPartition = {
  name: partitionName("tenant-gold-hot-1-0"),
  tenant: tenantId("tenant-gold"),
  service: serviceName("tenant-gold"),
  instance: PLAN.instance,
  mode: "exclusive",
  memoryBytes: 1,
  computePercent: 100,
  node: nodeName("gpu-a"),
  gpu: 0,
  mig: null,
  leaving: null,
  phase: "Bound",
};
const NOTHING = { head: () => undefined, data: () => undefined, end: () => undefined, failed: () => undefined };
/** Every mutating call, made once: a crash point that is added does not compile until it stands here. */
const MAKE: Readonly<Record<CrashSite, (ports: ControlPorts) => unknown>> = {
  "store.create": ({ store }) => store.create(NODE),
  "store.writeSpec": ({ store }) => store.writeSpec(NODE, "1"),
  "store.writeStatus": ({ store }) => store.writeStatus(NODE, {}, "1"),
  "store.remove": ({ store }) => store.remove("GPUNode", "gpu-a"),
  "store.applyAll": ({ store }) => store.applyAll([]),
  "launcher.ensure": ({ launcher }) => launcher.ensure(PLAN),
  "launcher.remove": ({ launcher }) => launcher.remove(PLAN.instance, 0),
  "driver.ensureInventory": ({ driver }) => driver.ensureInventory([]),
  "driver.ensurePartition": ({ driver }) => driver.ensurePartition(PARTITION),
  "driver.removePartition": ({ driver }) => driver.removePartition(PARTITION),
  "upstream.call": ({ upstream }) =>
    upstream.call({ host: "h", port: 1 }, { method: "GET", target: "/", headers: [], body: null }, NOTHING),
  "hub.send": ({ hub }) => hub.send(gatewayId("gateway-0"), { type: "synced" }),
};

test("every mutating call of every port is a crash point, before it and after it, and the list is whole", async () => {
  assert.deepEqual(new Set(CRASH_SITES), new Set(Object.keys(MAKE)));
  for (const site of CRASH_SITES) {
    for (const point of ["before", "after"] as const) {
      const { mortal, calls, clock } = mortals();
      const died: string[] = [];
      mortal.dieAt({ point, site }, (at) => died.push(at));
      for (const other of CRASH_SITES) if (other !== site) MAKE[other](mortal.ports);
      await clock.advance(0);
      assert.deepEqual([died, calls.includes(site)], [[], false], `no other call than ${site} is this crash point`);
      MAKE[site](mortal.ports);
      MAKE[site](mortal.ports);
      await clock.advance(0);
      const made = calls.filter((call) => call === site).length;
      assert.deepEqual([died, made], [[site], point === "after" ? 1 : 0], `${point} ${site}`);
    }
  }
});

test("what a paused control plane asked for is answered when it goes on", async () => {
  const { mortal, clock } = mortals();
  const heard: string[] = [];
  void mortal.ports.store.create(NODE).then(() => heard.push("created"));
  mortal.ports.store.watch(({ name }) => heard.push(`watched ${name}`));
  mortal.life.pause();
  await clock.advance(1_000);
  assert.deepEqual(heard, []);
  mortal.life.resume();
  await clock.advance(0);
  assert.deepEqual(new Set(heard), new Set(["created", "watched gpu-a"]));
});
