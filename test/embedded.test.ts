// The whole embedded platform, as a user starts it: real processes, sockets and signals.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { brokenManifests } from "../src/api/broken-manifests.ts";
import { chat, fetchText, open, readFrames, readInstances, watchUntil } from "./support/client.ts";
import { freePort, ownDataDirs, processesOf, readKeys, startPlatform, watchOutput, type Platform } from "./support/platform.ts";
import { root } from "./support/source-files.ts";

const laptop = join(root, "examples", "laptop");
const dataDir = ownDataDirs();

async function assertGone(platform: Pick<Platform, "dataDir" | "gatewayPort" | "adminPort">): Promise<void> {
  assert.deepEqual(processesOf(platform.dataDir), []);
  for (const port of [platform.gatewayPort, platform.adminPort]) {
    const server = createServer();
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
    await new Promise((resolve) => server.close(resolve));
  }
  assert.ok(existsSync(join(platform.dataDir, "state.sqlite")));
}

test("embedded: first start, service, a killed engine, an orderly end and a second start", async () => {
  const folder = dataDir();
  const platform = await startPlatform([laptop], folder);
  const said = await platform.seen("kill -9 ");
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, "keys.txt")).mode & 0o777, 0o600);
  assert.match(said, /curl -N /);
  for (const name of [
    "tenant-platinum-hot-1",
    "tenant-platinum-hot-2",
    "tenant-platinum-warm-1",
    "tenant-gold-hot-1",
    "tenant-gold-warm-1",
    "tenant-silver-hot-1",
  ]) {
    assert.match(said, new RegExp(`${name}\\s+(?:hot|warm)\\s+Ready`));
  }
  const key = readKeys(folder).get("tenant-platinum") ?? "";
  assert.ok(!said.includes(key), "a key is not printed where nobody reads it");

  const answer = await fetchText(platform.gatewayPort, "/v1/chat/completions", { key, body: chat("tidegate-sim-8b") });
  assert.equal(answer.status, 200);
  assert.match(String(answer.headers["x-tidegate-instance"]), /^tenant-platinum-hot-[12]$/);
  assert.equal(answer.headers["x-tidegate-level"], "hot");
  const unknown = await fetchText(platform.gatewayPort, "/v1/chat/completions", { key, body: chat("no-such-model") });
  assert.equal(unknown.status, 404);
  const stranger = await fetchText(platform.gatewayPort, "/v1/chat/completions", { key: "tg-wrong", body: chat("tidegate-sim-8b") });
  assert.equal(stranger.status, 401);

  const metricsPort = await assertMetrics(platform, said);

  await killWhileStreaming(platform, key);
  const counted = (await fetchText(metricsPort, "/metrics")).text;
  assert.match(counted, /tidegate_time_to_first_token_seconds_count\{tenant="tenant-platinum",service="tenant-platinum"\} 1/);
  assert.match(
    counted,
    /tidegate_ejections_total\{service="tenant-platinum",instance="tenant-platinum-hot-[12]",cause="(?:reset|cut|refused)"\} 1/,
  );

  platform.process.kill("SIGINT");
  platform.process.kill("SIGINT");
  assert.equal(await platform.ended, 0);
  await assertGone(platform);

  const again = await startPlatform([laptop], folder, platform);
  assert.match(await again.seen("kill -9 "), /tidegate keys create/);
  const second = await fetchText(again.gatewayPort, "/v1/chat/completions", { key, body: chat("tidegate-sim-8b") });
  assert.equal(second.status, 200);
  again.process.kill("SIGTERM");
  assert.equal(await again.ended, 0);
  await assertGone(again);
});

