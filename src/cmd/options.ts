import { InvalidArgumentError, Option } from "commander";

/** One row of the option table: what the command line, the environment and the reference say alike. */
export interface OptionRow {
  readonly flags: string;
  /** null = only by flag. */
  readonly environment: string | null;
  readonly fallback: string | number | readonly string[] | null;
  readonly meaning: string;
  readonly read: (text: string, before: unknown) => unknown;
}

export interface Attachment {
  readonly name: string;
  readonly url: string;
}

const plain = (text: string): string => text;

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError("A port is a whole number from 0 to 65535.");
  return port;
}

function readOutput(text: string): string {
  if (!["table", "json", "yaml"].includes(text)) throw new InvalidArgumentError("It is table, json or yaml.");
  return text;
}

function readAttachment(text: string, before: unknown): readonly Attachment[] {
  const match = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)=(https?:\/\/\S+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError("It is NAME=URL, such as local-1=http://127.0.0.1:8000.");
  const earlier: readonly Attachment[] = Array.isArray(before) ? before : [];
  const [, name = "", , url = ""] = match;
  if (earlier.some((other) => other.name === name)) throw new InvalidArgumentError(`${name} is attached twice.`);
  return [...earlier, { name, url }];
}

const textsOf = (before: unknown): readonly string[] => (Array.isArray(before) ? before.map(String) : []);
const readNames = (text: string, before: unknown): readonly string[] => [...textsOf(before), ...text.split(",")];

/** Every option that has an environment variable or stands on more than one command. Flag > environment > default. */
export const OPTIONS = {
  dataDir: {
    flags: "--data-dir <dir>",
    environment: "TIDEGATE_STATE_DIR",
    fallback: ".tidegate",
    meaning: "state directory: database, sockets, logs, run records",
    read: plain,
  },
  gatewayHost: {
    flags: "--gateway-host <host>",
    environment: "TIDEGATE_GATEWAY_HOST",
    fallback: "127.0.0.1",
    meaning: "address that the gateway listens on",
    read: plain,
  },
  gatewayPort: {
    flags: "--gateway-port <port>",
    environment: "TIDEGATE_GATEWAY_PORT",
    fallback: 8080,
    meaning: "port of the gateway; 0 picks a free one",
    read: readPort,
  },
  gatewayTlsCert: {
    flags: "--gateway-tls-cert <file>",
    environment: "TIDEGATE_GATEWAY_TLS_CERT",
    fallback: null,
    meaning: "certificate chain in PEM: the gateway serves TLS with it, and takes a new one when the file changes; needs --gateway-tls-key",
    read: plain,
  },
  gatewayTlsKey: {
    flags: "--gateway-tls-key <file>",
    environment: "TIDEGATE_GATEWAY_TLS_KEY",
    fallback: null,
    meaning: "private key of the certificate, in PEM (mode 0600)",
    read: plain,
  },
  adminHost: {
    flags: "--admin-host <host>",
    environment: "TIDEGATE_ADMIN_HOST",
    fallback: null,
    meaning:
      "address of the admin API (up listens there, 127.0.0.1 when absent; the others call it, found through the data directory when absent)",
    read: plain,
  },
  adminPort: {
    flags: "--admin-port <port>",
    environment: "TIDEGATE_ADMIN_PORT",
    fallback: null,
    meaning: "port of the admin API (up: 8081 when absent, 0 picks a free one; the others find it through the data directory when absent)",
    read: readPort,
  },
  adminName: {
    flags: "--admin-name <name>",
    environment: "TIDEGATE_ADMIN_NAME",
    fallback: [],
    meaning: "further host name, or name:port, that callers of the admin API may use; repeatable, or separated by commas",
    read: readNames,
  },
  adminTokenFile: {
    flags: "--admin-token-file <file>",
    environment: "TIDEGATE_ADMIN_TOKEN_FILE",
    fallback: null,
    meaning: "file (mode 0600) with the token of the admin API; a must beyond loopback",
    read: plain,
  },
  attach: {
    flags: "--attach <name=url>",
    environment: null,
    fallback: [],
    meaning: "front a server that already runs; repeatable",
    read: readAttachment,
  },
  output: {
    flags: "-o, --output <form>",
    environment: null,
    fallback: "table",
    meaning: "table, json or yaml",
    read: readOutput,
  },
} as const satisfies Record<string, OptionRow>;

export type OptionKey = keyof typeof OPTIONS;

/** Where the admin API is and how to speak to it: the options of every command that calls it. */
export const CLIENT_OPTIONS: readonly OptionKey[] = ["dataDir", "adminHost", "adminPort", "adminTokenFile"];

export interface ClientOptions {
  readonly dataDir: string;
  readonly adminHost?: string;
  readonly adminPort?: number;
  readonly adminTokenFile?: string;
}

/** What `tidegate up` was asked for. */
export interface UpOptions {
  readonly paths: readonly string[];
  /** Promises that physics cannot keep come in too. */
  readonly force?: boolean;
  readonly dataDir: string;
  readonly gatewayHost: string;
  readonly gatewayPort: number;
  readonly gatewayTlsCert?: string;
  readonly gatewayTlsKey?: string;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly adminName: readonly string[];
  readonly adminTokenFile?: string;
  readonly attach: readonly Attachment[];
}

/** The row as commander wants it. `override` replaces the default and the meaning where a command's own is plainer. */
export function optionOf(key: OptionKey, override: Partial<Pick<OptionRow, "fallback" | "meaning">> = {}): Option {
  const row: OptionRow = { ...OPTIONS[key], ...override };
  const option = new Option(row.flags, row.meaning).argParser<unknown>((text, before) => row.read(text, before));
  if (row.environment !== null) option.env(row.environment);
  if (row.fallback !== null) option.default(row.fallback, shownFallback(row.fallback));
  return option;
}

const shownFallback = (fallback: string | number | readonly string[]): string => (typeof fallback === "object" ? "none" : `${fallback}`);
