import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../base/json.ts";
import { fakeConfig, fakeNode } from "./fake-fleet.ts";
import { recoveryMs } from "./recovery-time.ts";
import { vetConfig } from "./vet-config.ts";

const node = fakeNode("gpu-a", "az-1");
const silver = (rtoTarget: string, weights: string, more: JsonObject = {}): JsonObject => ({
  tier: "silver",
  model: { name: "m", weights },
  failoverPolicy: { rtoTarget },
  ...more,
});
const sleeper = (more: JsonObject = {}): JsonObject => ({
  tier: "gold",
  model: { name: "m", weights: "140GB" },
  warmStandby: { rest: "asleep", memoryReserved: "175GB" },
  ...more,
});

/** 300 ms of silence, 250 ms to the second question, 1,200 ms without a step. */
const HANG_FOUND_MS = 2_050;
/** 8,192 tokens at 250,000 a second. */
const READ_MS = 32.768;

// In milliseconds: bytes over the link, + fixed, and 50 to verify where weights move.
const cases: readonly {
  readonly name: string;
  readonly spec: JsonObject;
  readonly comesBackAfterMs: number;
  readonly isImpossible: boolean;
}[] = [
  {
    name: "one engine of 16 GB loads over the network: 16 / 11 = 1.455 s + 0.2 s",
    spec: silver("60s", "16GB"),
    comesBackAfterMs: HANG_FOUND_MS + 16_000 / 11 + 200 + 50 + READ_MS,
    isImpossible: false,
  },
  {
    name: "with a cached image it loads from the disk: 16 / 12 = 1.333 s + 0.2 s",
    spec: silver("60s", "16GB", { coldStandby: { imageCache: true } }),
    comesBackAfterMs: HANG_FOUND_MS + 16_000 / 12 + 200 + 50 + READ_MS,
    isImpossible: false,
  },
  {
    name: "140 GB over the network, 12.727 s + 0.2 s, are too much for 5 s",
    spec: silver("5s", "140GB"),
    comesBackAfterMs: HANG_FOUND_MS + 140_000 / 11 + 200 + 50 + READ_MS,
    isImpossible: true,
  },
  {
    name: "140 GB over the network are one millisecond too much for 12,927 ms",
    spec: silver("12927ms", "140GB"),
    comesBackAfterMs: HANG_FOUND_MS + 140_000 / 11 + 200 + 50 + READ_MS,
    isImpossible: true,
  },
  {
    name: "what only the finding of a hang makes too long is not impossible: 12.928 s are for a load of 12.927 s",
    spec: silver("12928ms", "140GB"),
    comesBackAfterMs: HANG_FOUND_MS + 140_000 / 11 + 200 + 50 + READ_MS,
    isImpossible: false,
  },
  {
    name: "a second hot instance takes over without a load",
    spec: { tier: "platinum", model: { name: "m", weights: "140GB" }, failoverPolicy: { rtoTarget: "2s" } },
    comesBackAfterMs: HANG_FOUND_MS + READ_MS,
    isImpossible: false,
  },
  {
    name: "a resident warm instance takes over without a load",
    spec: { tier: "gold", model: { name: "m", weights: "140GB" }, failoverPolicy: { rtoTarget: "2s" } },
    comesBackAfterMs: HANG_FOUND_MS + READ_MS,
    isImpossible: false,
  },
  {
    name: "a sleeper of 140 GB wakes: 140 / 54 = 2.593 s + 0.2 s",
    spec: sleeper(),
    comesBackAfterMs: HANG_FOUND_MS + 140_000 / 54 + 200 + 50 + READ_MS,
    isImpossible: false,
  },
  {
    name: "a wake of 2.793 s is too much for 2.7 s",
    spec: sleeper({ failoverPolicy: { rtoTarget: "2700ms" } }),
    comesBackAfterMs: HANG_FOUND_MS + 140_000 / 54 + 200 + 50 + READ_MS,
    isImpossible: true,
  },
  {
    name: "with autoFailover false nobody wakes it, and the dead engine loads again",
    spec: sleeper({ failoverPolicy: { autoFailover: false } }),
    comesBackAfterMs: HANG_FOUND_MS + 140_000 / 11 + 200 + 50 + READ_MS,
    isImpossible: false,
  },
  {
    name: "with maxFailoverCount 0 nobody wakes it either",
    spec: sleeper({ failoverPolicy: { maxFailoverCount: 0, rtoTarget: "10s" } }),
    comesBackAfterMs: HANG_FOUND_MS + 140_000 / 11 + 200 + 50 + READ_MS,
    isImpossible: true,
  },
  {
    name: "a real engine takes 30 s to start beside its load, and reads 6,400 tokens a second",
    spec: silver("30s", "16GB", { model: { name: "m", engine: "vllm", weights: "16GB", contextLength: 6_400 } }),
    comesBackAfterMs: HANG_FOUND_MS + 16_000 / 11 + 30_000 + 50 + 1_000,
    isImpossible: true,
  },
  {
    name: "64 contexts over two hot instances: the one that is left reads 32 x 8,192 tokens in 1.049 s",
    spec: { tier: "platinum", limits: { concurrency: 64 } },
    comesBackAfterMs: HANG_FOUND_MS + (32 * 8_192) / 250,
    isImpossible: false,
  },
  {
    name: "the prefill rate of the model's arguments counts, the last one",
    spec: {
      tier: "platinum",
      model: { name: "m", contextLength: 10_000, args: ["--prefill-tokens-per-second", "5", "--prefill-tokens-per-second=10000"] },
    },
    comesBackAfterMs: HANG_FOUND_MS + 1_000,
    isImpossible: false,
  },
];
for (const { name, spec, comesBackAfterMs, isImpossible } of cases) {
  test(`alone: ${name}`, () => {
    const { recovery, impossible } = vetConfig(fakeConfig("x", spec), [node]);
    assert.ok(recovery !== null);
    assert.deepEqual([recoveryMs(recovery).toFixed(3), impossible !== null], [comesBackAfterMs.toFixed(3), isImpossible]);
  });
}

