import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { listenAdmin, runCli } from "./cli-rig.ts";
import { objectsAt, textAt } from "./json-at.ts";
import { parseJsonObject } from "./parse-admin-answer.ts";

const node = (name: string, zone: string, count: number): string => `apiVersion: inference.example.com/v1
kind: GPUNode
metadata: { name: ${name}, labels: { topology.kubernetes.io/zone: ${zone} } }
spec: { hostMemory: 512GB, gpus: [ { model: H100-80GB, count: ${count} } ] }
---
`;
const service = (name: string, more: string): string => `apiVersion: inference.example.com/v1
kind: HotStandbyConfig
metadata: { name: ${name} }
spec: { tenant: ${name}, ${more} }
---
`;
const GOLD = "tier: gold, coldStandby: { gpuCount: 0 }";

function createFolder() {
  const path = mkdtempSync(join(tmpdir(), "tidegate-place-"));
  return {
    write(name: string, text: string): string {
      writeFileSync(join(path, name), text);
      return join(path, name);
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  };
}

test("place --dry-run says of every node why or why not, in the order in which places are given", async () => {
  using folder = createFolder();
  const file = folder.write("all.yaml", node("a", "z1", 1) + node("b", "z2", 1) + service("tenant-gold", GOLD));
  const run = await runCli(["place", "--dry-run", "--alone", file]);
  assert.deepEqual([run.exitCode, run.err], [0, ""]);
  assert.match(
    run.out,
    /^tenant-gold-hot-1 \(gold hot, 1 whole GPU with \d+ GB\): a\/0\n {2}NODE +VERDICT +GPUS +WHY\n {2}a +chosen +0 +The best of 2\.\n/,
  );
  assert.match(
    run.out,
    /\ntenant-gold-warm-1 \(gold warm, a share of 1 GPU with \d+ GB\): b\/0 by mps, at most \d+ % of it under contention\n/,
  );
  assert.match(run.out, / {2}a +refused +It has 0 of 1 GPU with \d+ GB: 0 belongs to one instance alone\.\n/);
  assert.match(run.out, /\n2 instances: 2 placed, 0 where they stand, 0 without a place\. Nothing was changed\.\n$/);
});

test("place --dry-run ends with 1 where something has no place, and says what, why and what next", async () => {
  using folder = createFolder();
  const file = folder.write("all.yaml", node("a", "z1", 1) + service("tenant-gold", GOLD) + service("tenant-other", GOLD));
  const run = await runCli(["place", "--dry-run", "--alone", file, "-o", "json"]);
  assert.equal(run.exitCode, 1, run.err);
  const instances = objectsAt(parseJsonObject(run.out), "instances");
  const outcomes = instances.map((one) =>
    [textAt(one, "instance"), textAt(one, "outcome", "kind"), textAt(one, "outcome", "code") ?? ""].join(" ").trimEnd(),
  );
  assert.deepEqual(outcomes, [
    "tenant-gold-hot-1 placed",
    "tenant-other-hot-1 refused NO_EXCLUSIVE_GPU",
    "tenant-gold-warm-1 refused NO_CAPACITY",
    "tenant-other-warm-1 refused NO_CAPACITY",
  ]);
  const shown = await runCli(["place", "--dry-run", "--alone", file]);
  assert.equal(shown.exitCode, 1);
  assert.match(shown.err, /^tenant-other-hot-1 has no place\.\n {2}why: {2}[^\n]+\n {2}next: [^\n]+\n/);
});

test("place --dry-run lays manifests over what the platform has, and changes nothing there", async () => {
  using folder = createFolder();
  await using admin = await listenAdmin();
  const before = folder.write("before.yaml", node("a", "z1", 1) + node("b", "z2", 2) + service("tenant-gold", GOLD));
  const more = folder.write("more.yaml", service("tenant-new", "tier: silver"));
  const at = ["--data-dir", admin.dataDir];
  assert.equal((await runCli(["apply", before, ...at])).exitCode, 0);
  const alone = await runCli(["place", "--dry-run", ...at]);
  assert.match(alone.out, /\n2 instances: /);
  const both = await runCli(["place", "--dry-run", more, ...at, "-o", "json"]);
  assert.deepEqual([both.exitCode, both.err], [0, "Laid over what the running platform has; --alone leaves that out.\n"]);
  const names = objectsAt(parseJsonObject(both.out), "instances").map((one) => textAt(one, "service"));
  assert.deepEqual(new Set(names), new Set(["tenant-gold", "tenant-new"]));
  const one = await runCli(["place", "--dry-run", more, ...at, "--service", "tenant-new"]);
  assert.match(one.out, /^tenant-new-hot-1 /);
  assert.match(one.out, /\n1 instance: 1 placed/);
  const services = await runCli(["get", "services", "-o", "json", ...at]);
  assert.deepEqual(
    objectsAt(parseJsonObject(services.out), "items").map((item) => textAt(item, "metadata", "name")),
    ["tenant-gold"],
  );
});

const wrong: readonly { readonly args: readonly string[]; readonly exitCode: number; readonly says: RegExp }[] = [
  { args: ["place", "x.yaml"], exitCode: 2, says: /^place gives no places: the partition-controller does\.\n/ },
  { args: ["place", "--dry-run", "--alone"], exitCode: 2, says: /^--alone needs a PATH\.\n/ },
  { args: ["place", "--dry-run", "--alone", "/nowhere/x.yaml"], exitCode: 1, says: /\/nowhere\/x\.yaml/ },
  { args: ["place", "--dry-run", "--data-dir", "/nowhere", "--admin-port", "9"], exitCode: 1, says: /^The control plane does not answer/ },
];
for (const { args, exitCode, says } of wrong) {
  test(`tidegate ${args.join(" ")} is refused`, async () => {
    const run = await runCli(args);
    assert.deepEqual([run.exitCode, run.out], [exitCode, ""]);
    assert.match(run.err, says);
  });
}

test("place --dry-run names the services that there are when it is asked for another", async () => {
  using folder = createFolder();
  const file = folder.write("all.yaml", node("a", "z1", 1) + service("tenant-gold", GOLD));
  const run = await runCli(["place", "--dry-run", "--alone", file, "--service", "tenant-gone"]);
  assert.deepEqual([run.exitCode, run.out], [1, ""]);
  assert.match(run.err, /^There is no service tenant-gone\.\n {2}why: {2}Services with instances to place: tenant-gold\.\n/);
});
