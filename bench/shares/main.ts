// Asked and achieved shares of one GPU, interference, and the end of who takes more. docs/shares-bench.md says what each row is.
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { commitName } from "../../src/cmd/campaign-parts.ts";
import { Progress } from "../failover/progress.ts";
import { runContainment } from "./containment-row.ts";
import type { SharesRow } from "./judge-shares.ts";
import { runInterference, runShares } from "./share-rows.ts";

const ROW_NAMES = ["shares", "interference", "containment"] as const;
type RowName = (typeof ROW_NAMES)[number];

const USAGE = `Real engine processes on one simulated GPU, measured by what their clients receive.
Usage: npm run bench:shares -- [--rows a,b] [--seconds N] [--json FILE]
  --rows a,b     of: ${ROW_NAMES.join(", ")} (default: all)
  --seconds N    of each measurement under contention (default 20; alone half of it)
  --json FILE    {rows: [{name, value, unit, must, pass}], machine}
Exit 1 when a row fails or is void.
Example: npm run bench:shares -- --rows shares --json /tmp/shares.json
`;

async function runRow(row: RowName, forMs: number, progress: Progress): Promise<readonly SharesRow[]> {
  switch (row) {
    case "shares":
      return [...(await runShares("mps", forMs, progress)), ...(await runShares("vgpu", forMs, progress))];
    case "interference":
      return [...(await runInterference("mps", forMs, progress)), ...(await runInterference("time-slicing", forMs, progress))];
    case "containment":
      return runContainment(progress);
  }
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { rows: text, seconds: text, json: text, help: { type: "boolean", default: false } } });
  if (values.help) {
    process.stderr.write(USAGE);
    return 0;
  }
  const seconds = Number(values.seconds ?? 20);
  if (!(seconds >= 1 && seconds <= 3_600)) throw new Error(`--seconds takes 1 to 3600, not ${values.seconds}.`);
  const progress = new Progress();
  const rows: SharesRow[] = [];
  for (const name of values.rows?.split(",").map(rowOf) ?? ROW_NAMES) {
    const own = await runRow(name, seconds * 1_000, progress);
    rows.push(...own);
    for (const { name: what, value, unit, must, pass } of own) {
      const shown = value === null ? "none" : `${Number(value.toFixed(3))}`;
      progress.line(`${what.padEnd(56)} ${shown.padStart(9)} ${unit.padEnd(6)} ${must.padEnd(44)} ${pass ? "pass" : "FAIL"}`);
    }
  }
  const machine = { commit: commitName(), node: process.version, processor: cpus()[0]?.model ?? "unknown", load: loadavg() };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows, machine }, null, 1)}\n`);
  return rows.every(({ pass }) => pass) ? 0 : 1;
}

function rowOf(text: string): RowName {
  const name = ROW_NAMES.find((known) => known === text);
  if (name === undefined) throw new Error(`--rows knows no ${text}; it knows ${ROW_NAMES.join(", ")}.`);
  return name;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
try {
  process.exitCode = await main();
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n${USAGE}`);
  process.exitCode = 2;
}
