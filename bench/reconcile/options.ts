import { parseArgs } from "node:util";

const STORES = ["memory", "sqlite"] as const;
export type StoreName = (typeof STORES)[number];

export interface BenchOptions {
  readonly serviceCount: number;
  readonly nodeCount: number;
  /** Of each measurement of a pass. */
  readonly rounds: number;
  readonly store: StoreName;
  readonly json: string | null;
}

export const USAGE = `Times the control plane's looks over a large simulated fleet: real controllers, simulated engines, GPUs and network.
Usage: npm run bench:reconcile -- [--services N] [--nodes N] [--rounds N] [--store memory|sqlite] [--json FILE]
  --services N    of mixed tiers and sizes, 4.6 instances each on average (default: 500)
  --nodes N       of 8 GPUs each, in four zones, three of ten on spot (default: 1000)
  --rounds N      so often each pass is measured (default: 10)
  --store NAME    where resources are kept (default: memory); sqlite writes a file in the folder for temporary files
  --json FILE     {rows: [{name, value, unit, must, pass}], machine}
Exit 1 when a row fails. Limits are for the default fleet on an idle core.
Example: npm run bench:reconcile -- --services 50 --nodes 100
`;

/** @throws Error with a message for people when an argument is not understood. */
export function parseOptions(argv: readonly string[]): BenchOptions | "help" {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: { services: text, nodes: text, rounds: text, store: text, json: text, help: { type: "boolean", default: false } },
  });
  if (values.help) return "help";
  const store = STORES.find((name) => name === (values.store ?? "memory"));
  if (store === undefined) throw new Error(`--store knows no ${values.store}; it knows ${STORES.join(", ")}.`);
  return {
    serviceCount: countOf("--services", values.services ?? "500"),
    nodeCount: countOf("--nodes", values.nodes ?? "1000"),
    rounds: countOf("--rounds", values.rounds ?? "10"),
    store,
    json: values.json ?? null,
  };
}

function countOf(option: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 10_000)
    throw new Error(`${option} takes a whole number from 1 to 10000, not ${text}.`);
  return count;
}
