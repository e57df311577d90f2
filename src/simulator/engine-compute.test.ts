import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createSimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import type { GpuPartition, PartitionMode } from "../api/gpu-partition.ts";
import type { Fault } from "../api/fault.ts";
import { GB } from "../base/bytes.ts";
import { instanceName, nodeName, partitionName, serviceName, tenantId } from "../base/ids.ts";
import { computeSlowdowns } from "../engine-model/compute-slowdown.ts";
import { gpuNode } from "../ports/gpu-driver-contract.ts";
import { createEngineRig, type EngineRig } from "./engine-rig.ts";

const AT = { node: nodeName("gpu-a"), gpu: 0 };
/** Steps of 10 ms alone, one answer at a time: a token is a step. */
const PROFILE = { maxBatch: 1, stepBaseMs: 10, stepPerSequenceMs: 0, prefillTokensPerSecond: 1e9, prefillChunkTokens: 2_048 };
const ENDLESS = { model: "tide-8b", prompt: "The tide", max_tokens: 4_000, ignore_eos: true, stream: true };

const partition = (name: string, mode: PartitionMode, { computePercent, at }: { computePercent: number; at: number }): GpuPartition => ({
  name: partitionName(`tenant-gpu-partition-${name}-1`),
  tenant: tenantId("tenant"),
  service: serviceName(name),
  instance: instanceName(name),
  mode,
  ...AT,
  mig: mode === "mig" ? { profile: "3g", start: 4 * at } : null,
  memoryBytes: 10 * GB,
  computePercent,
  leaving: null,
  phase: "Bound",
});

/** Engines on one GPU, cut for them in that order. */
async function createCard(mode: PartitionMode, percents: Readonly<Record<string, number>>, { demandRatio = 1, stepMs = 10 } = {}) {
  const clock = createSimulatedClock();
  const account = createSimulatedAccount(clock, { slowdowns: computeSlowdowns });
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  const engines = new Map<string, EngineRig>();
  for (const [pid, [name, computePercent]] of Object.entries(percents).entries()) {
    await account.driver.ensurePartition(partition(name, mode, { computePercent, at: pid }));
    const own = account.open({ instance: name, pid, isPromised: true });
    engines.set(
      name,
      createEngineRig(
        { instance: name, gpus: [AT], profile: { ...PROFILE, stepBaseMs: stepMs }, demandRatio },
        { account: own.account, clock },
      ),
    );
  }
  const started = [...engines.values()].map(({ engine }) => engine.start());
  await clock.advance(2_000);
  for (const one of started) assert.ok((await one).ok);
  const rig = (name: string): EngineRig => {
    const found = engines.get(name);
    assert.ok(found !== undefined);
    return found;
  };
  return {
    clock,
    rig,
    begin: (...names: readonly string[]) => names.map((name) => rig(name).send("POST", "/v1/completions", ENDLESS)),
    fault: (name: string, fault: Fault, forMs = 600_000) => {
      assert.equal(rig(name).send("POST", "/tidegate/faults", { fault, forMs }).status, 200);
    },
    /** Tokens of each in that time. */
    async tokensIn(forMs: number, names: readonly string[]): Promise<readonly number[]> {
      const before = names.map((name) => tokensOf(rig(name)));
      await clock.advance(forMs);
      return names.map((name, index) => tokensOf(rig(name)) - (before[index] ?? 0));
    },
    async holderOf(name: string) {
      const seen = await account.driver.observe();
      return seen.ok ? (seen.value[0]?.holders.find(({ instance }) => instance === name) ?? null) : null;
    },
  };
}

const tokensOf = (rig: EngineRig): number =>
  Number(/^vllm:generation_tokens_total\S* (\d+)/m.exec(rig.send("GET", "/metrics").text)?.[1] ?? Number.NaN);

const near = (got: readonly number[], wanted: readonly number[], ratio = 0.02): void => {
  for (const [index, value] of got.entries())
    assert.ok(Math.abs(value / (wanted[index] ?? 0) - 1) <= ratio, `${got.join(", ")} is not ${wanted.join(", ")}`);
};

test("an engine that works alone on a shared GPU is as fast as on the whole card, whatever its class", async () => {
  const card = await createCard("mps", { gold: 80, bronze: 20 });
  card.begin("bronze");
  near(await card.tokensIn(5_000, ["bronze"]), [500]);
});

