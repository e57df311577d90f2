import assert from "node:assert/strict";
import { test } from "node:test";
import { generation, instanceName, nodeName, uid } from "../base/ids.ts";
import type { Result } from "../base/result.ts";
import type { EngineExit, EngineLauncher, LaunchError, LaunchPlan, RunningEngine } from "./engine-launcher.ts";

/** What the contract needs of an adapter: a fresh launcher, and a way to let an engine die. */
export interface LauncherRig {
  readonly launcher: EngineLauncher;
  /** Ends the engine from outside, as SIGKILL does. */
  kill(engine: RunningEngine): void;
  /** Ends all that still runs. */
  close(): Promise<void>;
}

/** What every launcher that starts engines promises. */
export function engineLauncherContract(adapter: string, open: () => Promise<LauncherRig>): void {
  const fact = (name: string, check: (rig: LauncherRig) => Promise<void>): void => {
    test(`${adapter}: ${name}`, async () => {
      const rig = await open();
      try {
        await check(rig);
      } finally {
        await rig.close();
      }
    });
  };
  starts(fact);
  ends(fact);
}

type Fact = (name: string, check: (rig: LauncherRig) => Promise<void>) => void;

/** A plan for a small simulated engine; same arguments, same plan. */
export function launchPlan(name: string, count: number = 1, id: string = "uid-1"): LaunchPlan {
  return {
    instance: instanceName(name),
    uid: uid(id),
    generation: generation(count),
    model: {
      name: "tide-8b",
      engine: "simulated",
      revision: "r1",
      weightsBytes: 16_000_000_000,
      contextLength: 8_192,
      tensorParallelSize: 1,
      image: null,
      command: [],
      args: [],
      adapters: [],
    },
    members: [{ node: nodeName("gpu-a"), gpu: 0 }],
    environment: {},
    memoryBytesPerGpu: 20_000_000_000,
    load: { link: "disk", bytesPerSecond: 12_000_000_000 },
    hostToGpuBytesPerSecond: 54_000_000_000,
    isSleepable: false,
  };
}

function starts(fact: Fact): void {
  fact("a started engine is seen by observe as ensure told it", async ({ launcher }) => {
    const engine = taken(await launcher.ensure(launchPlan("hot-1")));
    assert.deepEqual([engine.instance, engine.uid, engine.generation], ["hot-1", "uid-1", 1]);
    assert.ok(engine.pid !== null && engine.address.port > 0);
    assert.deepEqual(await launcher.observe(), [engine]);
  });
  fact("nothing runs before the first ensure", async ({ launcher }) => {
    assert.deepEqual(await launcher.observe(), []);
  });
  fact("a second ensure of one plan gives the engine that runs", async ({ launcher }) => {
    const plan = launchPlan("hot-1");
    const engines = [...(await Promise.all([launcher.ensure(plan), launcher.ensure(plan)])), await launcher.ensure(plan)].map(taken);
    assert.deepEqual(new Set(engines.map((engine) => engine.pid)).size, 1);
    assert.equal((await launcher.observe()).length, 1);
  });
  fact("two instances run beside each other, at addresses of their own", async ({ launcher }) => {
    const engines = (await Promise.all([launcher.ensure(launchPlan("hot-1")), launcher.ensure(launchPlan("hot-2"))])).map(taken);
    assert.equal(new Set(engines.map((engine) => `${engine.address.host}:${engine.address.port}`)).size, 2);
    assert.equal((await launcher.observe()).length, 2);
  });
  fact("a newer generation, and another uid, are refused while the older runs", async ({ launcher }) => {
    const engine = taken(await launcher.ensure(launchPlan("hot-1")));
    for (const plan of [launchPlan("hot-1", 2), launchPlan("hot-1", 1, "uid-2")]) {
      const refused = await launcher.ensure(plan);
      assert.equal(refused.ok ? "started" : refused.error.code, "LAUNCH_FAILED");
    }
    assert.deepEqual(await launcher.observe(), [engine]);
  });
  fact("after a remove the next generation starts", async ({ launcher }) => {
    const first = taken(await launcher.ensure(launchPlan("hot-1")));
    await launcher.remove(first.instance, 0);
    const second = taken(await launcher.ensure(launchPlan("hot-1", 2)));
    assert.notEqual(second.pid, first.pid);
    assert.deepEqual(await launcher.observe(), [second]);
  });
}

function ends(fact: Fact): void {
  fact("a removed engine is gone when remove resolves, and its exit is told", async ({ launcher }) => {
    const exits = collect(launcher);
    const engine = taken(await launcher.ensure(launchPlan("hot-1")));
    await launcher.remove(engine.instance, 5_000);
    assert.deepEqual(await launcher.observe(), []);
    const exit = await exits.first();
    assert.deepEqual([exit.instance, exit.generation], ["hot-1", 1]);
  });
  fact("removing what does not run is done at once, twice too", async ({ launcher }) => {
    await launcher.remove(instanceName("never"), 0);
    const engine = taken(await launcher.ensure(launchPlan("hot-1")));
    await Promise.all([launcher.remove(engine.instance, 0), launcher.remove(engine.instance, 0)]);
    assert.deepEqual(await launcher.observe(), []);
  });
  fact("an engine that dies is told with instance, generation and reason, and observe forgets it", async ({ launcher, ...rig }) => {
    const exits = collect(launcher);
    const engine = taken(await launcher.ensure(launchPlan("hot-1", 3)));
    rig.kill(engine);
    const exit = await exits.first();
    assert.deepEqual([exit.instance, exit.generation, exit.reason], ["hot-1", 3, "SIGKILL"]);
    assert.deepEqual(await launcher.observe(), []);
  });
  fact("after a death the same plan starts again", async ({ launcher, ...rig }) => {
    const exits = collect(launcher);
    const first = taken(await launcher.ensure(launchPlan("hot-1")));
    rig.kill(first);
    await exits.first();
    const second = taken(await launcher.ensure(launchPlan("hot-1", 2)));
    assert.notEqual(second.pid, first.pid);
  });
  fact("a stopped listener hears of no exit, another one does", async ({ launcher, ...rig }) => {
    const heard: EngineExit[] = [];
    launcher.onExit((exit) => heard.push(exit)).stop();
    const exits = collect(launcher);
    rig.kill(taken(await launcher.ensure(launchPlan("hot-1"))));
    await exits.first();
    assert.deepEqual(heard, []);
  });
}

function collect(launcher: EngineLauncher): { first(): Promise<EngineExit> } {
  const { promise, resolve } = Promise.withResolvers<EngineExit>();
  launcher.onExit(resolve);
  return { first: () => promise };
}

function taken(result: Result<RunningEngine, LaunchError>): RunningEngine {
  assert.ok(result.ok, result.ok ? "" : result.error.reason);
  return result.value;
}
