import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { createRegistry } from "../base/metric.ts";
import { readMetric, renderPrometheus } from "./prometheus-text.ts";

test("a registry is rendered in Prometheus' text format", () => {
  const registry = createRegistry();
  registry.counter("requests_total", "Requests,\nby \\outcome.", ["outcome"]).with('a"b\\c\nd').add(2);
  registry.gauge("level", "Level.").with().set(Number.NEGATIVE_INFINITY);
  const waits = registry.histogram("wait_seconds", "Waits.", ["level"], [0.1, 1]);
  for (const x of [0.05, 0.5, 5]) waits.with("hot").observe(x);
  assert.equal(
    renderPrometheus(registry),
    [
      "# HELP tidegate_metric_label_overflow_total Label sets that were added up in one series because their metric has too many.",
      "# TYPE tidegate_metric_label_overflow_total counter",
      "# HELP requests_total Requests,\\nby \\\\outcome.",
      "# TYPE requests_total counter",
      'requests_total{outcome="a\\"b\\\\c\\nd"} 2',
      "# HELP level Level.",
      "# TYPE level gauge",
      "level -Inf",
      "# HELP wait_seconds Waits.",
      "# TYPE wait_seconds histogram",
      'wait_seconds_bucket{level="hot",le="0.1"} 1',
      'wait_seconds_bucket{level="hot",le="1"} 2',
      'wait_seconds_bucket{level="hot",le="+Inf"} 3',
      'wait_seconds_sum{level="hot"} 5.55',
      'wait_seconds_count{level="hot"} 3',
      "",
    ].join("\n"),
  );
});

const PAGE = [
  "# HELP vllm:num_requests_running Number of requests.",
  "# TYPE vllm:num_requests_running gauge",
  'vllm:num_requests_running{engine="0",model_name="a}b\\"}"} 3.0',
  'vllm:num_requests_running{engine="1"} 2 1700000000000',
  "vllm:num_requests_running_max 99",
  "plain 1e3",
  "nothing NaN",
  'torn{a="',
  "last +Inf",
].join("\n");

const readings: readonly { readonly name: string; readonly metric: string; readonly value: number | null }[] = [
  { name: "a metric is read as the sum over its label sets", metric: "vllm:num_requests_running", value: 5 },
  { name: "a metric without labels is read", metric: "plain", value: 1_000 },
  { name: "a metric at the end of an unterminated page is read", metric: "last", value: Number.POSITIVE_INFINITY },
  { name: "a metric that is not a number reads as absent", metric: "nothing", value: null },
  { name: "a metric whose labels are torn reads as absent", metric: "torn", value: null },
  { name: "a metric named only in comments or inside other names is absent", metric: "num_requests_running", value: null },
];
for (const { name, metric, value } of readings) test(name, () => assert.equal(readMetric(PAGE, metric), value));

test("what is rendered is read back for any label value", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string(), fc.nat()), { minLength: 1 }), (samples) => {
      const registry = createRegistry();
      const metric = registry.counter("seen_total", "Seen.", ["value"]);
      for (const [label, n] of samples) metric.with(label).add(n);
      const total = samples.reduce((sum, [, n]) => sum + n, 0);
      assert.equal(readMetric(renderPrometheus(registry), "seen_total"), total);
    }),
  );
});
