// A gateway of the embedded platform gives its place to a successor: the control plane follows, and nothing is left behind.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isJsonObject } from "../src/base/json.ts";
import { chat, fetchText } from "./support/client.ts";
import { ownDataDirs, processesOf, readKeys, startPlatform, watchOutput, type Platform } from "./support/platform.ts";
import { root } from "./support/source-files.ts";

const dataDir = ownDataDirs();

function recordedPid(folder: string): number {
  const record: unknown = JSON.parse(readFileSync(join(folder, "run", "gateway-0.json"), "utf8"));
  return isJsonObject(record) && typeof record["pid"] === "number" ? record["pid"] : assert.fail("it is on record");
}

async function takeOver(folder: string): Promise<string> {
  const asking = watchOutput(spawn(process.execPath, [join(root, "bin", "tidegate.js"), "gateway", "take-over", "--data-dir", folder]));
  assert.equal(await asking.ended, 0, asking.output());
  return asking.output();
}

/** null = nobody listens. */
const ask = async ({ dataDir: folder, gatewayPort }: Platform): Promise<number | null> => {
  const key = readKeys(folder).get("tenant-silver") ?? "";
  return fetchText(gatewayPort, "/v1/chat/completions", { key, body: chat("tidegate-sim-8b") }).then(
    ({ status }) => status,
    () => null,
  );
};

test("embedded: a gateway is taken over by command, its successor is looked after, and an orderly end ends it", async () => {
  const folder = dataDir();
  const platform = await startPlatform([join(root, "examples", "laptop")], folder);
  await platform.seen("kill -9 ");
  const first = recordedPid(folder);
  const said = await takeOver(folder);
  const second = recordedPid(folder);
  assert.notEqual(second, first);
  assert.match(said, new RegExp(`^gateway-0 is process ${second} now`));
  await platform.seen(`gateway-0: process ${second} has taken over.`);
  assert.equal(await ask(platform), 200);
  process.kill(second, "SIGKILL");
  await platform.seen("gateway-0 runs again");
  const third = recordedPid(folder);
  assert.equal([first, second].includes(third), false);
  while ((await ask(platform)) !== 200);

  // A control plane that was not there when it happened adopts the successor.
  platform.process.kill("SIGKILL");
  await platform.ended;
  await takeOver(folder);
  const fourth = recordedPid(folder);
  const again = await startPlatform([join(root, "examples", "laptop")], folder, platform);
  await again.seen("Gateway: ");
  assert.deepEqual([recordedPid(folder), await ask(again)], [fourth, 200]);
  again.process.kill("SIGTERM");
  assert.equal(await again.ended, 0);
  assert.deepEqual(processesOf(folder), []);
});
