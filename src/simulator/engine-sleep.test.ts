import { test } from "node:test";
import assert from "node:assert/strict";
import { GB } from "../base/bytes.ts";
import { nodeName } from "../base/ids.ts";
import { err, ok } from "../base/result.ts";
import type { GpuAccount } from "../ports/gpu-account.ts";
import { explainStartError } from "./engine-handler.ts";
import { gpuNode } from "../ports/gpu-driver-contract.ts";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createSimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import { createEngineRig, startEngineRig, type EngineRig } from "./engine-rig.ts";
import { parseTranscript } from "./parse-engine-transcript.ts";

const PROMPT = { prompt: "The tide", temperature: 0, max_tokens: 8, ignore_eos: true, stream: true };
const say = async (rig: EngineRig): Promise<string> => parseTranscript((await rig.ask("POST", "/v1/completions", PROMPT)).text).text;
const isSleeping = (rig: EngineRig): boolean => rig.send("GET", "/is_sleeping").text === '{"is_sleeping":true}';
const NODE = nodeName("gpu-a");

/** An account with one GPU, that remembers what is held. */
function createOneGpu(freeBytes: number): { account: GpuAccount; held: { gpu: number; host: number }; setFree(bytes: number): void } {
  const held = { gpu: 0, host: 0 };
  let free = freeBytes;
  return {
    held,
    setFree: (bytes) => {
      free = bytes;
    },
    account: {
      holdGpu: (at, bytes) => {
        if (bytes > free)
          return Promise.resolve(
            err({ code: "NO_GPU_MEMORY", ...at, neededBytes: bytes, freeBytes: free, holders: [{ instance: "other", usedBytes: 5 * GB }] }),
          );
        held.gpu = bytes;
        return Promise.resolve(ok(null));
      },
      holdHost: (_node, bytes) => {
        held.host = bytes;
        return Promise.resolve(ok(null));
      },
      transfer: () => Promise.resolve(ok(null)),
      grabGpu: async () => ok(null),
      watchLoss: () => () => undefined,
      shareCompute: () => ({ tell: () => undefined, stop: () => undefined }),
    },
  };
}

test("an engine asleep wakes to the same answers, after its weights came back", async () => {
  const rig = await startEngineRig();
  const before = await say(rig);
  assert.equal((await rig.ask("POST", "/sleep?level=1")).status, 200);
  assert.ok(isSleeping(rig));
  const wake = rig.send("POST", "/wake_up");
  await rig.clock.advance(299);
  assert.deepEqual([wake.isEnded, isSleeping(rig)], [false, true]);
  await rig.clock.advance(1);
  assert.deepEqual([wake.status, isSleeping(rig)], [200, false]);
  assert.equal(await say(rig), before);
});

test("an engine sleeps until all tags are back", async () => {
  const rig = await startEngineRig();
  await rig.ask("POST", "/sleep");
  await rig.ask("POST", "/wake_up?tags=weights");
  assert.ok(isSleeping(rig));
  await rig.ask("POST", "/wake_up?tags=kv_cache");
  assert.ok(!isSleeping(rig));
});

test("two wakes at once are one wake", async () => {
  const rig = await startEngineRig();
  await rig.ask("POST", "/sleep");
  const wakes = [rig.send("POST", "/wake_up"), rig.send("POST", "/wake_up")];
  await rig.clock.advance(300);
  assert.deepEqual(
    wakes.map(({ status }) => status),
    [200, 200],
  );
});

test("a request to an engine asleep ends its process, or is refused where that is asked for", async () => {
  const strict = await startEngineRig();
  await strict.ask("POST", "/sleep");
  strict.send("POST", "/v1/completions", PROMPT);
  assert.deepEqual(strict.crashes, ["a request came while the engine was asleep"]);
  const mild = await startEngineRig({ diesOfRequestsAsleep: false });
  await mild.ask("POST", "/sleep");
  assert.deepEqual([mild.send("POST", "/v1/completions", PROMPT).status, mild.crashes], [503, []]);
});

test("an engine is asleep from the moment that sleep is asked for", async () => {
  const rig = await startEngineRig();
  rig.send("POST", "/sleep");
  rig.send("POST", "/v1/completions", PROMPT);
  assert.equal(rig.crashes.length, 1);
});

test("sleep while something runs ends the process", async () => {
  const rig = await startEngineRig();
  rig.send("POST", "/v1/completions", { ...PROMPT, max_tokens: 1_000 });
  await rig.clock.advance(100);
  rig.send("POST", "/sleep");
  assert.deepEqual(rig.crashes, ["sleep was asked for while a request ran"]);
});

