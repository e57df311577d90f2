#!/usr/bin/env node
// Plain JavaScript on purpose: it runs on any Node from 18 and hands over to the one that the lock file brings.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import Module from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// The first version in which the parser refuses to cut header lists silently (CVE-2026-58044).
const NODE_FLOOR = [24, 18, 1];
// Started often or for long: each has an entry of its own that loads nothing of the command line.
const LEAN_ENTRIES = { engine: "engine.ts", gateway: "gateway.ts", "gpu-account": "gpu-account.ts" };
const PASSED_ON = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function isAtFloor(version) {
  const parts = version.split(".").map(Number);
  for (const [index, floor] of NODE_FLOOR.entries()) {
    const part = parts[index] || 0;
    if (part !== floor) return part > floor;
  }
  return true;
}

/** The Node beside us: in our own node_modules, or in those of whoever installed us. */
function findBundledNode() {
  const name = `node-${process.platform}-${process.arch}`;
  for (let folder = root; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name, "bin", "node");
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return null;
  }
}

function refuse(what, why, next) {
  process.stderr.write(`${what}\n  why:  ${why}\n  next: ${next}\n`);
  process.exit(1);
}

function handOver() {
  const floor = NODE_FLOOR.join(".");
  const node = findBundledNode();
  if (node === null) {
    refuse(
      `Tidegate needs Node ${floor} or newer.`,
      `This is Node ${process.versions.node}, and no Node for ${process.platform}-${process.arch} lies in node_modules.`,
      `Run "npm ci" in ${root} (without --omit=optional), or start it with a newer Node.`,
    );
  }
  if (process.env.TIDEGATE_HANDED_OVER === node) {
    refuse(
      `The Node in node_modules is too old: ${process.versions.node}.`,
      `Tidegate needs ${floor} or newer.`,
      `Run "npm ci" in ${root}.`,
    );
  }
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const env = { ...process.env, TIDEGATE_HANDED_OVER: node };
  // Replaces this process where Node can: one process less, and every signal arrives by itself.
  if (typeof process.execve === "function") process.execve(node, [node, ...args], env);
  const child = spawn(node, args, { stdio: "inherit", env });
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => refuse(`Node at ${node} does not start.`, error.message, `Run "npm ci" in ${root} again.`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code === null ? 1 : code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function run() {
  delete process.env.TIDEGATE_HANDED_OVER;
  // Types are stripped once and kept beside the packages; a folder that cannot be written only costs time.
  Module.enableCompileCache(join(root, "node_modules", ".cache", "tidegate"));
  const lean = Object.hasOwn(LEAN_ENTRIES, process.argv[2]) ? LEAN_ENTRIES[process.argv[2]] : null;
  if (lean === null) process.argv[1] = join(root, "src", "cmd", "main.ts");
  else process.argv.splice(1, 2, join(root, "src", "cmd", lean));
  Module.runMain();
}

if (isAtFloor(process.versions.node)) run();
else handOver();
