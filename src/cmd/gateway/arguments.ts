import { parseArgs } from "node:util";
import type { TlsPaths } from "../../adapters/http-front/tls-files.ts";
import { parseDuration } from "../../api/parse-duration.ts";

export const HELP = `Usage: tidegate gateway [options]
       tidegate gateway take-over [--data-dir DIR] [--id ID]

The data plane: serves the OpenAI API to tenants and fails over between engines. It takes its routes from the
control plane through DIR/link.sock, keeps the last ones in DIR/ID/memory.json, and serves from them when it
starts alone. SIGTERM lets open requests end; a second one ends it at once.

take-over: the running gateway starts a successor from the files that are installed now, with the options that it
was started with, and hands it its listening sockets when the successor is ready. No connection is refused or reset.
The old process goes on with its open requests until they end.

Options:
  --data-dir DIR              state directory (default .tidegate)
  --host HOST                 address to listen on (default 127.0.0.1)
  --port PORT                 port to listen on; 0 picks a free one (default 8080)
  --id ID                     name of this gateway (default gateway-0)
  --metrics-port PORT         also serve GET /metrics on 127.0.0.1:PORT; 0 picks a free one (default: not served)
  --tls-cert FILE             serve TLS (1.2 or newer) with this certificate chain, in PEM; needs --tls-key
  --tls-key FILE              its private key, in PEM (mode 0600); both are read again when they change, or at SIGHUP
  --drain DURATION            how long open requests may go on after SIGTERM (default 5s)
  --take-over-drain DURATION  how long open requests may go on after a take-over, in the old process (default 10m)
  --take-over                 given by a running gateway to the successor that it starts; not for people
  --help                      this text

Example:
  tidegate gateway --data-dir .tidegate --port 8080 --id gateway-0
  tidegate gateway take-over --data-dir .tidegate --id gateway-0
`;

export interface GatewayArguments {
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly id: string;
  readonly metricsPort: number | null;
  /** null = plain HTTP. */
  readonly tls: TlsPaths | null;
  readonly drainMs: number;
  readonly takeOverDrainMs: number;
  /** Started by the gateway whose place it takes. */
  readonly isSuccessor: boolean;
}

/** @returns what is wrong with the command line, as text. */
export function readArguments(args: readonly string[]): GatewayArguments | string {
  try {
    return parse(args);
  } catch (cause) {
    if (cause instanceof TypeError) return cause.message;
    throw cause;
  }
}

function parse(args: readonly string[]): GatewayArguments | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "data-dir": { type: "string", default: ".tidegate" },
      host: { type: "string", default: "127.0.0.1" },
      port: { type: "string", default: "8080" },
      id: { type: "string", default: "gateway-0" },
      "metrics-port": { type: "string" },
      "tls-cert": { type: "string" },
      "tls-key": { type: "string" },
      drain: { type: "string", default: "5s" },
      "take-over-drain": { type: "string", default: "10m" },
      "take-over": { type: "boolean", default: false },
    },
  });
  const port = readPort(values.port);
  const metricsPort = values["metrics-port"] === undefined ? null : readPort(values["metrics-port"]);
  if (port === -1 || metricsPort === -1) return "A port is a whole number from 0 to 65535.";
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(values.id)) return "An id is a lower-case DNS label.";
  const { "tls-cert": cert, "tls-key": key } = values;
  if ((cert === undefined) !== (key === undefined)) return "TLS needs both --tls-cert and --tls-key.";
  const drain = parseDuration(values.drain);
  const takeOverDrain = parseDuration(values["take-over-drain"]);
  if (!drain.ok || !takeOverDrain.ok) return "A drain is a duration such as 5s or 10m.";
  return {
    dataDir: values["data-dir"],
    host: values.host,
    port,
    id: values.id,
    metricsPort,
    tls: cert === undefined || key === undefined ? null : { cert, key },
    drainMs: drain.value,
    takeOverDrainMs: takeOverDrain.value,
    isSuccessor: values["take-over"],
  };
}

const readPort = (text: string): number => (/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : -1);

/** The same options for a successor, with the ports that were really taken. */
export const successorArguments = (
  options: GatewayArguments,
  ports: { readonly main: number; readonly metrics: number | null },
): readonly string[] => [
  "gateway",
  "--data-dir",
  options.dataDir,
  "--host",
  options.host,
  "--port",
  `${ports.main}`,
  "--id",
  options.id,
  ...(ports.metrics === null ? [] : ["--metrics-port", `${ports.metrics}`]),
  ...(options.tls === null ? [] : ["--tls-cert", options.tls.cert, "--tls-key", options.tls.key]),
  "--drain",
  `${options.drainMs}ms`,
  "--take-over-drain",
  `${options.takeOverDrainMs}ms`,
];
