import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { MiB, formatBytes } from "../base/bytes.ts";
import { pathOf } from "./admin-path.ts";
import { createAdminClient, type AdminClient } from "./client.ts";
import type { ExitCode } from "./explain.ts";
import { ADMIN_PORT, findAdmin, LOOPBACK } from "./find-admin.ts";
import { instanceRowsOf } from "./instance-rows.ts";
import type { ClientOptions } from "./options.ts";
import { parseAdminList, parseJson } from "./parse-admin-answer.ts";
import { holderOfPort } from "./port-holder.ts";
import { printData } from "./print-data.ts";
import { formatRow, plainCell, terminalStyle, type Tone } from "./print-table.ts";
import { recordedProcesses } from "./recorded-processes.ts";

interface DoctorOptions extends ClientOptions {
  readonly output: string;
  readonly gatewayHost: string;
  readonly gatewayPort: number;
}

/** One finding: `bad` keeps the platform from running, `warn` may. */
interface Check {
  readonly name: string;
  readonly result: "good" | "warn" | "bad";
  readonly detail: string;
  /** Empty where nothing is to be done. */
  readonly next: string;
}

const DISK_FREE_MIN_BYTES = 512 * MiB;
const CONNECT_WITHIN_MS = 1_000;

/** Looks at everything that `up` needs, changes nothing. Exit 1 when something is bad. */
export async function runDoctor(options: DoctorOptions): Promise<ExitCode> {
  const dataDir = resolve(options.dataDir);
  const admin = await checkAdmin(options);
  const checks: readonly Check[] = [
    checkNode(),
    checkProc(),
    checkDataDir(dataDir),
    checkDisk(dataDir),
    ...(await checkSockets(dataDir)),
    admin.check,
    await checkPort("gateway", {
      host: options.gatewayHost,
      port: options.gatewayPort,
      isUp: admin.client !== null,
      flag: "--gateway-port",
    }),
    ...(admin.client === null ? [] : [await checkInstances(admin.client)]),
    ...checkRecords(dataDir, admin.client !== null),
  ];
  const exitCode = checks.some((check) => check.result === "bad") ? 1 : 0;
  if (options.output !== "table") {
    await printData({ kind: "DoctorResult", checks: checks.map((check) => ({ ...check })) }, options.output);
    return exitCode;
  }
  const style = terminalStyle();
  const tones: Readonly<Record<Check["result"], Tone>> = { good: "good", warn: "busy", bad: "bad" };
  const width = Math.max(...checks.map((check) => check.name.length));
  for (const check of checks) {
    const cells = [{ text: check.result, tone: tones[check.result] }, plainCell(check.name), plainCell(check.detail)];
    process.stdout.write(`${formatRow(cells, [4, width], style)}\n`);
    if (check.next !== "") process.stdout.write(`${" ".repeat(width + 8)}${check.next}\n`);
  }
  return exitCode;
}

const good = (name: string, detail: string): Check => ({ name, result: "good", detail, next: "" });

// The entry refuses an older Node, so this says which one it is.
const checkNode = (): Check => good("node", `${process.versions.node} at ${process.execPath}`);

function checkProc(): Check {
  if (existsSync("/proc/self/stat")) return good("/proc", "readable: engines are found again after a restart");
  return {
    name: "/proc",
    result: "bad",
    detail: "missing: engines cannot be told from strangers",
    next: "Run on Linux, with /proc mounted.",
  };
}

function checkDataDir(dataDir: string): Check {
  const name = "data dir";
  if (!existsSync(dataDir)) return good(name, `${dataDir} is not there yet; up makes it`);
  try {
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : "cannot be used";
    return { name, result: "bad", detail, next: "Make it yours (chown), or choose another --data-dir." };
  }
  const mode = statSync(dataDir).mode & 0o777;
  if ((mode & 0o077) === 0) return good(name, `${dataDir}, mode ${mode.toString(8)}`);
  return { name, result: "warn", detail: `${dataDir} is open to others (mode ${mode.toString(8)})`, next: `chmod 700 ${dataDir}` };
}

function checkDisk(dataDir: string): Check {
  let folder = dataDir;
  while (!existsSync(folder)) folder = join(folder, "..");
  const { bavail, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes >= DISK_FREE_MIN_BYTES) return good("disk", `${formatBytes(freeBytes)} free at ${folder}`);
  const next = "Make room: with a full disk no change of state can be recorded.";
  return { name: "disk", result: freeBytes < 16 * MiB ? "bad" : "warn", detail: `only ${formatBytes(freeBytes)} free at ${folder}`, next };
}

