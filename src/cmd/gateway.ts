import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createSystemClock } from "../adapters/clock/system.ts";
import { createFileEventLog } from "../adapters/event-log/file.ts";
import { createUnixGatewayLink } from "../adapters/gateway-link/unix-socket-link.ts";
import { createFileGatewayMemory } from "../adapters/gateway-memory/file.ts";
import { createSystemHost } from "../adapters/host/system.ts";
import { createNodeHttpFront } from "../adapters/http-front/node-http.ts";
import { createSha256KeyDigest } from "../adapters/key-digest/sha256.ts";
import { createSystemRandom } from "../adapters/random/system.ts";
import { createUndiciUpstream } from "../adapters/upstream/undici.ts";
import { gatewayId } from "../base/ids.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import { serveMetrics } from "../gateway/serve-metrics.ts";
import type { Listener, ListenError } from "../ports/http-front.ts";
import { refuse } from "./explain.ts";
import { keepCompiled } from "./keep-compiled.ts";
import { holderOfPort } from "./port-holder.ts";
import { usageError } from "./usage-error.ts";

const HELP = `Usage: tidegate gateway [options]

The data plane: serves the OpenAI API to tenants and fails over between engines. It takes its routes from the
control plane through DIR/link.sock, keeps the last ones in DIR/ID/memory.json, and serves from them when it
starts alone. SIGTERM lets open requests end for 5 s.

Options:
  --data-dir DIR        state directory (default .tidegate)
  --host HOST           address to listen on (default 127.0.0.1)
  --port PORT           port to listen on; 0 picks a free one (default 8080)
  --id ID               name of this gateway (default gateway-0)
  --metrics-port PORT   also serve GET /metrics on 127.0.0.1:PORT; 0 picks a free one (default: not served)
  --help                this text

Example:
  tidegate gateway --data-dir .tidegate --port 8080 --id gateway-0
`;

const DRAIN_MS = 5_000;
const EXIT_BROKEN = 70;

interface GatewayArguments {
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly id: string;
  readonly metricsPort: number | null;
}

/** @returns what is wrong with the command line, as text. */
function readArguments(args: readonly string[]): GatewayArguments | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "data-dir": { type: "string", default: ".tidegate" },
      host: { type: "string", default: "127.0.0.1" },
      port: { type: "string", default: "8080" },
      id: { type: "string", default: "gateway-0" },
      "metrics-port": { type: "string" },
    },
  });
  const port = readPort(values.port);
  const metricsPort = values["metrics-port"] === undefined ? null : readPort(values["metrics-port"]);
  if (port === -1 || metricsPort === -1) return "A port is a whole number from 0 to 65535.";
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(values.id)) return "An id is a lower-case DNS label.";
  return { dataDir: values["data-dir"], host: values.host, port, id: values.id, metricsPort };
}

const readPort = (text: string): number => (/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : -1);

async function run(args: readonly string[]): Promise<number | null> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  const options = readSafely(args);
  if (typeof options === "string") return usageError("The command line is not understood.", options, "gateway");
  const folder = join(options.dataDir, options.id);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const clock = createSystemClock();
  const gateway = createGateway(
    {
      clock,
      random: createSystemRandom(),
      host: createSystemHost(),
      upstream: createUndiciUpstream(),
      link: createUnixGatewayLink(join(options.dataDir, "link.sock"), clock),
      memory: createFileGatewayMemory(folder),
      keyDigest: createSha256KeyDigest(),
      eventLog: createFileEventLog(join(folder, "gateway.log")),
    },
    { id: gatewayId(options.id), pid: process.pid },
  );
  return serve(gateway, options);
}

function readSafely(args: readonly string[]): GatewayArguments | string {
  try {
    return readArguments(args);
  } catch (cause) {
    if (cause instanceof TypeError) return cause.message;
    throw cause;
  }
}

/** @returns an exit code, or null while it serves. */
async function serve(gateway: Gateway, options: GatewayArguments): Promise<number | null> {
  await gateway.load();
  const front = createNodeHttpFront();
  const listening = await front.listen({ host: options.host, port: options.port }, gateway.handler);
  if (!listening.ok) return refuseListen(listening.error, "--port");
  const listeners = [listening.value];
  let metricsUrl = "";
  if (options.metricsPort !== null) {
    const metrics = await front.listen({ host: "127.0.0.1", port: options.metricsPort }, serveMetrics(gateway));
    if (!metrics.ok) return refuseListen(metrics.error, "--metrics-port");
    listeners.push(metrics.value);
    metricsUrl = ` metrics http://127.0.0.1:${metrics.value.address.port}/metrics`;
  }
  const { host, port } = listening.value.address;
  gateway.start({ host, port });
  endOnSignals(gateway, listeners);
  process.stdout.write(`ready ${options.id} http://${host}:${port} pid ${process.pid}${metricsUrl}\n`);
  keepCompiled();
  return null;
}

function refuseListen(error: ListenError, flag: string): number {
  const { host, port } = error.address;
  const holder = error.code === "ADDRESS_IN_USE" ? holderOfPort(port) : null;
  const reason = error.code === "ADDRESS_IN_USE" ? "The port is taken" : error.reason;
  return refuse({
    what: `The gateway cannot listen on ${host}:${port}.`,
    why: holder === null ? `${reason}.` : `${reason} by process ${holder.pid}: ${holder.command}`,
    next: `End that process, or choose another port with ${flag}.`,
  });
}

/** First signal: open requests may end. Second: at once. */
function endOnSignals(gateway: Gateway, listeners: readonly Listener[]): void {
  let isEnding = false;
  const end = (): void => {
    if (isEnding) process.exit(1);
    isEnding = true;
    void Promise.all([gateway.drain(DRAIN_MS), ...listeners.map((listener) => listener.close(DRAIN_MS))]).then(() => {
      gateway.stop();
      process.exit(0);
    });
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

process.on("unhandledRejection", (reason) => {
  process.stderr.write(`The gateway broke: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}\n`);
  process.exit(EXIT_BROKEN);
});

const code = await run(process.argv.slice(2));
if (code !== null) process.exit(code);
