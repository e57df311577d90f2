import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { parseManifests } from "../../src/api/parse-manifests.ts";
import { vetDrafts } from "../../src/failover/vet-drafts.ts";
import { benchEngineArguments, LADDER_LINKS, LADDER_WEIGHTS, manifestsOf, tenantsOf, WORLD_NAMES } from "./bench-manifests.ts";
import { saysWhatItNeeds } from "./ladder-rows.ts";
import { ROW_NAMES } from "./options.ts";
import { BENCH_MANIFESTS } from "./platform.ts";

const read = (path: string): { spec: { model: { weights: string }; failoverPolicy: { maxFailoverCount: number } } } =>
  parse(readFileSync(path, "utf8")) as ReturnType<typeof read>;

test("every manifest of the bench runs in some world", () => {
  const used = new Set(WORLD_NAMES.flatMap(manifestsOf));
  const unused = readdirSync(BENCH_MANIFESTS).filter((file) => !used.has(join(BENCH_MANIFESTS, file)));
  assert.deepEqual(unused, []);
});

test("all tenants of the bench have one engine profile", () => {
  assert.ok(benchEngineArguments().includes("--enable-faults"));
});

test("the loads and wakes that the bench's bars allow for are those of its manifests", () => {
  for (const tenant of ["asleep", "cold", "gold", "silver"]) {
    assert.equal(read(join(BENCH_MANIFESTS, `tenant-${tenant}.yaml`)).spec.model.weights, LADDER_WEIGHTS, tenant);
  }
  const nodes = parseAllDocuments(readFileSync(join(BENCH_MANIFESTS, "inventory.yaml"), "utf8")).map(
    (document) => document.toJS() as { spec: { links: Record<string, string> } },
  );
  assert.deepEqual(
    nodes.map(({ spec }) => [spec.links["disk"], spec.links["hostToGpu"]]),
    nodes.map(() => [LADDER_LINKS.disk, LADDER_LINKS.hostToGpu]),
  );
});

test("no promise of the bench's worlds is impossible, or late after one loss", () => {
  for (const world of WORLD_NAMES) {
    const { drafts, places, problems } = parseManifests(manifestsOf(world).map((path) => ({ path, text: readFileSync(path, "utf8") })));
    assert.deepEqual(problems, []);
    const vetted = vetDrafts({ drafts, places });
    assert.equal(vetted.length, tenantsOf(world).length);
    assert.deepEqual(
      vetted.flatMap(({ problem, warnings }) => [...(problem === null ? [] : [problem]), ...warnings].map(({ what }) => what)),
      [],
      world,
    );
  }
});

test("only the tenant of the hold row has a budget that the bench can spend", () => {
  const tenants = new Set(WORLD_NAMES.flatMap(tenantsOf));
  const small = [...tenants].filter((tenant) => {
    const { spec } = read(join(BENCH_MANIFESTS, `tenant-${tenant.replace("bench-", "")}.yaml`));
    return spec.failoverPolicy.maxFailoverCount < 1_000;
  });
  assert.deepEqual(small, ["bench-hold"]);
});

test("a description names the control plane on the line of the cold rung, or does not count", () => {
  assert.equal(saysWhatItNeeds("cold   reserved on bench-a/3; a start needs the control plane").pass, true);
  assert.equal(saysWhatItNeeds("cold   reserved on bench-a/3\nwarm   asleep; control plane away: the gateway wakes it").pass, false);
});

test("each row of the bench that leaves out the control plane has its row with it", () => {
  const suffix = "-no-control-plane";
  const without = ROW_NAMES.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
  assert.equal(without.length, 5);
  assert.deepEqual(
    without.filter((name) => !ROW_NAMES.some((row) => row === name)),
    [],
  );
});
