import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse as parseYaml } from "yaml";
import { listenAdmin, runCli } from "./cli-rig.ts";
import { objectsAt, textAt } from "./json-at.ts";
import { parseJsonObject } from "./parse-admin-answer.ts";

const SERVICES = `apiVersion: inference.example.com/v1
kind: HotStandbyConfig
metadata: { name: tenant-gold }
spec: { tenant: tenant-gold, tier: gold }
---
apiVersion: inference.example.com/v1
kind: HotStandbyConfig
metadata: { name: tenant-silver }
spec: { tenant: tenant-silver, tier: silver }
`;
const RESERVATION = `apiVersion: v1
kind: ConfigMap
metadata: { name: standby-gpu-reservation, namespace: kube-system }
data:
  reservation.yaml: |
    tenants:
    - name: tenant-gold
      hotStandby: { gpuCount: 1, memoryReserved: 40GB }
    - name: tenant-bronze
      hotStandby: { gpuCount: 1, memoryReserved: 24GB }
`;

function createFolder() {
  const path = mkdtempSync(join(tmpdir(), "tidegate-render-"));
  return {
    write(name: string, text: string): string {
      writeFileSync(join(path, name), text);
      return join(path, name);
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  };
}

const wrong = [
  {
    args: ["render"],
    says: "render needs --target.\n  why:  Targets are reservation, prometheus-rules.\n  next: tidegate render --help\n",
  },
  {
    args: ["render", "--target", "toString", "x.yaml"],
    says: "render has no target toString.\n  why:  Targets are reservation, prometheus-rules.\n  next: tidegate render --help\n",
  },
  {
    args: ["render", "--target", "prometheus-rules", "x.yaml"],
    says: "render --target prometheus-rules takes no PATH.\n  why:  It is the same for every config.\n  next: tidegate render --help\n",
  },
];
for (const { args, says } of wrong) {
  test(`tidegate ${args.join(" ")} is wrong usage and lists the targets`, async () => {
    assert.deepEqual(await runCli(args), { exitCode: 2, out: "", err: says });
  });
}

test("the reservation rendered from manifests is a ConfigMap of which validate has nothing to say", async () => {
  using folder = createFolder();
  const services = folder.write("services.yaml", SERVICES);
  const rendered = await runCli(["render", "--target", "reservation", services]);
  assert.deepEqual([rendered.exitCode, rendered.err], [0, ""]);
  assert.match(
    rendered.out,
    /^apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: standby-gpu-reservation\n  namespace: kube-system\ndata:\n  reservation\.yaml: \|\n    tenants:\n/,
  );
  const map = folder.write("reservation.yaml", rendered.out);
  const valid = await runCli(["validate", services, map, "-o", "json"]);
  const warnings = objectsAt(parseJsonObject(valid.out), "warnings").map((warning) => textAt(warning, "code") ?? "");
  assert.deepEqual([valid.exitCode, warnings.filter((code) => code.startsWith("RESERVATION"))], [0, []]);
  assert.equal((await runCli(["render", "--target", "reservation", services, map])).out, rendered.out);
});

test("the alert rules are rendered without manifests and without a platform, as Prometheus takes them, and each time the same", async () => {
  const rendered = await runCli(["render", "--target", "prometheus-rules"]);
  assert.deepEqual([rendered.exitCode, rendered.err], [0, ""]);
  assert.match(rendered.out, /^groups:\n  - name: tidegate\n    rules:\n      - alert: TidegateErrorRatioHigh\n        expr: /);
  assert.match(
    rendered.out,
    /\n        for: 1m\n        labels:\n          severity: critical\n          action: failover\n        annotations:\n/,
  );
  assert.equal((await runCli(["render", "--target", "prometheus-rules"])).out, rendered.out);
  const json = parseJsonObject((await runCli(["render", "--target", "prometheus-rules", "-o", "json"])).out);
  assert.deepEqual(json, parseYaml(rendered.out));
});

test("manifests that are wrong are not rendered", async () => {
  using folder = createFolder();
  const file = folder.write("services.yaml", SERVICES.replace("tier: gold", "tire: gold"));
  const { exitCode, out, err } = await runCli(["render", "--target", "reservation", file]);
  assert.deepEqual([exitCode, out], [1, ""]);
  assert.match(err, /UNKNOWN_FIELD[\S\s]+Refused: 1 problem\. Nothing was rendered\.\n$/);
});

test("validate tells where a reservation and a config differ, and what is derived", async () => {
  using folder = createFolder();
  const services = folder.write("services.yaml", SERVICES.replace("tier: gold", "tier: gold, hotStandby: { gpuCount: 1 }"));
  const map = folder.write("reservation.yaml", RESERVATION);
  const { exitCode, err, out } = await runCli(["validate", services, map]);
  assert.equal(exitCode, 0, err);
  assert.match(
    err,
    /warning: \S+reservation\.yaml:8:50: RESERVATION_CONFLICT: tenant-gold: hotStandby\.memoryReserved is 20GB, and 40GB in the reservation\.\n/,
  );
  assert.match(err, /warning: \S+reservation\.yaml:9:13: RESERVATION_DERIVED: No HotStandbyConfig is written for tenant-bronze/);
  assert.match(out, /^Valid: 2 files, 3 resources, /);
});

test("a config with a slip in it is not taken for one that nobody wrote", async () => {
  using folder = createFolder();
  const services = folder.write("services.yaml", SERVICES.replace("tier: gold", "tire: gold"));
  const { exitCode, err } = await runCli(["validate", services, folder.write("reservation.yaml", RESERVATION)]);
  assert.deepEqual([exitCode, err.includes("UNKNOWN_FIELD"), err.includes("RESERVATION_DERIVED")], [1, true, false]);
});

test("a running platform takes the reservation, renders it with what it gave, and holds the same once the rendered one is applied", async () => {
  await using platform = await listenAdmin();
  using folder = createFolder();
  const cli = (...args: readonly string[]) => runCli([...args, "--data-dir", platform.dataDir]);
  const files = [folder.write("services.yaml", SERVICES), folder.write("reservation.yaml", RESERVATION)];
  assert.deepEqual((await cli("apply", ...files)).out.trimEnd().split("\n"), [
    "HotStandbyConfig tenant-gold created",
    "HotStandbyConfig tenant-silver created",
    "ReservationMap standby-gpu-reservation created",
    "HotStandbyConfig tenant-bronze created",
  ]);
  assert.match(
    (await cli("get", "reservations")).out,
    /^RESERVATION +ENTRIES +AGE\nstandby-gpu-reservation +tenant-gold, tenant-bronze +\S+\n$/,
  );
  const rendered = await cli("render", "--target", "reservation", "-o", "json");
  const text = textAt(parseJsonObject(rendered.out), "data", "reservation.yaml") ?? "";
  assert.match(text, /- name: tenant-gold\n    hotStandby:\n      gpuCount: 1\n      memoryReserved: 40GB\n/);
  const map = folder.write("rendered.json", rendered.out);
  const again = await cli("apply", map);
  assert.deepEqual([again.exitCode, again.err.includes("RESERVATION_CONFLICT")], [0, false]);
  assert.deepEqual((await cli("apply", map)).out, "ReservationMap standby-gpu-reservation unchanged\n");
  assert.equal((await cli("render", "--target", "reservation", "-o", "json")).out, rendered.out);
});

test("a derived service cannot be deleted, and goes with the reservation", async () => {
  await using platform = await listenAdmin();
  using folder = createFolder();
  const cli = (...args: readonly string[]) => runCli([...args, "--data-dir", platform.dataDir]);
  await cli("apply", folder.write("reservation.yaml", RESERVATION));
  const refused = await cli("delete", "service", "tenant-bronze");
  assert.equal(refused.exitCode, 1);
  assert.match(refused.err, /it follows from the ConfigMap standby-gpu-reservation/);
  assert.equal((await cli("delete", "reservation", "standby-gpu-reservation")).out, "reservation standby-gpu-reservation deleted\n");
  assert.match((await cli("get", "services")).err, /There are no services/);
});
