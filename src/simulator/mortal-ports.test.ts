import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createMemoryEventLog } from "../adapters/event-log/memory.ts";
import { createSimulatedLauncher } from "../adapters/engine-launcher/simulated.ts";
import { createInProcessLink } from "../adapters/gateway-link/in-process.ts";
import { createSimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { createMortalPorts } from "./mortal-ports.ts";
import { createSimulatedNetwork } from "./network.ts";
import { gpuNodeDraft } from "./world-resources.ts";

function mortals() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const random = createSeededRandom(1);
  const log = createMemoryEventLog();
  const mortal = createMortalPorts({
    store,
    launcher: createSimulatedLauncher(() => "no engine here"),
    driver: createSimulatedAccount(clock).driver,
    upstream: createSimulatedNetwork(clock, random).upstreamOf("control-plane"),
    hub: createInProcessLink().hub,
    gatewayProcesses: { known: [], watch: () => () => false },
    clock,
    random,
    log,
    stateId: "state-1",
  });
  return {
    mortal,
    clock,
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
    mortal.dieAtWrite(point, () => heard.push("died"));
    assert.ok((await mortal.ports.store.get("GPUNode", "gpu-a")).ok);
    for (const name of ["gpu-b", "gpu-c"]) {
      void mortal.ports.store.create(gpuNodeDraft(name, "az-1", 1)).then(() => heard.push(name));
      await clock.advance(0);
    }
    void mortal.ports.launcher.observe().then(() => heard.push("observed"));
    await clock.advance(0);
    assert.deepEqual([heard, await names()], [["died"], stored]);
  });
}
