// Our MIG table against collected readings, and what a decision costs. `npm run bench:mig -- --data DIR`, a few seconds.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { instanceName } from "../../src/base/ids.ts";
import { MIG_PROFILES } from "../../src/api/mig-geometry.ts";
import { EMPTY_ROOM, enumerateLayouts, placementIndex, placementsOf, roomAfter } from "../../src/api/mig-layout.ts";
import { bestStart, valueLost } from "../../src/placement/mig-value.ts";
import { planLayout } from "../../src/placement/plan-layout.ts";
import { planRepartition } from "../../src/placement/plan-repartition.ts";
import type { MigUse } from "../../src/placement/repartition.ts";
import { compareGeometry } from "./compare-geometry.ts";
import { parseProfiles } from "./parse-profiles.ts";
import { MIXES, RULES, servedSlices } from "./served-slices.ts";

const USAGE = `Holds our MIG geometry against a file of collected readings, and times the decisions on it.
Usage: npm run bench:mig -- [--data DIR] [--json FILE]
  --data DIR   has mig-profiles.json (default: TIDEGATE_DATA_DIR)
  --json FILE  {rows: [{name, value, unit, must, pass}]}
Exit 1 when a row fails.
Example: npm run bench:mig -- --data ~/data
`;

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly must: string;
  readonly pass: boolean;
}
const atMost = (name: string, value: number, unit: string, most: number): Row => ({
  name,
  value,
  unit,
  must: `<= ${most}`,
  pass: value <= most,
});

/** The same numbers on every run: speed is measured, not chance. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A million GPUs in turn: score one more profile, place it where it leaves most; a full GPU is emptied. */
function placementRow(): Row {
  const draw = chance(1);
  const rooms = Array.from({ length: 1_024 }, () => EMPTY_ROOM);
  const count = 1_000_000;
  let lost = 0;
  const run = (): number => {
    const startedAt = performance.now();
    for (let turn = 0; turn < count; turn += 1) {
      const at = turn & 1_023;
      const room = rooms[at] ?? EMPTY_ROOM;
      const profile = MIG_PROFILES[draw(MIG_PROFILES.length)] ?? "1g";
      lost += valueLost(room, profile) ?? 0;
      const start = bestStart(room, profile);
      rooms[at] = start === null ? EMPTY_ROOM : (roomAfter(room, placementIndex({ profile, start })) ?? EMPTY_ROOM);
    }
    return ((performance.now() - startedAt) * 1e6) / count;
  };
  run();
  const nanoseconds = run();
  if (lost === 0) throw new Error("no placement cost anything: the bench measured nothing");
  return atMost("mig placement decision", Math.round(nanoseconds), "ns", 1_000);
}

function planRow(): Row {
  const draw = chance(2);
  const layouts = enumerateLayouts();
  const count = 50_000;
  const run = (): number => {
    const startedAt = performance.now();
    for (let turn = 0; turn < count; turn += 1) {
      const kept = layouts[draw(layouts.length)];
      planLayout({ [MIG_PROFILES[draw(7)] ?? "1g"]: 1, [MIG_PROFILES[draw(7)] ?? "1g"]: 1 }, kept);
    }
    return ((performance.now() - startedAt) * 1_000) / count;
  };
  run();
  return atMost("mig layout of two more profiles", Number(run().toFixed(2)), "us", 50);
}

/** The largest of 2,000 random GPUs, all of whose tenants may be moved. */
function repartitionRow(): Row {
  const draw = chance(3);
  const layouts = enumerateLayouts();
  const times = Array.from({ length: 2_000 }, () => {
    const current = placementsOf(layouts[draw(layouts.length)] ?? layouts[0] ?? never()).map((placement, index): MigUse => {
      const moves = { isPinned: false, mayLeave: draw(2) === 0, drainMs: draw(30_000), restartMs: draw(30_000) };
      return { placement, tenancy: { instance: instanceName(`i${index}`), level: draw(2) === 0 ? "hot" : "warm", ...moves } };
    });
    const wishes = [{ instance: instanceName("w"), profile: MIG_PROFILES[draw(7)] ?? "1g" }];
    const startedAt = performance.now();
    planRepartition(current, wishes);
    return performance.now() - startedAt;
  }).toSorted((one, other) => one - other);
  return atMost("mig re-partition plan, p99", Number((times[Math.floor(times.length * 0.99)] ?? 0).toFixed(2)), "ms", 20);
}

/** Percent of the asked compute slices that are given, by value against each fixed rule, on the same requests. */
function servedRows(): readonly Row[] {
  const rules = ["by profile", "first"] as const;
  return Object.entries(MIXES).flatMap(([mixName, mix]) => {
    const percent = (rule: keyof typeof RULES): number => servedSlices(RULES[rule], mix, chance(42)) * 100;
    const ours = percent("value");
    return rules.map((rule): Row => {
      const theirs = percent(rule);
      const name = `mig slices served, ${mixName} mix, value against ${rule}`;
      return { name, value: Number(ours.toFixed(2)), unit: "%", must: `> ${theirs.toFixed(2)}`, pass: ours > theirs };
    });
  });
}

function never(): never {
  throw new Error("there is a legal layout");
}

function main(): number {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { data: text, json: text, help: { type: "boolean", default: false } } });
  if (values.help) return print(USAGE, 0);
  const folder = values.data ?? process.env["TIDEGATE_DATA_DIR"];
  if (folder === undefined) {
    return print(`No data folder: mig-profiles.json is needed to compare with. Give --data DIR or set TIDEGATE_DATA_DIR.\n${USAGE}`, 2);
  }
  const differences = compareGeometry(parseProfiles(readFileSync(join(folder, "mig-profiles.json"), "utf8")));
  for (const difference of differences) print(`  ${difference}\n`, 0);
  const rows = [
    atMost("mig geometry: differences", differences.length, "count", 0),
    placementRow(),
    planRow(),
    repartitionRow(),
    ...servedRows(),
  ];
  for (const { name, value, unit, must, pass } of rows) print(`${pass ? "ok  " : "FAIL"} ${name}: ${value} ${unit} (must: ${must})\n`, 0);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows }, null, 2)}\n`);
  return rows.every(({ pass }) => pass) ? 0 : 1;
}

function print(what: string, code: number): number {
  (code === 0 ? process.stdout : process.stderr).write(what);
  return code;
}

process.exitCode = main();
