import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BIN, listenAdmin, runCli, startCli } from "./cli-rig.ts";

/** Makes this Node say that it is another one, until it has handed over. */
const pretend = (version: string, more = ""): string =>
  `if (process.env.TIDEGATE_HANDED_OVER === undefined) {
    Object.defineProperty(process, "versions", { value: { ...process.versions, node: ${JSON.stringify(version)} } });
    ${more}
  }`;
const WITHOUT_EXECVE = "process.execve = undefined;";

for (const version of ["18.20.0", "20.20.2", "24.18.0"]) {
  test(`the entry on Node ${version} hands over to the Node of the packages`, async () => {
    const { exitCode, out } = await runCli(["version"], { preload: pretend(version) });
    assert.deepEqual([exitCode, out.includes(`(Node ${process.versions.node})`)], [0, true]);
  });
}

test("the entry hands exit code, arguments and both streams through where Node cannot replace itself", async () => {
  const { exitCode, out, err } = await runCli(["get", "no such kind"], { preload: pretend("20.20.2", WITHOUT_EXECVE) });
  assert.deepEqual([exitCode, out], [2, ""]);
  assert.match(err, /^get knows no no such kind\./);
});

test("a signal to the entry reaches the Node that it handed over to", async () => {
  await using platform = await listenAdmin();
  const preload = pretend("20.20.2", WITHOUT_EXECVE);
  const watch = startCli(["get", "-w", "--data-dir", platform.dataDir], { preload });
  await watch.shows(/^TIME /m);
  watch.child.kill("SIGTERM");
  assert.equal(await watch.exited, 0);
});

test("the entry without a Node in the packages says what, why and next", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-entry-"));
  try {
    mkdirSync(join(folder, "bin"));
    const bin = join(folder, "bin", "tidegate.js");
    copyFileSync(BIN, bin);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const { exitCode, out, err } = await runCli(["version"], { bin, preload: pretend("20.20.2") });
    assert.deepEqual([exitCode, out], [1, ""]);
    assert.match(err, /^Tidegate needs Node 24\.18\.1 or newer\.\n {2}why: {2}This is Node 20\.20\.2, .*\n {2}next: Run "npm ci" in .*\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("an entry that handed over to a Node below the floor stops instead of going round", async () => {
  const preload = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } });';
  const { exitCode, err } = await runCli(["version"], { preload });
  assert.equal(exitCode, 1);
  assert.match(err, /^The Node in node_modules is too old: 20\.20\.2\./);
});

test("the lean entries are reached through the same command", async () => {
  for (const name of ["engine", "gateway", "gpu-account"]) {
    const { exitCode, out, err } = await runCli([name, "--help"]);
    assert.equal(exitCode, 0, `${name}: ${err}`);
    assert.ok(`${out}${err}`.includes(`tidegate ${name}`), name);
  }
});
