import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isJsonObject, type JsonObject } from "../../base/json.ts";
import type { Result } from "../../base/result.ts";
import type { EngineExit, EngineLauncher, LaunchError, RunningEngine } from "../../ports/engine-launcher.ts";
import { engineLauncherContract, launchPlan, type LauncherRig } from "../../ports/engine-launcher-contract.ts";
import { createSystemClock } from "../clock/system.ts";
import { environmentOf, findByEnvironment, identify } from "../process/process-identity.ts";
import { createSystemRandom } from "../random/system.ts";
import { createProcessLauncher } from "./process.ts";

const root = mkdtempSync(join(tmpdir(), "tidegate-launcher-"));
after(() => rm(root, { recursive: true }));
const ports = { clock: createSystemClock(), random: createSystemRandom() };

/** Says what it was started with, then does as `behaviour` says; nothing by default but to wait for its end. */
function fakeEngine(behaviour = ""): string {
  const path = join(root, `engine-${ports.random.token(4)}.mjs`);
  writeFileSync(
    path,
    `console.log(JSON.stringify({ argv: process.argv.slice(2), env: process.env }));\n${behaviour}\nsetInterval(() => {}, 1000);\n`,
  );
  return path;
}

interface ProcessRig extends LauncherRig {
  readonly stateDir: string;
  readonly stateId: string;
  /** A launcher as of a restarted control plane. */
  restarted(): EngineLauncher;
}

function openRig(program = fakeEngine()): ProcessRig {
  const stateId = ports.random.token(6);
  const stateDir = join(root, stateId);
  mkdirSync(stateDir);
  const create = (): EngineLauncher =>
    createProcessLauncher({
      ...ports,
      stateDir,
      stateId,
      commandPrefix: [process.execPath, program],
      gpuAccountSocket: "/nowhere/gpu.sock",
      env: { PATH: "/usr/bin", HOME: "/home/nobody" },
    });
  return {
    launcher: create(),
    stateDir,
    stateId,
    restarted: create,
    kill: ({ pid }) => process.kill(pid ?? assert.fail("a process has a pid"), "SIGKILL"),
    async close() {
      const launcher = create();
      for (const engine of await launcher.observe()) await launcher.remove(engine.instance, 0);
    },
  };
}

const fact = (name: string, check: (rig: ProcessRig) => Promise<void>, program?: string): void => {
  test(`process launcher: ${name}`, async () => {
    const rig = openRig(program);
    try {
      await check(rig);
    } finally {
      await rig.close();
    }
  });
};

engineLauncherContract("process launcher", async () => openRig());

fact("an engine gets the arguments of its plan, and of the environment only PATH, HOME and its mark", async (rig) => {
  const engine = await start(rig.launcher);
  const said = await firstLine(rig, "hot-1");
  const argv = said["argv"];
  assert.ok(Array.isArray(argv));
  assert.deepEqual(argv.slice(0, 3), ["engine", "--instance", "hot-1"]);
  assert.ok(argv.join(" ").includes(`--port ${engine.address.port}`) && argv.join(" ").includes(`--claim ${rig.stateId}`));
  const env = said["env"];
  assert.ok(env !== undefined && isJsonObject(env));
  assert.deepEqual(Object.keys(env).toSorted(), ["HOME", "PATH", "TIDEGATE_INSTANCE"]);
  assert.match(JSON.stringify(env["TIDEGATE_INSTANCE"]), new RegExp(`^"${rig.stateId}/hot-1/[0-9a-f]+"$`));
});

fact("the process sees the environment of its plan, which takes the place of nothing of the launcher's", async (rig) => {
  const environment = { CUDA_VISIBLE_DEVICES: "1", CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: "0=19073M", HOME: "/elsewhere" };
  const { pid } = taken(await rig.launcher.ensure({ ...launchPlan("hot-1"), environment }));
  const seen = ["CUDA_VISIBLE_DEVICES", "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", "HOME"].map((name) => environmentOf(pid ?? 0, name));
  assert.deepEqual(seen, ["1", "0=19073M", "/home/nobody"]);
});

fact("an engine leads a process group of its own", async (rig) => {
  const { pid } = await start(rig.launcher);
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  assert.equal(Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]), pid);
});

fact("a restarted launcher finds the engine, keeps it for the same plan, and tells its death", async (rig) => {
  const engine = await start(rig.launcher);
  const second = rig.restarted();
  assert.deepEqual(await second.observe(), [engine]);
  assert.deepEqual(await second.ensure(launchPlan("hot-1")), { ok: true, value: engine });
  const exit = exitOf(second);
  rig.kill(engine);
  assert.deepEqual([(await exit).instance, (await exit).generation], ["hot-1", 1]);
  assert.deepEqual(await second.observe(), []);
});

fact("a restarted launcher ends an adopted engine that is stopped and takes no TERM", async (rig) => {
  const { pid, instance } = await start(rig.launcher);
  assert.ok(pid !== null);
  process.kill(pid, "SIGSTOP");
  await rig.restarted().remove(instance, 50);
  assert.equal(identify(pid), null);
});

fact(
  "an engine that ignores TERM is killed after the grace",
  async (rig) => {
    const { pid, instance } = await start(rig.launcher);
    await firstLine(rig, "hot-1");
    await rig.launcher.remove(instance, 50);
    assert.equal(identify(pid ?? 0), null);
  },
  fakeEngine("process.on('SIGTERM', () => console.log('no'));"),
);

