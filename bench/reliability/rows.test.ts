import assert from "node:assert/strict";
import { test } from "node:test";
import { HARD_FAULTS } from "../../src/simulator/noise-fault.ts";
import { OUTAGE_CLASSES } from "../../src/simulator/no-store-faults.ts";
import { parseSeeds } from "./parse-seeds.ts";
import { parseOptions } from "./options.ts";
import type { SeedEntry } from "./row-seeds.ts";
import { ROWS } from "./rows.ts";

const entry = (more: Partial<SeedEntry> = {}): SeedEntry => ({
  row: "r",
  seed: 1,
  commit: "c",
  options: "",
  violations: [],
  counts: {},
  timesMs: {},
  virtualMs: 1,
  hash: "h",
  ...more,
});
const rowNamed = (name: string) => {
  const row = ROWS.find((one) => one.name === name);
  assert.ok(row !== undefined);
  return row;
};
const failed = (name: string, ...entries: readonly SeedEntry[]): readonly string[] =>
  rowNamed(name)
    .judge(entries)
    .filter(({ pass }) => !pass)
    .map((bar) => bar.name);

const quietNoise = entry({
  counts: { "calm seconds": 3_600_000, ...Object.fromEntries(HARD_FAULTS.map((fault) => [`fault ${fault}`, 1])) },
  timesMs: Object.fromEntries(HARD_FAULTS.map((fault) => [fault, [100]])),
});

test("healthy-noise passes when nobody moved and every fault was found, and fails for a single ejection, loss or late fault", () => {
  assert.deepEqual(failed("healthy-noise", quietNoise), []);
  const ejected = entry({ violations: ['3.000 s, gateway.ejected: {"instance":"hot-1"}'] });
  assert.deepEqual(failed("healthy-noise", quietNoise, ejected), ["failovers, ejections and restarts for nothing", "all violations"]);
  const lost = entry({ violations: ["3.000 s, lost: request 7 ended as refused"] });
  assert.deepEqual(failed("healthy-noise", quietNoise, lost), ["requests lost", "all violations"]);
  const late = entry({ counts: { "fault hang": 1 }, timesMs: { hang: [2_600] } });
  assert.deepEqual(failed("healthy-noise", quietNoise, late), [
    "hang: found in time",
    "hang: found after, p99",
    "hang: found after, largest",
  ]);
  assert.deepEqual(failed("healthy-noise", quietNoise, entry({ counts: { "fault kill": 1 } })), ["kill: found in time"]);
});

test("no-store fails for a class that was too rare, and for a seed that did not become whole", () => {
  const counts = {
    "wakes in the outage": 1,
    "seconds without the store": 86_400,
    ...Object.fromEntries(OUTAGE_CLASSES.map((name) => [`fault ${name}`, 10])),
  };
  const whole = entry({ counts, timesMs: { "whole after": [9_000] } });
  assert.deepEqual(failed("no-store", whole), []);
  assert.deepEqual(failed("no-store", entry({ counts })), ["whole again after the store's return, largest"]);
  assert.deepEqual(failed("no-store", { ...whole, counts: { ...counts, "fault zone-lost": 9 } }), ["faults of the rarest class"]);
});

test("gateway-cut-off fails for one activation by the gateway that is cut off", () => {
  const well = Array.from({ length: 300 }, () => entry({ counts: { "activations by others": 1, "without a control plane": 1 } }));
  assert.deepEqual(failed("gateway-cut-off", ...well), []);
  assert.deepEqual(failed("gateway-cut-off", ...well, entry({ counts: { "activations by the one cut off": 1 } })), [
    "activations by the gateway that is cut off",
  ]);
});

test("a ledger's line that was cut off is left out", () => {
  const line = JSON.stringify(entry());
  assert.deepEqual(parseSeeds(`${line}\n${line.slice(0, 30)}\n{}\n`), [entry()]);
});

test("options name their rows, and refuse what they do not know", () => {
  const options = parseOptions(["--rows", "no-store,healthy-noise", "--shard", "2/3", "--seeds", "5"]);
  assert.ok(options !== "help");
  assert.deepEqual(
    [options.rows.map(({ name }) => name), options.shard, options.seeds],
    [["healthy-noise", "no-store"], { part: 2, of: 3 }, 5],
  );
  for (const wrong of [
    ["--rows", "x"],
    ["--seeds", "0"],
    ["--shard", "3/2"],
  ])
    assert.throws(() => parseOptions(wrong), /takes|knows/);
});
