// The control plane dies, the gateway dies, engines belong to somebody else: what goes on meanwhile, and what is adopted afterwards.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { chat, fetchText, open, readFrames, readInstances, watchKind, watchUntil } from "./support/client.ts";
import { freePort, ownDataDirs, processesOf, readKeys, startPlatform, watchOutput, type Platform } from "./support/platform.ts";
import { root } from "./support/source-files.ts";

const laptop = join(root, "examples", "laptop");
const entry = join(root, "bin", "tidegate.js");
const dataDir = ownDataDirs();
const strays: ChildProcess[] = [];
after(() => {
  for (const child of strays) child.kill("SIGKILL");
});

const recordedPid = (folder: string, name: string): number => {
  const record: { readonly pid: number } = JSON.parse(readFileSync(join(folder, "run", `${name}.json`), "utf8"));
  return record.pid;
};

/** Resolves when the process is gone, ours or not. */
const gone = (pid: number): Promise<void> =>
  new Promise((resolve) => {
    spawn("tail", ["--pid", `${pid}`, "-s", "0.05", "-f", "/dev/null"], { stdio: "ignore" }).once("exit", () => resolve());
  });

async function assertServed(platform: Pick<Platform, "gatewayPort">, key: string, times: number): Promise<void> {
  for (let index = 0; index < times; index += 1) {
    const answer = await fetchText(platform.gatewayPort, "/v1/chat/completions", { key, body: chat("tidegate-sim-8b", { max_tokens: 4 }) });
    assert.equal(answer.status, 200, answer.text);
  }
}

