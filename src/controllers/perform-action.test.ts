import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { generation, instanceName, nodeName, partitionName, uid } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import type { LaunchPlan } from "../ports/engine-launcher.ts";
import type { InstanceTasks } from "./instance-tasks.ts";
import { performAction } from "./perform-action.ts";

/** The plan by which an instance of this config is started on gpu-a/0. */
function planOf(instance: string, spec: JsonObject): LaunchPlan {
  const config = parseHotStandbyConfig({ name: "s", spec: { tenant: "s", tier: "gold", ...spec } });
  const node = parseGpuNode({
    name: "gpu-a",
    labels: {},
    spec: { links: { disk: "6GB", network: "2GB" }, gpus: [{ model: "H100-80GB" }] },
  });
  assert.ok(config.ok && node.ok);
  const name = instanceName(instance);
  const member = { node: nodeName("gpu-a"), gpu: 0, partition: partitionName("p") };
  const context = {
    config: config.value,
    nodes: new Map([[nodeName("gpu-a"), node.value]]),
    memoryBytes: new Map([[name, 40e9]]),
    environments: new Map([[name, { CUDA_VISIBLE_DEVICES: "0" }]]),
    members: new Map(),
    machineOf: () => "local",
  };
  const plans: LaunchPlan[] = [];
  const nothing = (): undefined => undefined;
  const tasks: InstanceTasks = {
    view: () => null,
    settle: nothing,
    start: (plan) => void plans.push(plan),
    wake: nothing,
    sleep: nothing,
    check: nothing,
    drain: nothing,
    fence: nothing,
    stop: async () => undefined,
  };
  performAction(
    { type: "start", instance: name, uid: uid("u"), generation: generation(1), members: [member], isUrgent: false },
    context,
    tasks,
  );
  const [plan] = plans;
  assert.ok(plan);
  return plan;
}

test("a cached image loads at the disk's rate, another one at the network's", () => {
  assert.deepEqual(planOf("s-hot-1", { coldStandby: { imageCache: true } }).load, { link: "disk", bytesPerSecond: 6e9 });
  assert.deepEqual(planOf("s-hot-1", { coldStandby: {} }).load, { link: "network", bytesPerSecond: 2e9 });
});

test("an engine is started with the environment that its partitions are realised as", () => {
  assert.deepEqual(planOf("s-hot-1", {}).environment, { CUDA_VISIBLE_DEVICES: "0" });
});

test("only a warm instance that may sleep is started so that it can", () => {
  const sleepable = (instance: string, warmStandby: JsonObject): boolean => planOf(instance, { warmStandby }).isSleepable;
  assert.equal(sleepable("s-warm-1", { rest: "asleep", lend: "never" }), true);
  assert.equal(sleepable("s-warm-1", { rest: "resident", lend: "never" }), false);
  assert.equal(sleepable("s-hot-1", { rest: "asleep", lend: "never" }), false);
});