/** The control plane's page and the gateway's, at the addresses that were announced. @returns the port of the latter. */
async function assertMetrics(platform: Platform, said: string): Promise<number> {
  const [, adminPort = "", gatewayPort = ""] = /Metrics: \S+:(\d+)\/metrics\s+\S+:(\d+)\/metrics/.exec(said) ?? [];
  assert.equal(Number(adminPort), platform.adminPort);
  // The page is as old as the last look, which may have been before the last engine was Ready.
  const wanted = /tidegate_service_instances\{service="tenant-platinum",level="hot",state="Ready"\} 2/;
  let page = "";
  for (let tries = 0; tries < 5_000 && !wanted.test(page); tries += 1) page = (await fetchText(platform.adminPort, "/metrics")).text;
  assert.match(page, wanted);
  assert.match(page, /tidegate_service_level\{service="tenant-platinum",level="hot"\} 1/);
  assert.match(page, /tidegate_gpu_reserved_bytes\{node="gpu-a",gpu="0"\} 40000000000/);
  assert.match(page, /tidegate_gpu_used_bytes\{node="gpu-a",gpu="0"\} [1-9]\d+/);
  const counted = (await fetchText(Number(gatewayPort), "/metrics")).text;
  assert.match(counted, /tidegate_requests_total\{tenant="tenant-platinum",service="tenant-platinum",outcome="ok"\} 1/);
  return Number(gatewayPort);
}

/** Kills the engine of an open stream: the stream goes on to its end, a new request is answered, the instance comes back. */
async function killWhileStreaming(platform: Platform, key: string): Promise<void> {
  const stream = await open(platform.gatewayPort, "/v1/chat/completions", {
    key,
    body: chat("tidegate-sim-8b", { stream: true, max_tokens: 300, ignore_eos: true, stream_options: { include_usage: true } }),
  });
  const name = String(stream.headers["x-tidegate-instance"]);
  const victim = (await readInstances(platform.adminPort, "tenant-platinum")).get(name);
  assert.ok(victim !== undefined && victim.pid !== null);
  const frames: string[] = [];
  for await (const frame of readFrames(stream)) {
    frames.push(frame);
    if (frames.length === 3) process.kill(victim.pid, "SIGKILL");
  }
  assert.equal(frames.at(-1), "data: [DONE]");
  assert.match(frames.at(-2) ?? "", /"completion_tokens":300,/, "of both engines together");
  const next = await fetchText(platform.gatewayPort, "/v1/chat/completions", { key, body: chat("tidegate-sim-8b") });
  assert.equal(next.status, 200);
  await watchUntil(platform.adminPort, "tenant-platinum", (instances) => {
    const now = instances.get(name);
    return now?.state === "Ready" && now.generation === victim.generation + 1 && now.pid !== victim.pid;
  });
}

test("embedded: TERM ends everything although one engine is stopped", async () => {
  const platform = await startPlatform([laptop], dataDir());
  await platform.seen("kill -9 ");
  const victim = (await readInstances(platform.adminPort, "tenant-gold")).get("tenant-gold-hot-1");
  assert.ok(victim !== undefined && victim.pid !== null);
  process.kill(victim.pid, "SIGSTOP");
  platform.process.kill("SIGTERM");
  assert.equal(await platform.ended, 0);
  await assertGone(platform);
});

test("embedded: TERM to npm start ends everything", async () => {
  const ports = { dataDir: dataDir(), gatewayPort: await freePort(), adminPort: await freePort() };
  const env = {
    ...process.env,
    TIDEGATE_STATE_DIR: ports.dataDir,
    TIDEGATE_GATEWAY_PORT: `${ports.gatewayPort}`,
    TIDEGATE_ADMIN_PORT: `${ports.adminPort}`,
  };
  const npm = watchOutput(spawn("npm", ["start"], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] }));
  await npm.seen("kill -9 ");
  npm.process.kill("SIGTERM");
  await npm.ended;
  await assertGone(ports);
});

test("embedded: a closed terminal ends everything, and keys were shown in it", async () => {
  const ports = { dataDir: dataDir(), gatewayPort: await freePort(), adminPort: await freePort() };
  const flags = `--data-dir ${ports.dataDir} --gateway-port ${ports.gatewayPort} --admin-port ${ports.adminPort}`;
  const command = `exec ${process.execPath} ${join(root, "bin", "tidegate.js")} up ${laptop} ${flags}`;
  // `script` gives the platform a terminal; when it is killed, that terminal is gone.
  const terminal = watchOutput(spawn("script", ["-qec", command, "/dev/null"], { cwd: root, stdio: ["pipe", "pipe", "pipe"] }));
  const said = await terminal.seen("kill -9 ");
  assert.match(said, /Authorization: Bearer tg-/);
  assert.ok(!existsSync(join(ports.dataDir, "keys.txt")));
  const pid = Number(JSON.parse(readFileSync(join(ports.dataDir, "run", "control-plane.json"), "utf8")).pid);
  const platformEnded = new Promise<void>((resolve) => {
    const watcher = spawn("tail", ["--pid", `${pid}`, "-s", "0.1", "-f", "/dev/null"], { stdio: "ignore" });
    watcher.once("exit", () => resolve());
  });
  terminal.process.kill("SIGKILL");
  await platformEnded;
  await assertGone(ports);
});