test("away: without control plane and with a new gateway clients are served, and the next start adopts everything", async () => {
  const folder = dataDir();
  const platform = await startPlatform([laptop], folder);
  await platform.seen("kill -9 ");
  const key = readKeys(folder).get("tenant-platinum") ?? "";
  const before = await readInstances(platform.adminPort, "tenant-platinum");
  platform.process.kill("SIGKILL");
  await platform.ended;

  const victim = before.get("tenant-platinum-hot-1");
  assert.ok(victim !== undefined && victim.pid !== null);
  process.kill(victim.pid, "SIGKILL");
  await assertServed(platform, key, 5);

  const gatewayPid = recordedPid(folder, "gateway-0");
  process.kill(gatewayPid, "SIGKILL");
  await gone(gatewayPid);
  const byHand = spawn(process.execPath, [entry, "gateway", "--data-dir", folder, "--port", `${platform.gatewayPort}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  strays.push(byHand);
  await watchOutput(byHand).seen("ready gateway-0");
  await assertServed(platform, key, 5);

  const again = await startPlatform([laptop], folder, platform);
  await again.seen("started by hand serves on");
  await again.seen("kill -9 ");
  await watchUntil(again.adminPort, "tenant-platinum", (instances) =>
    [...instances.values()].every((instance) => instance.state === "Ready"),
  );
  const now = await readInstances(again.adminPort, "tenant-platinum");
  assert.equal(now.get("tenant-platinum-hot-1")?.generation, 2);
  for (const name of ["tenant-platinum-hot-2", "tenant-platinum-warm-1"]) {
    assert.deepEqual([now.get(name)?.pid, now.get(name)?.generation], [before.get(name)?.pid, 1], `${name} was not reloaded`);
  }
  await assertServed(again, key, 5);

  byHand.kill("SIGKILL");
  await again.seen("gateway-0 took its place");
  assert.notEqual(recordedPid(folder, "gateway-0"), gatewayPid);
  again.process.kill("SIGTERM");
  assert.equal(await again.ended, 0);
  assert.deepEqual(processesOf(folder), []);
});

test("away: of two attached engines one is killed, nobody loses an answer, and the other is not ended with us", async () => {
  const folder = dataDir();
  const ports = [await freePort(), await freePort()];
  const engines = ports.map((port, index) => {
    const flags = ["--instance", `own-${index}`, "--model", "own-model", "--port", `${port}`, "--weights-bytes", "1000000"];
    const child = spawn(process.execPath, [entry, "engine", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
    strays.push(child);
    return watchOutput(child);
  });
  await Promise.all(engines.map((engine) => engine.seen("is ready")));
  const attach = ports.flatMap((port, index) => ["--attach", `own-${index}=http://127.0.0.1:${port}`]);
  const platform = await startPlatform(attach, folder);
  await platform.seen("Ctrl-C ends everything");
  const key = readKeys(folder).get("default") ?? "";
  const body = chat("own-model", { max_tokens: 4 });
  const answers = [];
  for (let index = 0; index < 20; index += 1) {
    if (index === 5) engines[0]?.process.kill("SIGKILL");
    answers.push(await fetchText(platform.gatewayPort, "/v1/chat/completions", { key, body }));
  }
  assert.deepEqual(
    answers.map((answer) => answer.status),
    Array.from({ length: 20 }, () => 200),
  );
  assert.deepEqual(new Set(answers.slice(0, 5).map((answer) => answer.headers["x-tidegate-instance"])), new Set(["own-0", "own-1"]));
  platform.process.kill("SIGTERM");
  assert.equal(await platform.ended, 0);
  const health = await fetchText(ports[1] ?? 0, "/health");
  assert.equal(health.status, 200);
});

/** Engines that somebody else runs, on ports of their own; steps slow enough for a stream to be cut in its middle. */
async function startOwnEngines(model: string): Promise<ReadonlyMap<string, { readonly port: number; readonly process: ChildProcess }>> {
  const engines = new Map<string, { readonly port: number; readonly process: ChildProcess }>();
  for (const name of ["own-0", "own-1"]) {
    const port = await freePort();
    const flags = ["--instance", name, "--model", model, "--port", `${port}`, "--weights-bytes", "1000000", "--step-base-ms", "20"];
    const child = spawn(process.execPath, [entry, "engine", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
    strays.push(child);
    await watchOutput(child).seen("is ready");
    engines.set(name, { port, process: child });
  }
  return engines;
}

/** Until each of the attached engines has told what it is. */
async function untilAsked(adminPort: number, names: readonly string[]): Promise<void> {
  const asked = new Set<string>();
  await watchKind(adminPort, "attachedengines", ({ metadata, status }) => {
    const evidence = status?.["evidence"] as { kind: string } | null | undefined;
    if (evidence?.kind === "known") asked.add(metadata.name);
    return names.every((name) => asked.has(name));
  });
}

test("away: a stream of an attached engine that is killed goes on at its equal, token for token", async () => {
  const folder = dataDir();
  const engines = await startOwnEngines("own-model");
  const attach = [...engines].flatMap(([name, { port }]) => ["--attach", `${name}=http://127.0.0.1:${port}`]);
  const platform = await startPlatform(attach, folder);
  await platform.seen("Ctrl-C ends everything");
  await untilAsked(platform.adminPort, [...engines.keys()]);
  const key = readKeys(folder).get("default") ?? "";
  const body = chat("own-model", { temperature: 0, max_tokens: 100, ignore_eos: true });
  const textOf = (frame: string): string => {
    const { choices } = JSON.parse(frame.slice("data: ".length)) as { choices: { delta: { content?: string } }[] };
    return choices[0]?.delta.content ?? "";
  };
  const whole = await fetchText(engines.get("own-0")?.port ?? 0, "/v1/chat/completions", { body });
  const { choices } = JSON.parse(whole.text) as { choices: { message: { content: string } }[] };
  const expected = choices[0]?.message.content;

  const response = await open(platform.gatewayPort, "/v1/chat/completions", { key, body: { ...body, stream: true } });
  const served = String(response.headers["x-tidegate-instance"]);
  const frames: string[] = [];
  for await (const frame of readFrames(response)) {
    if (frame.startsWith("data: ")) frames.push(frame);
    if (frames.length === 10) engines.get(served)?.process.kill("SIGKILL");
  }
  assert.equal(frames.at(-1), "data: [DONE]");
  assert.equal(frames.slice(0, -1).map(textOf).join(""), expected);
  assert.ok(frames.length > 20 && engines.get(served)?.process.killed, "the engine was killed in the middle of the stream");
  platform.process.kill("SIGTERM");
  assert.equal(await platform.ended, 0);
});
