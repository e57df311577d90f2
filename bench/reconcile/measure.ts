import { readStatus } from "../../src/controllers/read-stored.ts";
import { instanceName, type NodeName } from "../../src/base/ids.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import type { BenchPlatform } from "./bench-platform.ts";
import { serviceDraft } from "./fleet-drafts.ts";

/** One look at everything: the partition loop's, then each service's. */
export interface Pass {
  readonly totalMs: number;
  readonly partitionsMs: number;
  /** Of this thread alone: neither who shares the core nor a collector beside it counts. */
  readonly cpuMs: number;
  /** Of each service's look. */
  readonly looksMs: readonly number[];
}

const STEP_MS = 100;
/** Of virtual time: loading, waking, and leases that wait for each other. */
const SETTLED_WITHIN_MS = 600_000;
const LOOK_AGAIN_MS = 2_000;

/** Lets the loops' looks happen as they are asked for, until everything is as configured. */
export async function settle(platform: BenchPlatform, tell: (state: string) => void): Promise<void> {
  const untilMs = platform.clock.monotonicMs() + SETTLED_WITHIN_MS;
  let state = "";
  let nextLookMs = platform.clock.monotonicMs() + LOOK_AGAIN_MS;
  while (platform.clock.monotonicMs() < untilMs) {
    const { services, hasPartitions } = platform.takeAsked();
    if (hasPartitions) await platform.reconcilePartitions();
    for (const service of services) await platform.standby.reconcile(service);
    await platform.clock.advance(STEP_MS);
    if (platform.clock.monotonicMs() < nextLookMs) continue;
    nextLookMs = platform.clock.monotonicMs() + LOOK_AGAIN_MS;
    const phases = await phasesOf(platform);
    state = [...phases].map(([phase, count]) => `${count} ${phase}`).join(", ");
    tell(state);
    if (phases.size === 1 && phases.has("Normal") && services.length === 0) return;
    // What no event reports is seen by the next look at everything.
    await lookAtAll(platform);
  }
  throw new Error(`The platform did not become as configured within ${SETTLED_WITHIN_MS / 1_000} s of its own time: ${state}.`);
}

async function phasesOf({ store }: BenchPlatform): Promise<ReadonlyMap<string, number>> {
  const phases = new Map<string, number>();
  for (const status of (await configsOf(store)).map((resource) => resource.status)) {
    const read = status === null ? null : readStatus(status);
    const phase = read?.ok === true ? read.value.phase : "new";
    phases.set(phase, 1 + (phases.get(phase) ?? 0));
  }
  return phases;
}

async function configsOf(store: BenchPlatform["store"]) {
  const listed = await store.list("HotStandbyConfig");
  if (!listed.ok) throw new Error(`The configs cannot be listed: ${listed.error.code}.`);
  return listed.value.items;
}

export async function lookAtAll(platform: BenchPlatform): Promise<Pass> {
  const names = (await configsOf(platform.store)).map(({ name }) => name);
  const cpuBefore = process.threadCpuUsage();
  const startedMs = monotonicMs();
  await platform.reconcilePartitions();
  const partitionsMs = monotonicMs() - startedMs;
  const looksMs: number[] = [];
  for (const name of names) looksMs.push(await timeLook(platform, name));
  const { user, system } = process.threadCpuUsage(cpuBefore);
  return { totalMs: monotonicMs() - startedMs, partitionsMs, cpuMs: (user + system) / 1_000, looksMs };
}

async function timeLook({ standby }: BenchPlatform, service: string): Promise<number> {
  const startedMs = monotonicMs();
  await standby.reconcile(service);
  return monotonicMs() - startedMs;
}

/** Nothing has changed. */
export async function steadyPasses(platform: BenchPlatform, rounds: number): Promise<readonly Pass[]> {
  const passes: Pass[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await platform.clock.advance(LOOK_AGAIN_MS);
    passes.push(await lookAtAll(platform));
  }
  return passes;
}

/** Of each service in turn one hot engine dies: how long is the look that sees it, and decides what is done. */
export async function deadInstanceLooks(
  platform: BenchPlatform,
  counts: { readonly looks: number; readonly services: number },
): Promise<readonly number[]> {
  const looksMs: number[] = [];
  for (let index = 0; index < counts.looks; index += 1) {
    const { name } = serviceDraft(index % counts.services);
    // One that has just died is not dead again: it is not started yet.
    if (!platform.launcher.kill(instanceName(`${name}-hot-1`), "killed by the bench")) continue;
    await platform.clock.advance(1);
    looksMs.push(await timeLook(platform, name));
  }
  return looksMs;
}

/** How soon after a loss it is looked at again, and how often. */
const AFTER_LOSS_MS = [0, 250, 250, 500, 1_000];

/** All GPUs of a node are lost: its engines are dead, and what stood there is placed elsewhere. */
export async function nodeLostPasses(platform: BenchPlatform): Promise<readonly Pass[]> {
  const node = await fullestNode(platform);
  platform.account.loseGpus({ kind: "gpu-lost", mode: "fallen_off_bus", node, gpu: null }, LOST_FOR_MS);
  await platform.clock.advance(1);
  const passes: Pass[] = [];
  for (const afterMs of AFTER_LOSS_MS) {
    await platform.clock.advance(afterMs);
    passes.push(await lookAtAll(platform));
  }
  platform.account.restoreGpus({ node, gpu: null });
  return passes;
}

/** With the most engines on its GPUs. */
async function fullestNode({ account }: BenchPlatform): Promise<NodeName> {
  const observed = await account.driver.observe();
  const byNode = Map.groupBy(observed.ok ? observed.value : [], ({ node }) => node);
  const engines = [...byNode].map(([node, gpus]) => ({ node, count: gpus.reduce((count, { holders }) => count + holders.length, 0) }));
  const [fullest] = engines.toSorted((left, right) => right.count - left.count);
  if (fullest === undefined || fullest.count === 0) throw new Error("No node has an engine on it.");
  return fullest.node;
}

const LOST_FOR_MS = 3_600_000;

/** One service more. */
export async function serviceAddedPasses(platform: BenchPlatform, index: number): Promise<readonly Pass[]> {
  const created = await platform.store.create(serviceDraft(index));
  if (!created.ok) throw new Error(`A service more is not created: ${created.error.code}.`);
  return [await lookAtAll(platform), await lookAtAll(platform)];
}
