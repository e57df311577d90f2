// One set of rules, judged three times: by the control plane from what gateways report, by a small Prometheus of our own that reads the
// rules' text, and by Prometheus itself: Debian's promtool, without which these tests fail.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { ALERT_RULES, expressionOf, type AlertRule } from "../src/api/alert-rules.ts";
import { renderAlertRules } from "../src/api/render-alert-rules.ts";
import type { AlertStates } from "../src/failover/evaluate-alerts.ts";
import { alertOfRuns, parseQuery, type FakeSeries } from "../src/failover/fake-prometheus.ts";
import { alertWorlds, evaluateWorld, seriesOfWorld, type AlertWorld } from "./support/alert-worlds.ts";

const QUERIES = ALERT_RULES.map((rule) => ({ rule, query: parseQuery(expressionOf(rule.condition)) }));

/** The series must drive every rule through all its states: else a comparison says little. */
function statesMissing(seen: ReadonlySet<string>, wanted: readonly string[]): readonly string[] {
  const all = ALERT_RULES.flatMap(({ name, forMs }) =>
    wanted.map((state) => (state === "pending" && forMs === 0 ? "" : `${name} ${state}`)),
  );
  return all.filter((key) => key !== "" && !seen.has(key));
}

test("every alert is in the state that Prometheus makes of the rule's text and the same samples, at every evaluation", () => {
  const seen = new Set<string>();
  const check = (world: AlertWorld): void => {
    const series = seriesOfWorld(world);
    const histories = QUERIES.map((): { readonly atMs: number; readonly isActive: boolean }[] => []);
    for (const { atMs, states } of evaluateWorld(world)) {
      for (const [index, { rule, query }] of QUERIES.entries()) {
        const history = histories[index] ?? [];
        history.push({ atMs, isActive: query(series, atMs).length > 0 });
        const expected = alertOfRuns(history, rule.forMs);
        assert.deepEqual(states.get(rule.name), expected, `${rule.name} at ${atMs} ms`);
        seen.add(`${rule.name} ${expected.state}`);
      }
    }
  };
  const worlds = alertWorlds({ stepMs: [1_000, 5_000], offsetMs: [0, 0, 1, 400, 999] });
  fc.assert(fc.property(worlds, check), { seed: 4_107, numRuns: 40 });
  assert.deepEqual(statesMissing(seen, ["inactive", "pending", "firing", "resolved"]), []);
});

const SAMPLED = [1_000, 5_000].map((stepMs) => ({
  stepMs,
  worlds: fc.sample(alertWorlds({ stepMs: [stepMs], offsetMs: [0] }), { seed: 7_023, numRuns: 12 }),
}));

/** A line of promtool's: a value for each step, `_` = not scraped, `stale` = gone. */
function seriesLine({ name, labels, samples }: FakeSeries, stepMs: number): { readonly series: string; readonly values: string } {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const values: string[] = [];
  for (const { atMs, value } of samples) {
    while (values.length < atMs / stepMs) values.push("_");
    values.push(value === null ? "stale" : String(value));
  }
  return { series: `${name}{${pairs.join(",")}}`, values: values.join(" ") };
}

/** Prometheus shows what is pending or firing as a series. */
function alertSeries({ name, severity, action, condition }: AlertRule, state: string): string {
  const group = condition.kind === "gateway-absent" ? "" : condition.kind === "gauge-set" ? ',service="s"' : ',service="s",tenant="t"';
  return `ALERTS{action="${action}",alertname="${name}",alertstate="${state}",severity="${severity}"${group}}`;
}

const expectedSamples = (states: AlertStates) =>
  ALERT_RULES.flatMap((rule) => {
    const { state } = states.get(rule.name) ?? { state: "inactive" };
    return state === "pending" || state === "firing" ? [{ labels: alertSeries(rule, state), value: 1 }] : [];
  });

/** Expects of Prometheus, at every step, what the control plane made of the same samples. */
const unitTests = (worlds: readonly AlertWorld[], stepMs: number) => ({
  rule_files: ["rules.json"],
  evaluation_interval: `${stepMs / 1_000}s`,
  tests: worlds.map((world) => ({
    interval: `${stepMs / 1_000}s`,
    input_series: seriesOfWorld(world).map((series) => seriesLine(series, stepMs)),
    promql_expr_test: [...evaluateWorld(world)].map(({ atMs, states }) => ({
      expr: "ALERTS",
      eval_time: `${atMs / 1_000}s`,
      exp_samples: expectedSamples(states),
    })),
  })),
});

test("the samples that Prometheus is asked about make every alert pending and firing", () => {
  const told = SAMPLED.flatMap(({ worlds }) => worlds.flatMap((world) => [...evaluateWorld(world)].map(({ states }) => states)));
  const seen = new Set(told.flatMap((states) => [...states].map(([name, { state }]) => `${name} ${state}`)));
  assert.deepEqual(statesMissing(seen, ["pending", "firing"]), []);
});

const MISSING =
  "promtool is missing, so nobody says whether Prometheus judges alerts as we do. Install Debian's package prometheus (apt-get install " +
  "prometheus), or put its promtool on the PATH as .ci/run does, which starts no service.";

/** @returns the path of Prometheus' own tool. */
function findPromtool(path: string): string {
  const folder = path.split(delimiter).find((one) => one !== "" && existsSync(join(one, "promtool")));
  assert.ok(folder !== undefined, MISSING);
  return join(folder, "promtool");
}

function runPromtool(args: readonly string[], files: Readonly<Record<string, object>>) {
  const promtool = findPromtool(process.env["PATH"] ?? "");
  const folder = mkdtempSync(join(tmpdir(), "tidegate-promtool-"));
  try {
    for (const [name, value] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(value));
    const { status, stdout, stderr } = spawnSync(promtool, args, { cwd: folder, encoding: "utf8" });
    return { status, text: `${stdout}${stderr}`.slice(0, 4_000) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("without promtool the comparison fails, and says what to install", () => {
  for (const path of ["", join(tmpdir(), "no-such-folder")]) assert.throws(() => findPromtool(path), { message: MISSING });
});

test("promtool finds nothing wrong with the rules", () => {
  const { status, text } = runPromtool(["check", "rules", "rules.json"], { "rules.json": renderAlertRules() });
  assert.equal(status, 0, text);
  assert.match(text, new RegExp(`${ALERT_RULES.length} rules found`));
});

for (const { stepMs, worlds } of SAMPLED) {
  test(`promtool agrees with the control plane at every one of its steps of ${stepMs} ms`, () => {
    const { status, text } = runPromtool(["test", "rules", "tests.json"], {
      "rules.json": renderAlertRules(),
      "tests.json": unitTests(worlds, stepMs),
    });
    assert.equal(status, 0, text);
  });
}

test("promtool contradicts when a state is told a step too late", () => {
  const [first] = SAMPLED.map(({ worlds, stepMs }) => unitTests(worlds.slice(0, 1), stepMs));
  const late = (first?.tests ?? []).map((group) => ({
    ...group,
    promql_expr_test: group.promql_expr_test.map((asked, index, all) => ({
      ...asked,
      exp_samples: (all[index - 1] ?? asked).exp_samples,
    })),
  }));
  const { status, text } = runPromtool(["test", "rules", "tests.json"], {
    "rules.json": renderAlertRules(),
    "tests.json": { ...first, tests: late },
  });
  assert.equal(status, 1, text);
});