test("embedded: a busy port names its holder and the flag", async () => {
  const holder = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => holder.listen(port, "127.0.0.1", resolve));
  try {
    for (const flag of ["gatewayPort", "adminPort"] as const) {
      const ports = { gatewayPort: await freePort(), adminPort: await freePort(), [flag]: port };
      const platform = await startPlatform([laptop], dataDir(), ports);
      assert.equal(await platform.ended, 1);
      assert.match(platform.output(), new RegExp(`${port}`));
      assert.match(platform.output(), new RegExp(`process ${process.pid}`));
      assert.match(platform.output(), flag === "gatewayPort" ? /--gateway-port/ : /--admin-port/);
      assert.deepEqual(processesOf(platform.dataDir), []);
    }
  } finally {
    holder.close();
  }
});

test("embedded: bad and good reloads cut no stream, and the last good configuration keeps serving", async () => {
  const folder = dataDir();
  const manifests = join(folder, "manifests");
  cpSync(laptop, manifests, { recursive: true });
  const platform = await startPlatform([manifests], join(folder, "s"));
  await platform.seen("kill -9 ");
  const key = readKeys(platform.dataDir).get("tenant-gold") ?? "";
  const stream = await open(platform.gatewayPort, "/v1/chat/completions", {
    key,
    body: chat("tidegate-sim-8b", { stream: true, max_tokens: 8_000, ignore_eos: true }),
  });
  const reloads = new AbortController();
  const reading = (async (): Promise<string[]> => {
    const frames: string[] = [];
    let framesLeft = 3;
    for await (const frame of readFrames(stream)) {
      frames.push(frame);
      if (reloads.signal.aborted && (framesLeft -= 1) === 0) return frames;
    }
    return frames;
  })();
  await applyBadManifests(platform.adminPort);
  const gold = join(manifests, "tenant-gold.yaml");
  const good = readFileSync(gold, "utf8");
  writeFileSync(gold, good.replace("tier: gold", "teir: gold"));
  assert.match(await platform.seen("Nothing was changed"), /tenant-gold\.yaml:\d+:\d+: UNKNOWN_FIELD/);
  writeFileSync(gold, good.replace("tier: gold", "tier: gold\n  priority: low"));
  await platform.seen("HotStandbyConfig tenant-gold configured");
  reloads.abort();
  const frames = await reading;
  // It went on after the last reload, neither ended nor broken.
  assert.match(frames.at(-1) ?? "", /^data: \{"id":/);
  assert.deepEqual(
    frames.filter((frame) => frame.includes('"error"')),
    [],
  );
  platform.process.kill("SIGTERM");
  assert.equal(await platform.ended, 0);
});

/** Each is refused whole; what serves, and the open stream, do not notice. */
async function applyBadManifests(adminPort: number): Promise<void> {
  const folder = join(root, "test", "manifests", "bad");
  // Beside the inventory that runs here those selectors would match, and that sleeper have room.
  const names = readdirSync(folder).filter((name) => !/^impossible-selector|^promise-impossible-sleeper/.test(name));
  assert.ok(names.length >= 30);
  for (const name of names) {
    const answer = await fetchText(adminPort, "/apis/inference.example.com/v1/apply", { yaml: readFileSync(join(folder, name), "utf8") });
    assert.equal(answer.status, 422, `${name}: ${answer.text}`);
  }
  const generated = brokenManifests();
  assert.ok(generated.length >= 150);
  for (const { kind, field, slip, text } of generated) {
    const answer = await fetchText(adminPort, "/apis/inference.example.com/v1/apply", { yaml: text });
    assert.equal(answer.status, 422, `${kind} ${field.path} ${slip}: ${answer.text}`);
  }
}