async function checkSockets(dataDir: string): Promise<readonly Check[]> {
  if (!existsSync(dataDir)) return [];
  const sockets = readdirSync(dataDir).filter((name) => name.endsWith(".sock"));
  return Promise.all(
    sockets.map(async (name): Promise<Check> => {
      if (await canConnect({ path: join(dataDir, name) })) return good(name, "somebody answers");
      return {
        name,
        result: "warn",
        detail: "nobody answers: left by a process that was killed",
        next: "Nothing to do: the next up replaces it.",
      };
    }),
  );
}

async function checkAdmin(options: DoctorOptions): Promise<{ readonly check: Check; readonly client: AdminClient | null }> {
  const name = "control plane";
  const target = findAdmin(options);
  if (!target.ok) return { check: { name, result: "bad", detail: target.error.why, next: target.error.next }, client: null };
  const { host, port } = target.value.address;
  const client = createAdminClient(target.value);
  const answer = await client.call("GET", pathOf("GPUNode", null));
  if (answer.ok) return { check: good(name, `answers at ${host}:${port}`), client };
  if (answer.error.code === "REFUSED") {
    return {
      check: { name, result: "bad", detail: answer.error.status.message, next: "Give the token with --admin-token-file." },
      client: null,
    };
  }
  return {
    check: await checkPort(name, { host, port, isUp: false, flag: port === ADMIN_PORT ? "--admin-port" : "--data-dir" }),
    client: null,
  };
}

interface PortLook {
  readonly host: string;
  readonly port: number;
  /** Whether it should answer now. */
  readonly isUp: boolean;
  readonly flag: string;
}

async function checkPort(name: string, { host, port, isUp, flag }: PortLook): Promise<Check> {
  const isTaken = await canConnect({ host, port });
  if (!isTaken && !isUp) return good(name, `not running; port ${port} is free`);
  if (!isTaken)
    return {
      name,
      result: "bad",
      detail: `does not answer at ${host}:${port}`,
      next: "Look into run/gateway-0.log in the data directory.",
    };
  const holder = host === LOOPBACK ? holderOfPort(port) : null;
  const who = holder === null ? "a process that cannot be seen" : `pid ${holder.pid} (${holder.command})`;
  if (isUp || holder?.command.includes("gateway") === true) return good(name, `answers at ${host}:${port}, ${who}`);
  return { name, result: "bad", detail: `port ${port} is held by ${who}`, next: `End it, or choose another port with ${flag}.` };
}

async function checkInstances(client: AdminClient): Promise<Check> {
  const answer = await client.call("GET", pathOf("HotStandbyConfig", null));
  const rows = answer.ok ? instanceRowsOf(parseAdminList(answer.value)) : [];
  const waiting = rows.filter((row) => row.instance.state !== "Ready" && row.instance.state !== "Asleep").map((row) => row.instance.name);
  if (waiting.length === 0) return good("instances", `${rows.length} in all, none waiting`);
  return { name: "instances", result: "warn", detail: `not Ready: ${waiting.join(", ")}`, next: "tidegate get instances says why." };
}

/** Engines that were started and are gone, or that still run without a control plane. */
function checkRecords(dataDir: string, isUp: boolean): readonly Check[] {
  const folder = join(dataDir, "engines");
  const records = recordedProcesses(folder, (path) => parseJson(readFileSync(path, "utf8")));
  if (records.length === 0) return [];
  const alive = records.filter((record) => record.isAlive);
  const detail = `${records.length} recorded, ${alive.length} running`;
  if (isUp || alive.length === 0) return [good("engines", detail)];
  const pids = alive.map((record) => record.pid).join(", ");
  return [
    {
      name: "engines",
      result: "warn",
      detail: `${detail} without a control plane (${pids})`,
      next: "They end by themselves within 30 s, or the next up adopts them.",
    },
  ];
}

function canConnect(to: { readonly path: string } | { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect({ ...to, timeout: CONNECT_WITHIN_MS });
    const end = (isOpen: boolean): void => {
      socket.destroy();
      settle(isOpen);
    };
    socket.on("connect", () => end(true));
    socket.on("timeout", () => end(false));
    socket.on("error", () => end(false));
  });
}