fact(
  "what an engine started itself is gone with it, whether it died or was removed",
  async (rig) => {
    const engine = await start(rig.launcher);
    const child = Number((await firstLine(rig, "hot-1", "child"))["child"]);
    assert.notEqual(identify(child), null);
    await rig.launcher.remove(engine.instance, 1_000);
    assert.equal(identify(child), null);
    const second = await start(rig.launcher, 2);
    const secondChild = Number((await firstLine(rig, "hot-1", "child", 1))["child"]);
    const exit = exitOf(rig.launcher);
    rig.kill(second);
    await exit;
    assert.equal(identify(secondChild), null);
  },
  fakeEngine(
    "const { spawn } = await import('node:child_process');" +
      "const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });" +
      "console.log(JSON.stringify({ child: child.pid }));",
  ),
);

fact("a recorded pid that is somebody else's by now is neither taken for ours nor ended", async (rig) => {
  const engine = await start(rig.launcher);
  const stranger = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const strangerPid = stranger.pid ?? assert.fail("it started");
  const path = join(rig.stateDir, "engines", "hot-1.json");
  const record: unknown = JSON.parse(readFileSync(path, "utf8"));
  assert.ok(isJsonObject(record));
  await rig.launcher.remove(engine.instance, 0);
  try {
    for (const startTicks of [identify(strangerPid)?.startTicks, record["startTicks"]]) {
      writeFileSync(path, JSON.stringify({ ...record, pid: strangerPid, startTicks }));
      const second = rig.restarted();
      assert.deepEqual(await second.observe(), []);
      await second.remove(engine.instance, 0);
    }
    assert.notEqual(identify(strangerPid), null);
  } finally {
    stranger.kill("SIGKILL");
  }
});

fact("an engine whose starter died before it could note the pid is found by its mark", async (rig) => {
  const engine = await start(rig.launcher);
  const path = join(rig.stateDir, "engines", "hot-1.json");
  const record: unknown = JSON.parse(readFileSync(path, "utf8"));
  assert.ok(isJsonObject(record));
  writeFileSync(path, JSON.stringify({ ...record, pid: null, startTicks: null }));
  assert.deepEqual(await rig.restarted().observe(), [engine]);
  const completed: unknown = JSON.parse(readFileSync(path, "utf8"));
  assert.deepEqual(completed, record);
});

fact("an engine of this state without a readable record is ended at the next start", async (rig) => {
  const { pid } = await start(rig.launcher);
  writeFileSync(join(rig.stateDir, "engines", "hot-1.json"), '{"nonce": "torn');
  assert.deepEqual(await rig.restarted().observe(), []);
  assert.equal(identify(pid ?? 0), null);
});

fact("an engine of another state is left alone", async (rig) => {
  const other = openRig();
  const engine = await start(other.launcher);
  assert.deepEqual(await rig.launcher.observe(), []);
  assert.notEqual(identify(engine.pid ?? 0), null);
  await other.close();
});

fact(
  "the exit of a failed start tells its code and the last lines of its log, and nothing of an earlier start",
  async (rig) => {
    for (const count of [1, 2]) {
      const exit = exitOf(rig.launcher);
      await start(rig.launcher, count);
      const { reason, lastLog } = await exit;
      assert.equal(reason, "exit code 3");
      assert.equal(lastLog?.split("\n").filter((line) => line === "no GPU memory").length, 1);
    }
  },
  fakeEngine("console.error('no GPU memory'); process.exit(3);"),
);

fact("a command that cannot be started is LAUNCH_FAILED and leaves no record", async (rig) => {
  const launcher = createProcessLauncher({
    ...ports,
    stateDir: rig.stateDir,
    stateId: rig.stateId,
    commandPrefix: ["/nowhere/tidegate"],
    gpuAccountSocket: null,
    env: { PATH: "", HOME: "" },
  });
  const refused = await launcher.ensure(launchPlan("hot-1"));
  assert.match(refused.ok ? "" : refused.error.reason, /ENOENT/);
  assert.equal(existsSync(join(rig.stateDir, "engines", "hot-1.json")), false);
});

fact("an engine whose intent cannot be recorded is not started", async (rig) => {
  assert.deepEqual(await rig.launcher.observe(), []);
  writeFileSync(join(rig.stateDir, "engines"), "in the way");
  const refused = await rig.launcher.ensure(launchPlan("hot-1"));
  await rm(join(rig.stateDir, "engines"));
  assert.equal(refused.ok ? "started" : refused.error.code, "LAUNCH_FAILED");
  assert.deepEqual(await findByEnvironment("TIDEGATE_INSTANCE", `${rig.stateId}/`), []);
});

const start = async (launcher: EngineLauncher, count = 1): Promise<RunningEngine> =>
  taken(await launcher.ensure(launchPlan("hot-1", count)));

function taken(started: Result<RunningEngine, LaunchError>): RunningEngine {
  assert.ok(started.ok, started.ok ? "" : started.error.reason);
  return started.value;
}

function exitOf(launcher: EngineLauncher): Promise<EngineExit> {
  return new Promise((resolve) => {
    const listening = launcher.onExit((exit) => {
      listening.stop();
      resolve(exit);
    });
  });
}

/** The first line of the engine's log with this member, as soon as it is there. */
async function firstLine(rig: ProcessRig, instance: string, member = "argv", skipped = 0): Promise<JsonObject> {
  const path = join(rig.stateDir, "engines", `${instance}.log`);
  for (;;) {
    let left = skipped;
    for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) {
      const said: unknown = line.startsWith("{") ? JSON.parse(line) : null;
      if (isJsonObject(said) && said[member] !== undefined && (left -= 1) < 0) return said;
    }
    await ports.clock.sleep(10, new AbortController().signal);
  }
}