test("a sleep that only an unwritten answer waits for ends nobody: the metrics say that nothing runs, and nothing does", async () => {
  const rig = await startEngineRig();
  const fault = rig.send("POST", "/tidegate/faults", { fault: { kind: "stall", afterTokens: 2 }, forMs: 60_000 });
  await rig.clock.advance(1);
  assert.equal(fault.status, 200);
  rig.send("POST", "/v1/completions", { ...PROMPT, max_tokens: 4, stream: true });
  await rig.clock.advance(2_000);
  rig.send("POST", "/sleep");
  assert.deepEqual(rig.crashes, []);
});

test("a wake of an engine that is awake does nothing and answers 200", async () => {
  const rig = await startEngineRig();
  const startMs = rig.clock.monotonicMs();
  const wake = rig.send("POST", "/wake_up");
  await rig.clock.advance(0);
  assert.deepEqual([wake.status, rig.clock.monotonicMs()], [200, startMs]);
});

test("a mild engine's sleep aborts what runs, which says so", async () => {
  const rig = await startEngineRig({ diesOfRequestsAsleep: false });
  const running = rig.send("POST", "/v1/completions", { ...PROMPT, max_tokens: 1_000 });
  await rig.clock.advance(100);
  await rig.ask("POST", "/sleep");
  const { finish, isDone, ids } = parseTranscript(running.text);
  assert.deepEqual([finish, isDone, ids], ["abort", true, []]);
});

test("weights after a sleep of level 2 are garbage until they are loaded again", async () => {
  const rig = await startEngineRig();
  const before = await say(rig);
  await rig.ask("POST", "/sleep?level=2");
  await rig.ask("POST", "/wake_up");
  assert.equal(await say(rig), "!!!!!!!!");
  assert.equal((await rig.ask("POST", "/collective_rpc", { method: "reload_weights" })).status, 200);
  assert.equal(await say(rig), before);
});

test("sleep and wake do not exist where they are not enabled", async () => {
  const rig = await startEngineRig({ isSleepEnabled: false });
  assert.deepEqual(
    ["/sleep", "/wake_up", "/collective_rpc"].map((target) => rig.send("POST", target).status),
    [404, 404, 404],
  );
  assert.ok(!isSleeping(rig));
});

test("a sleep level or tag that is unknown is refused", async () => {
  const rig = await startEngineRig();
  assert.deepEqual([rig.send("POST", "/sleep?level=3").status, rig.send("POST", "/wake_up?tags=all").status], [400, 400]);
});

test("an engine holds all its memory awake, its parked bytes asleep, and its weights' copy on the host", async () => {
  const gpu = createOneGpu(4 * GB);
  const rig = await startEngineRig({ gpus: [{ node: NODE, gpu: 0 }] }, { account: gpu.account });
  assert.deepEqual(gpu.held, { gpu: 4 * GB, host: 1 * GB });
  await rig.ask("POST", "/sleep");
  assert.deepEqual(gpu.held, { gpu: 0.4 * GB, host: 1 * GB });
  await rig.ask("POST", "/wake_up");
  assert.deepEqual(gpu.held, { gpu: 4 * GB, host: 1 * GB });
});

test("a wake without free memory fails and leaves the engine asleep", async () => {
  const gpu = createOneGpu(4 * GB);
  const rig = await startEngineRig({ gpus: [{ node: NODE, gpu: 0 }] }, { account: gpu.account });
  await rig.ask("POST", "/sleep");
  gpu.setFree(1 * GB);
  assert.deepEqual([(await rig.ask("POST", "/wake_up")).status, isSleeping(rig), gpu.held.gpu], [500, true, 0.4 * GB]);
});

test("an engine whose GPU is lost ends its process, awake or asleep", async () => {
  for (const isAsleep of [false, true]) {
    const clock = createSimulatedClock();
    const account = createSimulatedAccount(clock);
    await account.driver.ensureInventory([gpuNode("gpu-a")]);
    const rig = await startEngineRig(
      { gpus: [{ node: NODE, gpu: 0 }] },
      { account: account.open({ instance: "warm-1", pid: 1 }).account, clock },
    );
    if (isAsleep) await rig.ask("POST", "/sleep");
    account.loseGpus({ kind: "gpu-lost", mode: "fallen_off_bus", node: NODE, gpu: 1 }, 1_000);
    assert.deepEqual(rig.crashes, []);
    account.loseGpus({ kind: "gpu-lost", mode: "fallen_off_bus", node: NODE, gpu: 0 }, 1_000);
    assert.deepEqual(rig.crashes, ["GPU gpu-a/0 has fallen off the bus (Xid 79)"]);
  }
});

