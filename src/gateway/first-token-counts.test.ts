import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { renderPrometheus } from "../wire/prometheus-text.ts";
import { FirstTokenCounts } from "./first-token-counts.ts";
import { createGatewayMetrics } from "./gateway-metrics.ts";

test("what is reported of first tokens is what the metrics page says of them", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(0, 0.01, 2, 2.000_001, 60, 61), fc.double({ min: 0, max: 100, noNaN: true }))),
      (seconds) => {
        const counts = new FirstTokenCounts();
        const metrics = createGatewayMetrics();
        const histogram = metrics.firstToken.with("tenant", "service");
        for (const one of seconds) {
          counts.add(one);
          histogram.observe(one);
        }
        const page = renderPrometheus(metrics.registry);
        const buckets = [...page.matchAll(/tidegate_time_to_first_token_seconds_bucket\{[^}]*\} (\d+)/g)].map(([, count]) => Number(count));
        assert.deepEqual(counts.cumulative(), buckets);
      },
    ),
    { seed: 311 },
  );
});
