import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "./cli-rig.ts";

const MANIFEST = `apiVersion: inference.example.com/v1
kind: GPUNode
metadata: { name: gpu-a }
spec: { gpus: [{ model: H100-80GB, count: 4 }] }
---
apiVersion: inference.example.com/v1
kind: GPUNode
metadata: { name: gpu-b }
spec: { gpus: [{ model: H100-80GB, count: 4 }] }
---
apiVersion: inference.example.com/v1
kind: HotStandbyConfig
metadata: { name: silver-x }
spec:
  tenant: silver-x
  tier: silver
  model: { name: m, weights: 140GB, tensorParallelSize: 4 }
  failoverPolicy: { rtoTarget: 20s }
`;

async function validate(text: string, ...args: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-promise-"));
  writeFileSync(join(folder, "m.yaml"), text);
  try {
    return await runCli(["validate", "m.yaml", ...args], { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
const WORDS =
  "m.yaml:18:32: PROMISE_IMPOSSIBLE: silver-x: cold loads 140 GB over 11 GB/s network = 12.7 s + 0.2 s, alone over rtoTarget 5 s: use imageCache, a warm instance, or a longer rtoTarget.\n";

test("validate refuses a promise of 5 s for a load of 12.9 s, with the arithmetic at its line", async () => {
  const { exitCode, err } = await validate(MANIFEST.replace("20s", "5s"));
  assert.equal(exitCode, 1);
  assert.ok(err.includes(WORDS), err);
  assert.match(err, /--force: it then carries the condition PromiseAtRisk\.\nRefused: 1 problem in /);
});

test("validate with --force passes it, and warns in the same words", async () => {
  const { exitCode, out, err } = await validate(MANIFEST.replace("20s", "5s"), "--force");
  assert.equal(exitCode, 0);
  assert.match(out, /^Valid: 1 file, 3 resources, \d warnings?\.\n$/);
  assert.ok(err.includes(`warning: ${WORDS.replace("PROMISE_IMPOSSIBLE", "PROMISE_AT_RISK")}`), err);
});

test("validate says nothing of a promise that can be kept", async () => {
  const { exitCode, err } = await validate(MANIFEST);
  assert.deepEqual([exitCode, err.includes("PROMISE")], [0, false]);
});
