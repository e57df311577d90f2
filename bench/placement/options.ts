import { parseArgs } from "node:util";
import { POLICY_NAMES, type PolicyName } from "./policies.ts";
import { NEEDED } from "./read-openb.ts";

export interface BenchOptions {
  readonly dir: string;
  /** null = every trace in the folder. */
  readonly traces: readonly string[] | null;
  readonly seeds: readonly number[];
  readonly policies: readonly PolicyName[];
  readonly rows: readonly RowName[];
  readonly json: string | null;
}

const ROW_NAMES = ["allocation", "partitions", "operations", "departures", "mig", "gangs", "reserves", "planner"] as const;
export type RowName = (typeof ROW_NAMES)[number];
/** The others are no rows of the paper's, and take minutes each. */
const DEFAULT_ROWS: readonly RowName[] = ["allocation", "partitions", "operations"];
/** The others make up their own. */
const READS_TRACE: ReadonlySet<RowName> = new Set(["allocation", "departures", "gangs"]);

/** Those of the paper. Nothing is chosen on them. */
const SCORED_SEEDS = "42-51";

export const USAGE = `Replays the openb trace against placement policies, as "Beware of Fragmentation" (FGD, USENIX ATC'23) does.
Usage: npm run bench:placement -- --data DIR [--traces a,b] [--seeds 42-51] [--policies a,b] [--rows a,b] [--json FILE]
  --data DIR      the folder with the trace's CSV files (or TIDEGATE_DATA_DIR), for allocation, departures and gangs; expected_results/summary.json there is what the paper measured
  --traces a,b    of the folder's openb_pod_list_<trace>.csv (default: all)
  --seeds A-B     or a,b: orders of arrival (default: ${SCORED_SEEDS}; choose constants on 1-10 only)
  --policies a,b  of: ${POLICY_NAMES.join(", ")} (default: all)
  --rows a,b      of: ${ROW_NAMES.join(", ")} (default: ${DEFAULT_ROWS.join(", ")})
  --json FILE     {rows: [{name, value, unit, must, pass}], runs, machine}
Exit 1 when a row fails.
Example: npm run bench:placement -- --data ~/openb --traces default --seeds 42 --policies best-fit,fgd,least-stranded
`;

/** @throws Error with a message for people when an argument is not understood. */
export function parseOptions(argv: readonly string[], dirOfEnvironment: string | undefined): BenchOptions | "help" {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: { data: text, traces: text, seeds: text, policies: text, rows: text, json: text, help: { type: "boolean", default: false } },
  });
  if (values.help) return "help";
  const dir = values.data ?? dirOfEnvironment ?? "";
  const rows = values.rows?.split(",").map(rowOf) ?? DEFAULT_ROWS;
  if (dir === "" && rows.some((row) => READS_TRACE.has(row))) throw new Error(`No data folder is named. ${NEEDED}`);
  return {
    dir,
    traces: values.traces?.split(",") ?? null,
    seeds: (values.seeds ?? SCORED_SEEDS).split(",").flatMap(seedsOf),
    policies: values.policies?.split(",").map(policyOf) ?? POLICY_NAMES,
    rows,
    json: values.json ?? null,
  };
}

function seedsOf(text: string): readonly number[] {
  const [first, last = first] = text.split("-").map(Number);
  if (first === undefined || last === undefined || !Number.isInteger(first) || !Number.isInteger(last) || first < 1 || last < first)
    throw new Error(`--seeds takes N, A-B or a list of those, not ${text}.`);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function policyOf(text: string): PolicyName {
  const name = POLICY_NAMES.find((known) => known === text);
  if (name === undefined) throw new Error(`--policies knows no ${text}; it knows ${POLICY_NAMES.join(", ")}.`);
  return name;
}

function rowOf(text: string): RowName {
  const name = ROW_NAMES.find((known) => known === text);
  if (name === undefined) throw new Error(`--rows knows no ${text}; it knows ${ROW_NAMES.join(", ")}.`);
  return name;
}
