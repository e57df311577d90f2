import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { createSystemClock } from "../adapters/clock/system.ts";
import { serveAccountSocket } from "../adapters/gpu-driver/serve-account.ts";
import { createSimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import { nodeName } from "../base/ids.ts";
import { parseTranscript, parseWhole } from "../simulator/parse-engine-transcript.ts";
import { parseEngineArguments } from "./engine-arguments.ts";

const ENTRY = fileURLToPath(new URL("./engine.ts", import.meta.url));
const QUICK = ["--port", "0", "--model", "tide-8b", "--weights-bytes", "100000000", "--load-bytes-per-second", "10000000000"];

const NODE: GpuNode = {
  name: nodeName("gpu-a"),
  labels: {},
  zone: null,
  capacityType: "on-demand",
  hostMemoryBytes: 64_000_000_000,
  unsafeToolkit: null,
  links: { hostToGpu: 54_000_000_000, disk: 12_000_000_000, network: 11_000_000_000 },
  gpus: [{ index: 0, model: "H100-20GB", memoryBytes: 20_000_000_000, modes: ["exclusive", "mps"] }],
};

interface RunningProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly lines: string[];
  readonly exited: Promise<unknown[]>;
}

/** Resolves when it says that it is ready. The process is killed when the test ends. */
async function startEngine(args: readonly string[], after: (end: () => void) => void): Promise<RunningProcess> {
  const child = spawn(process.execPath, [ENTRY, ...QUICK, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  after(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const lines: string[] = [];
  assert.ok(child.stderr !== null);
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    const url = /is ready on (\S+)/.exec(line)?.[1];
    if (url !== undefined) return { child, url, lines, exited };
  }
  throw new Error(`It ended: ${lines.join("\n")}`);
}

async function runToEnd(args: readonly string[]): Promise<{ readonly code: unknown; readonly output: string }> {
  const child = spawn(process.execPath, [ENTRY, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const closed: unknown[] = await once(child, "close");
  return { code: closed[0], output };
}

test("a real engine process streams over HTTP, continues from ids, and ends on SIGTERM", async (t) => {
  const engine = await startEngine([], (end) => t.after(end));
  const body = {
    model: "tide-8b",
    prompt: "The tide",
    temperature: 0,
    max_tokens: 24,
    ignore_eos: true,
    stream: true,
    return_token_ids: true,
  };
  const post = async (more: object): Promise<string> =>
    (await fetch(`${engine.url}/v1/completions`, { method: "POST", body: JSON.stringify({ ...body, ...more }) })).text();
  const whole = parseTranscript(await post({}));
  const rest = parseTranscript(await post({ prompt: [...whole.promptIds, ...whole.ids.slice(0, 10)], max_tokens: 14 }));
  assert.deepEqual([whole.isDone, whole.ids.length], [true, 24]);
  assert.deepEqual(rest.ids, whole.ids.slice(10));
  assert.equal(parseWhole(await post({ stream: false })).choices[0]?.text, whole.text);
  engine.child.kill("SIGTERM");
  assert.deepEqual(await engine.exited, [0, null]);
});

test("the crash fault ends a real engine process by SIGKILL", async (t) => {
  const engine = await startEngine(["--enable-faults"], (end) => t.after(end));
  const answer = await fetch(`${engine.url}/tidegate/faults`, {
    method: "POST",
    body: JSON.stringify({ fault: { kind: "crash" }, forMs: 1_000 }),
  }).catch(
    // The process may be gone before its answer is.
    () => null,
  );
  assert.ok(answer === null || answer.status === 200);
  assert.deepEqual(await engine.exited, [null, "SIGKILL"]);
});

/** An account of one node behind its socket, until the test ends. */
async function serveAccount(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-engine-"));
  const account = createSimulatedAccount(createSystemClock());
  await account.driver.ensureInventory([NODE]);
  const path = join(folder, "gpu.sock");
  const server = await serveAccountSocket(account, path);
  assert.ok(server.ok);
  t.after(async () => {
    await server.value.close();
    await rm(folder, { recursive: true });
  });
  return { account, path };
}

test("an engine whose model does not fit ends with 3 and says why", async () => {
  const { code, output } = await runToEnd(["--port", "0", "--memory-bytes", "1000000000"]);
  assert.equal(code, 3);
  assert.match(output, /^engine: The model does not fit the memory of this instance\.\n {2}why: {2}.*16\.\d GB.*1 GB\.\n {2}next: /);
});

test("an engine takes its memory from the account, and the next one that does not fit beside it ends with 3", async (t) => {
  const { account, path } = await serveAccount(t);
  const flags = ["--gpu", "gpu-a/0", "--memory-bytes", "15000000000", "--gpu-account", path, "--sleep-enabled"];
  const engine = await startEngine([...flags, "--instance", "gold-hot-1"], (end) => t.after(end));
  assert.equal((await fetch(`${engine.url}/health`)).status, 200);
  assert.deepEqual(
    account.state().holders.map(({ instance, gpus, hosts }) => [instance, gpus[0]?.bytes, hosts[0]?.bytes]),
    [["gold-hot-1", 15_000_000_000, 100_000_000]],
  );
  const { code, output } = await runToEnd([...QUICK, ...flags, "--instance", "gold-warm-1"]);
  assert.equal(code, 3);
  assert.match(
    output,
    /gold-warm-1: GPU gpu-a\/0 is out of memory\.\n {2}why: {2}15 GB are needed, 5 GB are free; it is held by: gold-hot-1 15 GB\./,
  );
});

test("a real engine whose GPU is lost ends at once with 4 and says so", async (t) => {
  const { account, path } = await serveAccount(t);
  const flags = ["--gpu", "gpu-a/0", "--memory-bytes", "15000000000", "--gpu-account", path];
  const engine = await startEngine(flags, (end) => t.after(end));
  account.loseGpus({ kind: "gpu-lost", mode: "fallen_off_bus", node: NODE.name, gpu: null }, 60_000);
  assert.deepEqual(await engine.exited, [4, null]);
  const { code, output } = await runToEnd([...QUICK, ...flags]);
  assert.equal(code, 4);
  assert.match(output, /GPU gpu-a\/0 (is lost|has fallen off the bus)/);
});

test("a real engine that a fault hits ends at once with 5, its Xid and what it was, and its GPU takes the next one", async (t) => {
  const { account, path } = await serveAccount(t);
  const flags = ["--gpu", "gpu-a/0", "--memory-bytes", "15000000000", "--gpu-account", path, "--instance", "gold-hot-1"];
  const engine = await startEngine(flags, (end) => t.after(end));
  const fault = { kind: "gpu-fault", mode: "ecc_uncorrectable_contained", node: NODE.name, gpu: 0, instance: "gold-hot-1" } as const;
  assert.deepEqual(account.failApplication(fault), { ok: true, value: ["gold-hot-1"] });
  assert.deepEqual(await engine.exited, [5, null]);
  const next = await startEngine(flags, (end) => t.after(end));
  assert.equal((await fetch(`${next.url}/health`)).status, 200);
});

test("a real engine on a GPU that needs a reset ends with 4, and starts there again only once it was reset", async (t) => {
  const { account, path } = await serveAccount(t);
  const flags = ["--gpu", "gpu-a/0", "--memory-bytes", "15000000000", "--gpu-account", path];
  const engine = await startEngine(flags, (end) => t.after(end));
  account.loseGpus({ kind: "gpu-lost", mode: "ecc_uncorrectable", node: NODE.name, gpu: 0 }, 60_000);
  assert.deepEqual(await engine.exited, [4, null]);
  const { code, output } = await runToEnd([...QUICK, ...flags]);
  assert.equal(code, 4);
  assert.match(output, /GPU gpu-a\/0 has an uncontained memory error, and needs a reset \(Xid 95\)/);
  account.restoreGpus({ node: NODE.name, gpu: 0 });
  const next = await startEngine(flags, (end) => t.after(end));
  assert.equal((await fetch(`${next.url}/health`)).status, 200);
});

test("a real engine that is killed where teardown is slow leaves its bytes to nobody, and the next one starts when they are free", async (t) => {
  const { account, path } = await serveAccount(t);
  const flags = ["--gpu", "gpu-a/0", "--memory-bytes", "15000000000", "--gpu-account", path, "--instance", "gold-hot-1"];
  const engine = await startEngine(flags, (end) => t.after(end));
  assert.ok(account.slowTeardown({ kind: "slow-teardown", node: NODE.name, gpu: 0, teardownMs: 3_000 }, 60_000).ok);
  const states = async (): Promise<readonly string[]> => {
    const seen = await account.driver.observe();
    return seen.ok ? seen.value.flatMap(({ holders }) => holders.map(({ state }) => state)) : [];
  };
  assert.deepEqual(await states(), ["awake"]);
  engine.child.kill("SIGKILL");
  assert.deepEqual(await engine.exited, [null, "SIGKILL"]);
  const { code, output } = await runToEnd([...QUICK, ...flags]);
  assert.deepEqual([code, await states()], [3, ["gone"]]);
  assert.match(output, /it is held by: gold-hot-1 15 GB/);
  const clock = createSystemClock();
  const limitMs = clock.monotonicMs() + 10_000;
  while ((await states()).length > 0 && clock.monotonicMs() < limitMs) await clock.sleep(20, new AbortController().signal);
  const next = await startEngine(flags, (end) => t.after(end));
  assert.equal((await fetch(`${next.url}/health`)).status, 200);
});

test("an engine's help shows an example, and a wrong flag ends with 2", async () => {
  const [help, wrong] = await Promise.all([runToEnd(["--help"]), runToEnd(["--prot", "1"])]);
  assert.deepEqual([help.code, wrong.code], [0, 2]);
  assert.match(help.output, /Example:\n {2}tidegate engine /);
  assert.match(wrong.output, /--prot/);
});

const wrongArguments: readonly { readonly args: readonly string[]; readonly says: RegExp }[] = [
  { args: ["--port", "70000"], says: /--port/ },
  { args: ["--port", "x"], says: /--port must be a number/ },
  { args: ["--max-num-seqs", "1.5"], says: /whole number/ },
  { args: ["--gpu", "gpu-a"], says: /NODE\/INDEX/ },
  { args: ["--gpu", "gpu-a/0", "--gpu", "gpu-b/0"], says: /one node/ },
  { args: ["--load-link", "rail"], says: /disk or network/ },
  { args: ["tide"], says: /tide/ },
];
for (const { args, says } of wrongArguments) {
  test(`an engine does not take ${args.join(" ")}`, () => {
    const parsed = parseEngineArguments(args);
    assert.ok(!parsed.ok);
    assert.match(parsed.error, says);
  });
}

test("the last mention of an engine's flag wins, in either form", () => {
  const parsed = parseEngineArguments(["--max-num-seqs", "8", "--max-num-seqs=16", "--gpu", "gpu-a/0", "--gpu", "gpu-a/1"]);
  assert.ok(parsed.ok);
  assert.equal(parsed.value.options.profile.maxBatch, 16);
  assert.deepEqual(
    parsed.value.options.gpus.map(({ node, gpu }) => `${node}/${gpu}`),
    ["gpu-a/0", "gpu-a/1"],
  );
});
