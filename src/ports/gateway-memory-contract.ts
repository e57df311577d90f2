import { test } from "node:test";
import assert from "node:assert/strict";
import { epoch, generation, instanceName, keyHash, keyId, nodeName, serviceName, tenantId, uid } from "../base/ids.ts";
import type { GatewayMemory, GatewaySnapshot } from "./gateway-memory.ts";

export interface GatewayMemoryUnderTest {
  readonly memory: GatewayMemory;
  /** What a gateway that starts anew would open. */
  readonly reopen: () => GatewayMemory;
  readonly dispose: () => Promise<void>;
}

/** What every GatewayMemory promises. */
export function testGatewayMemoryContract(adapter: string, make: () => Promise<GatewayMemoryUnderTest>): void {
  test(`${adapter} gateway memory: it is empty at first`, async () => {
    const { memory, dispose } = await make();
    assert.equal(await memory.load(), null);
    await dispose();
  });

  test(`${adapter} gateway memory: a later gateway loads exactly what was saved`, async () => {
    const { memory, reopen, dispose } = await make();
    assert.equal(await memory.save(exampleSnapshot("state-ä")), true);
    assert.deepEqual(await reopen().load(), exampleSnapshot("state-ä"));
    await dispose();
  });

  test(`${adapter} gateway memory: of many saves at once the newest is kept and all are answered`, async () => {
    const { memory, reopen, dispose } = await make();
    const saves = Array.from({ length: 20 }, (_, index) => memory.save(exampleSnapshot(`state-${index}`)));
    assert.deepEqual(new Set(await Promise.all(saves)), new Set([true]));
    assert.equal((await reopen().load())?.stateId, "state-19");
    await dispose();
  });
}

export function exampleSnapshot(stateId: string): GatewaySnapshot {
  const tenant = tenantId("tenant-gold");
  const endpoint = {
    instance: instanceName("tenant-gold-hot-1"),
    uid: uid("instance-1"),
    generation: generation(3),
    address: { host: "127.0.0.1", port: 40_001 },
    engine: "simulated",
    upstreamModel: null,
    isReady: true,
    isAsleep: false,
    isWaking: false,
    weight: 80,
    maxBatch: 64,
    node: nodeName("gpu-a"),
    zone: "az-1",
    fingerprint: "tide-8b/r1",
    hasProgress: true,
    namesIds: true,
  } as const;
  return {
    stateId,
    tables: [
      {
        uid: uid("service-1"),
        epoch: epoch(2),
        revision: 31,
        service: serviceName("tenant-gold"),
        tenant,
        tier: "gold",
        models: ["tide-8b"],
        contextLength: 8_192,
        rungs: [{ level: "hot", activation: { kind: "none" }, endpoints: [endpoint] }],
        serveFrom: "hot",
        returnPercent: 0,
        knownAnswer: null,
        priority: 0,
        grants: { descent: "automatic", movesLeft: 3 },
        degraded: [{ kind: "queue", upToMs: 30_000 }, { kind: "shed" }],
        overflow: { inFlightRatio: 0.9, queuedForMs: 100 },
        limits: { requestsPerMinute: 600, tokensPerMinute: null, concurrency: 64, maxTokens: null },
        mirrorPercent: 10,
        rtoTargetMs: 15_000,
      },
    ],
    keys: [{ hash: keyHash("ab".repeat(32)), id: keyId("key-1"), tenant }],
  };
}
