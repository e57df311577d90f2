import assert from "node:assert/strict";
import { test } from "node:test";
import { wallMs } from "../../base/ids.ts";
import { clusterStoreContract } from "../../ports/cluster-store-contract.ts";
import { createMemoryStore } from "./memory.ts";

const clock = { wallMs: () => wallMs(1_000) };

clusterStoreContract("memory store", async () => createMemoryStore(clock));

test("memory store: two stores with one history give equal objects", async () => {
  const write = async (): Promise<unknown> => {
    const store = createMemoryStore(clock);
    await store.create({ kind: "GPUNode", name: "gpu-a", labels: {}, annotations: {}, spec: { gpus: [] } });
    return store.list("GPUNode");
  };
  assert.deepEqual(await write(), await write());
});

test("memory store: what a reader got cannot be changed by it", async () => {
  const store = createMemoryStore(clock);
  const created = await store.create({ kind: "GPUNode", name: "gpu-a", labels: {}, annotations: {}, spec: { links: { disk: 1 } } });
  assert.ok(created.ok && Object.isFrozen(created.value.spec) && Object.isFrozen(created.value.spec["links"]));
});