for (const mode of ["mps", "vgpu"] as const) {
  test(`engines that all work on one GPU by ${mode} get the shares of their classes`, async () => {
    const card = await createCard(mode, { gold: 80, silver: 50, bronze: 20 });
    card.begin("gold", "silver", "bronze");
    await card.clock.advance(500);
    near(await card.tokensIn(30_000, ["gold", "silver", "bronze"]), [1_600, 1_000, 400]);
  });
}

test("a step in flight is as slow as the work that is beside it, and no slower", async () => {
  const card = await createCard("mps", { gold: 80, bronze: 20 }, { stepMs: 1_000 });
  const [gold] = card.begin("gold");
  card.begin("bronze");
  await card.clock.advance(1_000);
  gold?.goAway();
  // Gold's own step ends at 1,250 ms, and it rests 50 ms later: 260 ms of bronze's work are done by then, and 740 left.
  assert.deepEqual(await card.tokensIn(1_030, ["bronze"]), [0]);
  assert.deepEqual(await card.tokensIn(20, ["bronze"]), [1]);
});

test("an engine whose neighbours rest has the whole card again", async () => {
  const card = await createCard("mps", { gold: 80, bronze: 20 });
  card.begin("bronze");
  const [gold] = card.begin("gold");
  await card.clock.advance(1_000);
  gold?.goAway();
  await card.clock.advance(100);
  near(await card.tokensIn(2_000, ["bronze"]), [200]);
});

test("an engine with its own GPU is not slowed, and the account hears nothing of its work", async () => {
  const card = await createCard("exclusive", { gold: 100 });
  card.begin("gold");
  near(await card.tokensIn(5_000, ["gold"]), [500]);
  assert.equal((await card.holderOf("gold"))?.compute, null);
});

test("small engines by MPS delay each other by what they take of the card", async () => {
  const card = await createCard("mps", { one: 50, two: 50, three: 50 }, { demandRatio: 0.44 });
  card.begin("one", "two", "three");
  await card.clock.advance(500);
  near(await card.tokensIn(10_000, ["one", "two", "three"]), [1_000 / 1.88, 1_000 / 1.88, 1_000 / 1.88]);
});

test("what the driver sees of an engine that keeps to its share is what it was granted", async () => {
  const card = await createCard("mps", { gold: 80, bronze: 20 });
  card.begin("gold", "bronze");
  await card.clock.advance(20_000);
  const { grantedMs = 0, usedMs = 0 } = (await card.holderOf("bronze"))?.compute ?? {};
  near([grantedMs], [4_000], 0.1);
  near([usedMs / grantedMs], [1], 0.05);
});

test("an engine that ignores its share is as fast as alone, its neighbours pay, and the driver sees both", async () => {
  const card = await createCard("mps", { gold: 80, bronze: 20 });
  card.begin("gold", "bronze");
  await card.clock.advance(1_000);
  card.fault("bronze", { kind: "ignores-share" });
  await card.clock.advance(1_000);
  near(await card.tokensIn(4_000, ["gold", "bronze"]), [64, 400], 0.05);
  const { grantedMs = 0, usedMs = 0 } = (await card.holderOf("bronze"))?.compute ?? {};
  assert.ok(usedMs > 3 * grantedMs, `${usedMs} of ${grantedMs}`);
  card.rig("bronze").send("DELETE", "/tidegate/faults");
  await card.clock.advance(1_000);
  near(await card.tokensIn(4_000, ["gold", "bronze"]), [320, 80], 0.05);
});

test("an engine in a slice of hardware cannot ignore its share", async () => {
  const card = await createCard("mig", { gold: 50, bronze: 50 });
  card.begin("gold", "bronze");
  card.fault("bronze", { kind: "ignores-share" });
  await card.clock.advance(500);
  near(await card.tokensIn(10_000, ["gold", "bronze"]), [1_000 / 2.54, 1_000 / 2.54]);
});

for (const [mode, extraBytes] of [
  ["vgpu", 8 * GB],
  ["time-slicing", 8 * GB],
  ["mps", 0],
  ["mig", 0],
] as const) {
  test(`an engine by ${mode} that grabs memory ${extraBytes === 0 ? "is refused it" : "holds it until it lets go"}`, async () => {
    const card = await createCard(mode, { bronze: 20 });
    const heldBytes = async (): Promise<number> => (await card.holderOf("bronze"))?.usedBytes ?? 0;
    const before = await heldBytes();
    card.fault("bronze", { kind: "grabs-memory", bytes: 8 * GB }, 1_000);
    await card.clock.advance(100);
    assert.equal((await heldBytes()) - before, extraBytes);
    await card.clock.advance(1_000);
    assert.equal(await heldBytes(), before);
  });
}