test("what a sleeping engine still holds is parked on the account, and it is awake from the first bytes of its wake", async () => {
  const clock = createSimulatedClock();
  const account = createSimulatedAccount(clock);
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  const holding = account.open({ instance: "warm-1", pid: 1 });
  const rig = await startEngineRig({ gpus: [{ node: NODE, gpu: 0 }] }, { account: holding.account, clock });
  const states: unknown[] = [];
  const usedBytes: number[] = [];
  const look = async (): Promise<void> => {
    const seen = await account.driver.observe();
    const [holder] = seen.ok ? (seen.value[0]?.holders ?? []) : [];
    states.push(holder?.state);
    usedBytes.push(holder?.usedBytes ?? 0);
  };
  await look();
  await rig.ask("POST", "/sleep");
  await look();
  await rig.ask("POST", "/wake_up?tags=weights");
  await look();
  assert.deepEqual(states, ["awake", "parked", "awake"]);
  const [awake = 0, parked = 0, waking = 0] = usedBytes;
  assert.ok(0 < parked && parked < waking && waking < awake, `${parked}, ${waking}, ${awake}`);
});

test("wakes at once on one node share its link, and each takes as long as if it moved all their weights", async () => {
  const clock = createSimulatedClock();
  const account = createSimulatedAccount(clock);
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  const rigs = [0, 1].map((gpu) => {
    const holding = account.open({ instance: `warm-${gpu}`, pid: gpu });
    return createEngineRig({ gpus: [{ node: NODE, gpu }] }, { account: holding.account, clock });
  });
  for (const rig of rigs) {
    void rig.engine.start();
    await clock.advance(1_000);
    await rig.ask("POST", "/sleep");
  }
  const wakes = rigs.map((rig) => rig.send("POST", "/wake_up"));
  // 200 ms of its own, then 2 GB in all at 10 GB a second.
  await clock.advance(399);
  assert.deepEqual(
    wakes.map(({ status }) => status),
    [null, null],
  );
  await clock.advance(1);
  assert.deepEqual(
    wakes.map(({ status }) => status),
    [200, 200],
  );
});

test("an engine that gets no memory does not start, and says who holds it", async () => {
  const gpu = createOneGpu(3 * GB);
  const rig = createEngineRig({ gpus: [{ node: NODE, gpu: 0 }] }, { account: gpu.account });
  const started = await rig.engine.start();
  assert.ok(!started.ok);
  assert.deepEqual(explainStartError(started.error), {
    what: "GPU gpu-a/0 is out of memory.",
    why: "4 GB are needed, 3 GB are free; it is held by: other 5 GB.",
    next: "Place the instance elsewhere, or free that GPU.",
  });
  assert.equal(rig.send("GET", "/health").status, 503);
});

test("an engine that nobody claims for 30 seconds ends itself", async () => {
  const rig = createEngineRig({ claim: "state-1" });
  await rig.clock.advance(20_000);
  rig.send("GET", "/health", undefined, ["X-Tidegate-Claim", "state-1"]);
  await rig.clock.advance(29_000);
  assert.deepEqual(rig.unclaimed, []);
  rig.send("GET", "/metrics", undefined, ["x-tidegate-claim", "state-2"]);
  rig.send("GET", "/health");
  rig.send("GET", "/v1/models", undefined, ["x-tidegate-claim", "state-1"]);
  await rig.clock.advance(2_000);
  assert.deepEqual(rig.unclaimed, [50_000]);
});

test("an engine that was stopped for a while reads its waiting claims before it judges", async () => {
  let lateMs = 10_000;
  const rig = createEngineRig({ claim: "state-1" }, { lateMs: () => lateMs });
  lateMs = 0;
  await rig.clock.advance(40_000);
  rig.send("GET", "/health", undefined, ["x-tidegate-claim", "state-1"]);
  await rig.clock.advance(29_999);
  assert.deepEqual(rig.unclaimed, []);
  await rig.clock.advance(1);
  assert.deepEqual(rig.unclaimed, [70_000]);
});

test("an engine without a claim lives on alone", async () => {
  const rig = createEngineRig();
  await rig.clock.advance(3_600_000);
  assert.deepEqual(rig.unclaimed, []);
});
