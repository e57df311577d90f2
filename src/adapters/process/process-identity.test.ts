import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, symlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { environmentOf, findByEnvironment, identify, isAlive } from "./process-identity.ts";

test("a process is told from a later one with its number by its start", () => {
  const own = identify(process.pid) ?? assert.fail("we live");
  assert.equal(isAlive(own), true);
  assert.equal(isAlive({ ...own, startTicks: `${Number(own.startTicks) + 1}` }), false);
  assert.equal(identify(2 ** 22 + 1), null);
});

test("a process whose name holds brackets and spaces is identified as any other", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-identity-"));
  t.after(() => rm(folder, { recursive: true }));
  const program = join(folder, "a) S (b");
  symlinkSync(process.execPath, program);
  const child = spawn(program, ["-e", "console.log('up'); setInterval(() => {}, 1000)"], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await firstLine(child.stdout);
  const ticks = Number(identify(child.pid ?? 0)?.startTicks);
  assert.ok(ticks >= Number(identify(process.pid)?.startTicks), "it started after us");
});

test("a process that has ended and was not collected yet does not live", async (t) => {
  // The shell's child ends; what the shell becomes does not know of it and never collects it.
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 1000"], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => parent.kill("SIGKILL"));
  const pid = Number(await firstLine(parent.stdout));
  const uncollected = async (): Promise<boolean> => (await findByEnvironment("PATH", "")).every((process) => process.pid !== pid);
  while (!(await uncollected()));
  assert.equal(identify(pid), null);
});

test("processes are found by the beginning of an environment variable, and only those", async (t) => {
  const mark = `state-${process.pid}`;
  const children = ["one/a", "two/b"].map((rest) => {
    const env = { TIDEGATE_TEST_MARK: `${mark}/${rest}` };
    return spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { env, stdio: "ignore" });
  });
  t.after(() => children.forEach((child) => child.kill("SIGKILL")));
  const found = await findByEnvironment("TIDEGATE_TEST_MARK", `${mark}/one/`);
  assert.deepEqual(
    found.map(({ pid, value }) => [pid, value]),
    [[children[0]?.pid, `${mark}/one/a`]],
  );
  assert.equal(environmentOf(children[1]?.pid ?? 0, "TIDEGATE_TEST_MARK"), `${mark}/two/b`);
  assert.equal(environmentOf(children[1]?.pid ?? 0, "TIDEGATE_TEST"), null);
});

async function firstLine(of: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: of })) return line;
  return assert.fail("it says something");
}
