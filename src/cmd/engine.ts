import { writeSync } from "node:fs";
import { createSystemClock } from "../adapters/clock/system.ts";
import { createNodeHttpFront } from "../adapters/http-front/node-http.ts";
import { createSystemRandom } from "../adapters/random/system.ts";
import { isGpuLostMode, type GpuFaultMode } from "../api/fault.ts";
import type { Explanation } from "../base/result.ts";
import type { GpuAccount } from "../ports/gpu-account.ts";
import type { Listener } from "../ports/http-front.ts";
import { createEngine, explainStartError, type Engine } from "../simulator/engine-handler.ts";
import { ENGINE_HELP, parseEngineArguments, type EngineArguments } from "./engine-arguments.ts";
import { formatExplanation } from "./explain.ts";
import { keepCompiled } from "./keep-compiled.ts";
import { usageError } from "./usage-error.ts";

const EXIT_PORT_TAKEN = 1;
/** No GPU or host memory, or nobody to ask for it: another placement may help, a repeat will not. */
const EXIT_NO_MEMORY = 3;
/** The GPU under it is lost: the same placement cannot serve again. */
const EXIT_GPU_LOST = 4;
/** A fault ended its work on a GPU that goes on: the same placement can serve again. */
const EXIT_GPU_FAULT = 5;
const EXIT_BROKEN = 70;
const START_EXITS: Readonly<Record<string, number>> = { GPU_LOST: EXIT_GPU_LOST, GPU_FAULT: EXIT_GPU_FAULT };
const GRACE_MS = 1_000;
/** A gateway keeps its connections to engines open; it must be the one who closes an idle one. */
const KEEP_ALIVE_MS = 75_000;

let instance = "engine";

/** To the error stream, at once: the launcher shows the last lines of an engine that died. */
function say(text: string): void {
  try {
    writeSync(2, `${instance}: ${text}\n`);
  } catch {
    // Whoever read the log has gone, or its disk is full: an engine does not die of that.
    return;
  }
}

function end(code: number, { what, why, next }: Explanation): never {
  say(formatExplanation({ what, why, next }).trimEnd());
  process.exit(code);
}

function endNow(reason: string): void {
  say(`ends at once: ${reason}`);
  process.kill(process.pid, "SIGKILL");
}

async function connectAccount({ gpuAccountSocket, options }: EngineArguments): Promise<GpuAccount | null> {
  if (gpuAccountSocket === null) return null;
  // Only where there is an account: the lean start is paid for by every engine.
  const { connectGpuAccount } = await import("../adapters/gpu-driver/account-socket.ts");
  return connectGpuAccount(gpuAccountSocket, { instance: options.instance, pid: process.pid, isPromised: options.claim !== null });
}

async function run(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(ENGINE_HELP);
    return;
  }
  const parsed = parseEngineArguments(args);
  if (!parsed.ok) {
    process.exitCode = usageError("The command line is not understood.", parsed.error, "engine");
    return;
  }
  const { options, address } = parsed.value;
  instance = options.instance;
  const ports = { clock: createSystemClock(), random: createSystemRandom(), account: await connectAccount(parsed.value) };
  const unclaimed = (): void => {
    say("ends: nobody claimed it for 30 s");
    process.exit(0);
  };
  const gpuEnded = (reason: string, mode: GpuFaultMode): never => {
    say(`ends at once: ${reason}`);
    process.exit(isGpuLostMode(mode) ? EXIT_GPU_LOST : EXIT_GPU_FAULT);
  };
  const made = createEngine(options, ports, { crashed: endNow, gpuEnded, unclaimed });
  if (!made.ok) return end(EXIT_NO_MEMORY, explainStartError(made.error));
  const engine = made.value;
  const listening = await createNodeHttpFront({ keepAliveTimeoutMs: KEEP_ALIVE_MS }).listen(address, engine.handler);
  if (!listening.ok) {
    const why = listening.error.code === "ADDRESS_IN_USE" ? "Another process listens there." : listening.error.reason;
    return end(EXIT_PORT_TAKEN, { what: `Cannot listen on ${address.host}:${address.port}.`, why, next: "Give another --port." });
  }
  endOnSignal(engine, listening.value);
  await load(engine, listening.value, parsed.value);
}

async function load(engine: Engine, listener: Listener, { options }: EngineArguments): Promise<void> {
  const { host, port } = listener.address;
  say(`listens on http://${host}:${port}, loads ${options.model}@${options.revision}`);
  keepCompiled();
  if (engine.contextLength < options.contextLength) {
    say(`its memory holds a context of ${engine.contextLength} tokens, not ${options.contextLength}`);
  }
  const started = await engine.start();
  if (!started.ok) return end(START_EXITS[started.error.code] ?? EXIT_NO_MEMORY, explainStartError(started.error));
  say(`is ready on http://${host}:${port}`);
}

/** The first signal stops listening and lets answers end; a second one ends at once. */
function endOnSignal(engine: Engine, listener: Listener): void {
  let isEnding = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isEnding) process.exit(0);
    isEnding = true;
    say(`ends on ${signal}`);
    void listener.close(GRACE_MS).then(() => {
      engine.stop();
      process.exit(0);
    });
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

process.on("unhandledRejection", (cause) => {
  say(`is broken: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
  process.exit(EXIT_BROKEN);
});

await run(process.argv.slice(2));
