// The part of the campaigns that CI runs: fixed seeds, a tenth of them once more with faults of GPUs, and a death at every crash point of every scenario.
// node scripts/fixed-campaign.ts [--seeds 1000] [--seconds 120] [--jobs 2] [--json FILE]
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const MINUTES_MAX = 6;
const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    seconds: { type: "string", default: "120" },
    jobs: { type: "string", default: "2" },
    json: { type: "string" },
  },
});

interface Part {
  readonly name: string;
  readonly args: readonly string[];
  /** What its last words count: good ones of all. */
  readonly count: (said: string) => { readonly value: number; readonly must: number } | null;
}

const numbersIn = (said: string, pattern: RegExp): readonly number[] => (pattern.exec(said) ?? []).slice(1).map(Number);

const campaignPart = (name: string, seeds: number, more: readonly string[]): Part => ({
  name,
  args: ["simulate", "--campaign", "--seeds", `${seeds}`, "--seconds", values.seconds, "--jobs", values.jobs, ...more],
  count: (said) => {
    const [run, failed] = numbersIn(said, /^(\d+) of \d+ seeds, .* (\d+) seeds with violations$/m);
    return run === undefined || failed === undefined ? null : { value: run - failed, must: seeds };
  },
});

/** Of the seeds so many also have Xids of single engines and slow drivers. */
const GPU_FAULT_SHARE = 0.1;
const gpuFaultSeeds = Math.ceil(Number(values.seeds) * GPU_FAULT_SHARE);

const PARTS: readonly Part[] = [
  campaignPart(`seeds of ${values.seconds} virtual seconds without a violation`, Number(values.seeds), []),
  campaignPart("seeds with faults of GPUs and drivers too, without a violation", gpuFaultSeeds, ["--gpu-faults"]),
  {
    name: "deaths at crash points of scenarios without a violation",
    args: ["scenario", "scenarios", "--crash-points", "--jobs", values.jobs],
    count: (said) => {
      const [deaths, failed] = numbersIn(said, /(\d+) deaths at \d+ of \d+ crash points, (\d+) runs with violations$/m);
      return deaths === undefined || failed === undefined ? null : { value: deaths - failed, must: deaths };
    },
  },
];

const startedMs = performance.now();
const rows = PARTS.map(({ name, args, count }) => {
  const run = spawnSync(process.execPath, ["bin/tidegate.js", ...args], {
    cwd: new URL("..", import.meta.url),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 64 * 1024 * 1024,
  });
  process.stdout.write(run.stdout);
  const counted = count(run.stdout);
  const must = counted?.must ?? 0;
  const pass = run.status === 0 && must > 0 && counted?.value === must;
  return { name, value: counted?.value ?? 0, unit: "runs", must: `= ${must}`, pass };
});
const minutes = (performance.now() - startedMs) / 60_000;
rows.push({
  name: "time of all",
  value: Number(minutes.toFixed(1)),
  unit: "min",
  must: `<= ${MINUTES_MAX}`,
  pass: minutes <= MINUTES_MAX,
});

console.log();
for (const { name, value, unit, must, pass } of rows)
  console.log(`${pass ? "pass" : "FAIL"}  ${name.padEnd(62)} ${String(value).padStart(6)} ${unit.padEnd(5)} must ${must}`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows }, null, 2)}\n`);
// How long it takes is the machine's too: it is told, and only a broken promise is a failure.
process.exit(rows.slice(0, -1).every(({ pass }) => pass) ? 0 : 1);