test("the fastest node that the service may use decides, and no other", () => {
  const slow = fakeNode("slow", "az-1", { links: { network: "1GB" } });
  const fast = fakeNode("fast", "az-2", { links: { network: "20GB" } });
  const anywhere = vetConfig(fakeConfig("x", silver("5s", "80GB")), [slow, fast]);
  assert.deepEqual([anywhere.recovery?.move?.node, anywhere.impossible], ["fast", null]);
  const hotStandby = { nodeSelector: { "topology.kubernetes.io/zone": "az-1" } };
  const pinned = vetConfig(fakeConfig("x", silver("5s", "80GB", { hotStandby })), [slow, fast]);
  assert.equal(pinned.recovery?.move?.node, "slow");
  assert.match(pinned.impossible?.what ?? "", /cold loads 80 GB over 1 GB\/s network = 80 s \+ 0\.2 s, alone over rtoTarget 5 s/);
});

const words: readonly { readonly name: string; readonly spec: JsonObject; readonly says: string }[] = [
  {
    name: "a load over the network",
    spec: silver("5s", "140GB"),
    says: "x: cold loads 140 GB over 11 GB/s network = 12.7 s + 0.2 s, alone over rtoTarget 5 s: use imageCache, a warm instance, or a longer rtoTarget.",
  },
  {
    name: "a load from the disk",
    spec: silver("5s", "140GB", { coldStandby: { imageCache: true } }),
    says: "x: cold loads 140 GB over 12 GB/s disk = 11.7 s + 0.2 s, alone over rtoTarget 5 s: use a warm instance, or a longer rtoTarget.",
  },
  {
    name: "a wake",
    spec: sleeper({ failoverPolicy: { rtoTarget: "2s" } }),
    says: "x: a wake moves 140 GB over 54 GB/s hostToGpu = 2.6 s + 0.2 s, alone over rtoTarget 2 s: use rest: resident, or a longer rtoTarget.",
  },
  {
    name: "a sleeper that nobody wakes",
    spec: sleeper({ failoverPolicy: { rtoTarget: "5s", autoFailover: false } }),
    says: "x: cold loads 140 GB over 11 GB/s network = 12.7 s + 0.2 s, alone over rtoTarget 5 s: use imageCache, autoFailover with a maxFailoverCount above 0, rest: resident, or a longer rtoTarget.",
  },
  {
    name: "a sleeper that no host can keep",
    spec: sleeper({ model: { name: "m", weights: "600GB" }, warmStandby: { rest: "asleep" } }),
    says: "x: x-warm-1 keeps 600 GB of weights in host memory, and the largest node that it may use has 512 GB of host memory: use rest: resident with lend: never, or a node with more.",
  },
];
for (const { name, spec, says } of words) {
  test(`impossible in words: ${name}`, () => {
    assert.equal(vetConfig(fakeConfig("x", spec), [node]).impossible?.what, says);
  });
}

test("of a service that fits no node nothing is said", () => {
  const config = fakeConfig("x", silver("1s", "140GB", { hotStandby: { capacityType: "spot" } }));
  assert.deepEqual(vetConfig(config, [node]), { impossible: null, recovery: null });
});
