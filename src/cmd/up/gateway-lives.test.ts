import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { identify } from "../../adapters/process/process-identity.ts";
import { recordSuccessor } from "../../adapters/process/record-successor.ts";
import { removeRunRecord, writeRunRecord } from "../../adapters/process/run-record.ts";
import { createSystemRandom } from "../../adapters/random/system.ts";
import { gatewayLives } from "./gateway-lives.ts";
import { openStateDir } from "./state-dir.ts";

test("the gateway that runs is the one on record: being started, another one after it, and none", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-lives-"));
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1_000)"]);
  try {
    const state = openStateDir(folder, createSystemRandom());
    assert.ok(state.ok);
    const path = join(state.value.runFolder, "gateway-0.json");
    const record = (pid: number | null) => {
      const startTicks = pid === null ? null : (identify(pid)?.startTicks ?? null);
      return writeRunRecord(path, { nonce: "n", pid, startTicks, logOffset: 0, about: {} });
    };
    const lives = await gatewayLives({ name: "gateway-0", port: 1 }, state.value);
    assert.deepEqual(lives.running(), []);

    await record(null);
    const [starting] = lives.running();
    assert.ok(starting !== undefined, "it may listen before its pid is written");
    const isStarting = lives.watch(starting);
    assert.equal(isStarting(), true);

    const pid = child.pid ?? 0;
    await record(pid);
    assert.deepEqual([lives.running(), isStarting()], [[pid], false]);
    const isChildAlive = lives.watch(pid);
    assert.equal(isChildAlive(), true);

    // It gives its place to us, and has open streams.
    assert.notEqual(await recordSuccessor(path, { ownPid: pid, pid: process.pid, nonce: "m" }), null);
    assert.deepEqual(new Set(lives.running()), new Set([process.pid, pid]));
    await record(pid);

    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    assert.deepEqual([lives.running(), isChildAlive()], [[], false]);
    await record(process.pid);
    assert.deepEqual(lives.running(), [process.pid]);
    await removeRunRecord(path);
    assert.deepEqual(lives.running(), []);
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});
