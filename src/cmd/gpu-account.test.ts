import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { connectAccountDriver } from "../adapters/gpu-driver/account-driver.ts";
import { connectGpuAccount } from "../adapters/gpu-driver/account-socket.ts";
import { nodeName } from "../base/ids.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import { gpuNode } from "../ports/gpu-driver-contract.ts";

const folder = mkdtempSync(join(tmpdir(), "tidegate-gpu-account-"));
after(() => rm(folder, { recursive: true }));
const ENTRY = new URL("gpu-account.ts", import.meta.url).pathname;
const AT = { node: nodeName("gpu-a"), gpu: 0 };
const DONE = { ok: true, value: null };

interface Ended {
  readonly code: number | null;
  readonly text: string;
}
function start(args: readonly string[], t: TestContext): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [ENTRY, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += String(chunk)));
  return { child, ended: new Promise((resolve) => child.once("close", (code) => resolve({ code, text }))) };
}
const keeping = (name: string): readonly string[] => ["--socket", join(folder, `${name}.sock`), "--state-dir", join(folder, name)];

/** The first answer after a start; the driver gives up after a second, and a start may take longer. */
async function seen(driver: GpuDriver): Promise<Awaited<ReturnType<GpuDriver["observe"]>>> {
  for (;;) {
    const answer = await driver.observe();
    if (answer.ok) return answer;
  }
}

test("gpu-account goes on after a kill with its inventory and what a living engine holds, and ends on SIGTERM", async (t) => {
  const first = start(keeping("restart"), t);
  const path = join(folder, "restart.sock");
  const driver = connectAccountDriver(path);
  await seen(driver);
  assert.deepEqual(await driver.ensureInventory([gpuNode("gpu-a")]), DONE);
  const engine = connectGpuAccount(path, { instance: "hot-1", pid: 1 });
  assert.deepEqual(await engine.holdGpu(AT, 5), DONE);
  const before = await seen(driver);
  first.child.kill("SIGKILL");
  await first.ended;
  const second = start(keeping("restart"), t);
  assert.deepEqual(await seen(driver), before);
  assert.deepEqual(await engine.holdGpu(AT, 6), DONE);
  second.child.kill("SIGTERM");
  assert.equal((await second.ended).code, 0);
  engine.close();
  driver.close();
});

test("gpu-account refuses a socket that another one serves, and leaves that one alone", async (t) => {
  const first = start(keeping("single"), t);
  const driver = connectAccountDriver(join(folder, "single.sock"));
  await seen(driver);
  const second = await start(keeping("single"), t).ended;
  assert.equal(second.code, 1);
  assert.match(second.text, /Another process serves it/);
  assert.equal((await driver.observe()).ok, true);
  driver.close();
  first.child.kill("SIGTERM");
  await first.ended;
});

test("gpu-account says what is wrong with its command line and where its help is", async (t) => {
  const results = await Promise.all([["--socket", "x"], ["--sockets", "x"], ["--help"]].map((args) => start(args, t).ended));
  assert.deepEqual(
    results.map((result) => result.code),
    [2, 2, 0],
  );
  assert.match(results[0]?.text ?? "", /--socket and --state-dir are both needed/);
  assert.match(results[1]?.text ?? "", /--sockets/);
  assert.match(results[2]?.text ?? "", /Example:/);
});
