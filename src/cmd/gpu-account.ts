import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createSystemClock } from "../adapters/clock/system.ts";
import { endWhenUnused } from "../adapters/gpu-driver/end-when-unused.ts";
import { parseAccountState } from "../adapters/gpu-driver/parse-account-message.ts";
import { serveAccountSocket } from "../adapters/gpu-driver/serve-account.ts";
import { createSimulatedAccount, type SimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import { computeSlowdowns } from "../engine-model/compute-slowdown.ts";
import { refuse } from "./explain.ts";
import { usageError } from "./usage-error.ts";

const HELP = `Usage: tidegate gpu-account --socket PATH --state-dir DIR

Keeps the account of the simulated GPUs: which engine process holds how many bytes of which GPU, how the compute of
a shared one goes to those that work, and how fast weights travel over each node's links. \`up\` starts it by itself; it outlives the control plane, and ends when
nobody has been connected for 60 s.

Options:
  --socket PATH      Unix socket to serve on
  --state-dir DIR    where it keeps gpu-account.json, to go on after a restart
  --help             this text

Example:
  tidegate gpu-account --socket .tidegate/gpu.sock --state-dir .tidegate
`;

const EXIT_BROKEN = 70;

const clock = createSystemClock();

async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { socket: { type: "string" }, "state-dir": { type: "string" }, help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) return void process.stdout.write(HELP);
  const { socket, "state-dir": stateDir } = values;
  if (socket === undefined || stateDir === undefined) throw new TypeError("--socket and --state-dir are both needed.");
  const account = createSimulatedAccount(clock, { slowdowns: computeSlowdowns });
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const served = await serveAccountSocket(account, socket);
  if (!served.ok) {
    const why = served.error.code === "ALREADY_SERVED" ? "Another process serves it." : served.error.reason;
    process.exitCode = refuse({
      what: `Cannot serve the GPU account on ${socket}.`,
      why,
      next: "End that process, or give another --socket.",
    });
    return;
  }
  keepState(account, join(stateDir, "gpu-account.json"));
  const end = (): void => void served.value.close().then(() => process.exit(0));
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  endWhenUnused(served.value, clock, end);
}

/** Goes on where an earlier process of this state ended, and writes down each change. */
function keepState(account: SimulatedAccount, path: string): void {
  const earlier = existsSync(path) ? parseAccountState(readFileSync(path, "utf8")) : null;
  if (earlier !== null) account.restore(earlier);
  // At once: an engine makes its holds again only where the inventory is known.
  account.onChange(() => save(path, JSON.stringify(account.state())));
}

/** A full disk costs the memory of a restart, not the account. */
function save(path: string, text: string): void {
  try {
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (cause) {
    process.stderr.write(`gpu-account: cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}\n`);
  }
}

process.on("unhandledRejection", (cause) => {
  process.stderr.write(`gpu-account: is broken: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`);
  process.exit(EXIT_BROKEN);
});

try {
  await run(process.argv.slice(2));
} catch (cause) {
  process.exitCode = usageError(
    "The command line is not understood.",
    cause instanceof Error ? cause.message : String(cause),
    "gpu-account",
  );
}
