// Real engine processes on one shared GPU: who takes more than it was granted is ended in time, named, and its neighbour has its share again.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readMetric } from "../src/wire/prometheus-text.ts";
import { fetchText, open, readInstances, watchKind, watchUntil } from "./support/client.ts";
import { ownDataDirs, startPlatform, type Platform } from "./support/platform.ts";
import { writeSharedCard } from "./support/shared-card.ts";

const dataDir = ownDataDirs();
const SERVICES = ["gold", "bronze"] as const;
const STEP_MS = 20;
/** The second time an instance is found it is not started at once: so long is that of the first. */
const CONTAINED_WITHIN_MS = 2_000;

const ENGINE = ["--step-base-ms", `${STEP_MS}`, "--step-per-sequence-ms", "0", "--max-num-seqs", "1"];

interface Engine {
  readonly pid: number;
  readonly port: number;
}

async function engineOf(platform: Platform, service: string): Promise<Engine> {
  const instance = (await readInstances(platform.adminPort, service)).get(`${service}-hot-1`);
  const endpoint = (instance as { readonly endpoint?: string } | undefined)?.endpoint;
  assert.ok(instance?.pid !== null && instance?.pid !== undefined && endpoint !== undefined);
  return { pid: instance.pid, port: Number(new URL(endpoint).port) };
}

/** One endless answer: the engine has work all the time. */
async function giveWork({ port }: Engine, model: string): Promise<void> {
  const response = await open(port, "/v1/completions", {
    body: { model, prompt: "The tide", max_tokens: 8_000, ignore_eos: true, stream: true },
  });
  response.on("error", () => undefined).resume();
}

/** Milliseconds that a token takes, over so many of them. */
async function stepMsOf({ port }: Engine, tokens: number): Promise<number> {
  const count = async (): Promise<number> => readMetric((await fetchText(port, "/metrics")).text, "vllm:generation_tokens_total") ?? 0;
  const [first, startedMs] = [await count(), performance.now()];
  for (;;) {
    const made = (await count()) - first;
    if (made >= tokens) return (performance.now() - startedMs) / made;
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

test("embedded: an engine that ignores its share is ended within 2 s and named, and its neighbour is as fast as its share again", async () => {
  const folder = dataDir();
  const manifests = dataDir();
  writeSharedCard(
    manifests,
    SERVICES.map((name) => ({ name, qosClass: name, args: ENGINE })),
  );
  const platform = await startPlatform([manifests], folder);
  await platform.seen("Gateway: ");
  for (const name of SERVICES) await watchUntil(platform.adminPort, name, (instances) => instances.get(`${name}-hot-1`)?.state === "Ready");
  const [gold, bronze] = [await engineOf(platform, "gold"), await engineOf(platform, "bronze")];
  for (const [engine, name] of [
    [gold, "gold"],
    [bronze, "bronze"],
  ] as const)
    await giveWork(engine, name);
  await stepMsOf(gold, 10);
  const besideMs = await stepMsOf(gold, 60);
  assert.ok(Math.abs(besideMs / (STEP_MS * 1.25) - 1) < 0.25, `beside bronze a step of gold takes ${besideMs} ms`);

  const startedMs = performance.now();
  const order = { fault: { kind: "ignores-share" }, forMs: 60_000 };
  assert.equal((await fetchText(bronze.port, "/tidegate/faults", { body: order })).status, 200);
  while (isAlive(bronze.pid) && performance.now() - startedMs < 10 * CONTAINED_WITHIN_MS) await fetchText(platform.adminPort, "/healthz");
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs <= CONTAINED_WITHIN_MS, `it was ended after ${tookMs} ms`);

  const told = { text: "" };
  await watchKind(platform.adminPort, "hotstandbyconfigs", ({ metadata, status }) => {
    if (metadata.name !== "bronze") return false;
    told.text = JSON.stringify(status);
    return /"type":"IsolationViolated","status":"True"/.test(told.text);
  });
  assert.match(told.text, /bronze-hot-1 of tenant tenant-bronze was ended once at [^ ]+ it took \d+ ms of GPU card\/0's time/);
  // Its place is taken by its next generation, which has no work yet: the card is gold's.
  await stepMsOf(gold, 10);
  const afterMs = await stepMsOf(gold, 60);
  assert.ok(afterMs <= besideMs * 1.05, `after it a step of gold takes ${afterMs} ms`);
  await assertPage(platform);
  platform.process.kill("SIGTERM");
  assert.equal(await platform.ended, 0);
});

/** The page is made anew every two seconds. */
async function assertPage(platform: Platform): Promise<void> {
  for (;;) {
    const { text } = await fetchText(platform.adminPort, "/metrics");
    const counted =
      /tidegate_isolation_violations_total\{tenant="tenant-bronze",service="bronze",instance="bronze-hot-1",what="compute"\} 1\n/;
    if (counted.test(text) && /tidegate_gpu_compute_achieved_ratio\{node="card",gpu="0",instance="gold-hot-1"\} 0\.[89]/.test(text)) return;
  }
}
