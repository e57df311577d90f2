import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "./cli-rig.ts";
import { objectsAt, textAt } from "./json-at.ts";
import { parseJsonObject } from "./parse-admin-answer.ts";

async function listenSomewhere(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return { server, port: typeof address === "object" && address !== null ? address.port : 0 };
}

async function freePort(): Promise<number> {
  const { server, port } = await listenSomewhere();
  server.close();
  await once(server, "close");
  return port;
}

/** Runs doctor over a folder that `prepare` filled; gives each finding as `result: detail`. */
async function examine(prepare: (dataDir: string) => void, gatewayPort: number) {
  const dataDir = mkdtempSync(join(tmpdir(), "tidegate-doctor-"));
  try {
    prepare(dataDir);
    const ports = ["--admin-port", `${await freePort()}`, "--gateway-port", `${gatewayPort}`];
    const { exitCode, out } = await runCli(["doctor", "-o", "json", "--data-dir", dataDir, ...ports]);
    const checks = objectsAt(parseJsonObject(out), "checks");
    return {
      exitCode,
      of: (name: string): string => {
        const found = checks.find((check) => check["name"] === name) ?? null;
        return `${textAt(found, "result")}: ${textAt(found, "detail")}`;
      },
    };
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}

test("doctor of a machine where nothing runs finds nothing wrong", async () => {
  const found = await examine(() => undefined, await freePort());
  assert.equal(found.exitCode, 0);
  assert.match(found.of("control plane"), /^good: not running; port \d+ is free$/);
  assert.match(found.of("gateway"), /^good: not running/);
  assert.match(found.of("data dir"), /^good: .*mode 700$/);
  assert.match(found.of("/proc"), /^good/);
});

test("doctor names the stranger on the gateway's port, and exits with 1", async () => {
  const { server, port } = await listenSomewhere();
  const found = await examine(() => undefined, port);
  server.close();
  assert.equal(found.exitCode, 1);
  assert.match(found.of("gateway"), new RegExp(`^bad: port ${port} is held by pid ${process.pid} \\(`));
});

test("doctor warns of a state directory that is open to others", async () => {
  const found = await examine((dataDir) => chmodSync(dataDir, 0o755), await freePort());
  assert.deepEqual([found.exitCode, found.of("data dir").startsWith("warn: ")], [0, true]);
});

test("doctor tells a socket that nobody serves", async () => {
  const found = await examine((dataDir) => writeFileSync(join(dataDir, "gpu.sock"), ""), await freePort());
  assert.match(found.of("gpu.sock"), /^warn: nobody answers/);
});

test("doctor counts the engines that run without a control plane, and takes a torn record for none", async () => {
  const found = await examine(
    (dataDir) => {
      mkdirSync(join(dataDir, "engines"));
      const record = (name: string, text: string): void => writeFileSync(join(dataDir, "engines", `${name}.json`), text);
      record("alive", JSON.stringify({ pid: process.pid }));
      record("dead", JSON.stringify({ pid: 2 ** 30 }));
      record("torn", '{"pid": 12');
    },
    await freePort(),
  );
  assert.equal(found.of("engines"), `warn: 2 recorded, 1 running without a control plane (${process.pid})`);
});
