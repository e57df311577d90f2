import { test } from "node:test";
import assert from "node:assert/strict";
import { createRegistry, type MetricRegistry } from "./metric.ts";

const cellsOf = (registry: MetricRegistry, name: string): Record<string, readonly number[]> => {
  const family = registry.families().find((one) => one.name === name);
  return Object.fromEntries([...(family?.series() ?? [])].map(({ labels, cells }) => [labels.join(","), [...cells]]));
};

test("a metric counts, sets and observes per label set", () => {
  const registry = createRegistry();
  const requests = registry.counter("requests_total", "Requests.", ["outcome"]);
  requests.with("ok").add(2);
  requests.with("ok").add(1);
  requests.with("failed").add(1);
  registry.gauge("level", "Level.").with().set(7);
  const waits = registry.histogram("wait_seconds", "Waits.", [], [0.1, 1]);
  for (const x of [0.1, 0.2, 5]) waits.with().observe(x);
  assert.deepEqual(cellsOf(registry, "requests_total"), { ok: [3], failed: [1] });
  assert.deepEqual(cellsOf(registry, "level"), { "": [7] });
  assert.deepEqual(cellsOf(registry, "wait_seconds"), { "": [1, 1, 1, 5.3] });
});

test("a metric without labels is zero before its first use", () => {
  const registry = createRegistry();
  registry.counter("spills_total", "Spills.");
  assert.deepEqual(cellsOf(registry, "spills_total"), { "": [0] });
});

test("a metric adds label sets above its cap up in one series and counts them", () => {
  const registry = createRegistry(2);
  const requests = registry.counter("requests_total", "Requests.", ["tenant"]);
  for (const tenant of ["a", "b", "c", "d", "a"]) requests.with(tenant).add(1);
  assert.deepEqual(cellsOf(registry, "requests_total"), { a: [2], b: [1], overflow: [2] });
  assert.deepEqual(cellsOf(registry, "tidegate_metric_label_overflow_total"), { requests_total: [2] });
});

test("a removed label set is gone and its old handle writes nowhere", () => {
  const registry = createRegistry();
  const level = registry.gauge("level", "Level.", ["instance"]);
  const held = level.with("hot-1");
  held.set(3);
  level.remove("hot-1");
  held.set(4);
  assert.deepEqual(cellsOf(registry, "level"), {});
});

test("a metric refuses a second definition, a wrong name, unordered buckets and a falling counter", () => {
  const registry = createRegistry();
  const counter = registry.counter("requests_total", "Requests.");
  assert.throws(() => registry.gauge("requests_total", "Again."), /defined once/);
  assert.throws(() => registry.gauge("no spaces", "Wrong."), /name of a metric/);
  assert.throws(() => registry.histogram("wait_seconds", "Wrong.", [], [1, 1]), /ascend/);
  assert.throws(() => registry.gauge("level", "Wrong.", ["le"]), /have the label le/);
  assert.throws(() => counter.with().add(-1), /never falls/);
  assert.throws(() => counter.with("surplus"), /takes 0 label values/);
});
