import { join } from "node:path";
import { createNodeHttpFront, type NodeHttpFront, type NodeListener } from "../adapters/http-front/node-http.ts";
import type { TlsMaterial } from "../adapters/http-front/tls-files.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { err, ok, type Explanation, type Result } from "../base/result.ts";
import { serveMetrics } from "../gateway/serve-metrics.ts";
import type { ListenError } from "../ports/http-front.ts";
import { refuse } from "./explain.ts";
import { HELP, readArguments, successorArguments, type GatewayArguments } from "./gateway/arguments.ts";
import { Ending } from "./gateway/ending.ts";
import { handOver, type ListenerRole } from "./gateway/hand-over.ts";
import { composeGateway, type GatewayParts, type Listeners } from "./gateway/running-gateway.ts";
import { CertificateKeeper } from "./gateway/keep-certificate.ts";
import { findPredecessor, type Predecessor } from "./gateway/successor.ts";
import { askForTakeOver, deskPath, TakeOverDesk } from "./gateway/take-over-desk.ts";
import { keepCompiled } from "./keep-compiled.ts";
import { holderOfPort } from "./port-holder.ts";
import { usageError } from "./usage-error.ts";

const EXIT_BROKEN = 70;
const ENTRY = join(import.meta.dirname, "..", "..", "bin", "tidegate.js");
/** A control plane that spoke with the process before tells its successor everything within that time. */
const TOLD_WITHIN_MS = 10_000;
/** One that speaks with nobody may come back meanwhile. */
const TOLD_BY_CHANCE_MS = 300;
const NEVER = new AbortController().signal;

/** @returns an exit code, or null while it serves. */
async function run(args: readonly string[]): Promise<number | null> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  const isQuestion = args[0] === "take-over";
  const options = readArguments(isQuestion ? args.slice(1) : args);
  if (typeof options === "string") return usageError("The command line is not understood.", options, "gateway");
  if (isQuestion) return takeOver(options);
  const parts = composeGateway(options);
  if (!options.isSuccessor) return serve(parts);
  const predecessor = await findPredecessor();
  if (predecessor === null) return usageError("Nobody hands over to this process.", "A running gateway starts its successor.", "gateway");
  return succeed(parts, predecessor);
}

async function takeOver({ dataDir, id }: GatewayArguments): Promise<number> {
  const taken = await askForTakeOver(dataDir, id);
  if (!taken.ok) return refuse(taken.error);
  process.stdout.write(`${id} is process ${taken.value} now; the one before ends with its open requests.\n`);
  return 0;
}

async function serve(parts: GatewayParts): Promise<number | null> {
  const { gateway, options } = parts;
  const certificate = readCertificate(parts);
  if (!certificate.ok) return refuse(certificate.error);
  await gateway.load();
  const listenAt = listenerMaker(parts, certificate.value);
  const listening = new Map<ListenerRole, Awaited<ReturnType<ListenAt>>>([["tenants", await listenAt("tenants", options)]]);
  if (options.metricsPort !== null) listening.set("metrics", await listenAt("metrics", { host: "127.0.0.1", port: options.metricsPort }));
  const listeners = allOf(listening);
  if (!listeners.ok) return refuse(listeners.error);
  gateway.start(tenantsOf(listeners.value).address);
  await settle(parts, listeners.value);
  return null;
}

/** Takes the place of the process that started this one: ready first, then the sockets, then the name. */
async function succeed(parts: GatewayParts, predecessor: Predecessor): Promise<number | null> {
  const { gateway, options, link, memory, clock, id } = parts;
  const certificate = readCertificate(parts);
  if (!certificate.ok) {
    await predecessor.refuse(`${certificate.error.what} ${certificate.error.why}`);
    return 1;
  }
  await gateway.load();
  gateway.start(options);
  const tooLate = clock.sleep(predecessor.isLinked ? TOLD_WITHIN_MS : TOLD_BY_CHANCE_MS, NEVER).then(() => false);
  const isTold = await Promise.race([link.told.then(() => true), tooLate]);
  const why = predecessor.isLinked ? "The control plane did not speak with the successor." : "There is no stored table to serve from.";
  if (!isTold && (predecessor.isLinked || !memory.wasFound)) {
    await predecessor.refuse(why);
    return 1;
  }
  const listenAt = listenerMaker(parts, certificate.value);
  const listening = await predecessor.listeners(options.metricsPort === null ? ["tenants"] : ["tenants", "metrics"], listenAt);
  const listeners = allOf(listening);
  if (!listeners.ok) {
    await predecessor.refuse(`${listeners.error.what} ${listeners.error.why}`);
    return refuse(listeners.error);
  }
  await predecessor.listening();
  memory.own();
  link.rename(id);
  await settle(parts, listeners.value);
  return null;
}

interface Certificate {
  readonly tls: TlsMaterial;
  keep(listener: NodeListener): void;
}

/** null = plain HTTP was asked for. */
function readCertificate(parts: GatewayParts): Result<Certificate | null, Explanation> {
  if (parts.options.tls === null) return ok(null);
  const keeper = new CertificateKeeper(parts, parts.options.tls);
  const read = keeper.read();
  return read.ok ? ok({ tls: read.value, keep: (listener) => keeper.keep(listener) }) : read;
}

type Place = Parameters<NodeHttpFront["listen"]>[0];
type ListenAt = (role: ListenerRole, place: Place) => Promise<Result<NodeListener, Explanation>>;

/** What it makes listens when the call returns; only the word that it does comes later. */
function listenerMaker({ gateway }: GatewayParts, certificate: Certificate | null): ListenAt {
  const front = createNodeHttpFront();
  const metrics = serveMetrics(gateway);
  return async (role, place) => {
    const isMetrics = role === "metrics";
    const listening = await (isMetrics ? front.listen(place, metrics) : front.listen(place, gateway.handler, certificate?.tls));
    if (!listening.ok) return err(explainListen(listening.error, isMetrics ? "--metrics-port" : "--port"));
    if (!isMetrics) certificate?.keep(listening.value);
    return listening;
  };
}

/** All of them, or why one does not listen. */
function allOf(listening: ReadonlyMap<ListenerRole, Result<NodeListener, Explanation>>): Result<Listeners, Explanation> {
  const listeners = new Map<ListenerRole, NodeListener>();
  for (const [role, one] of listening) {
    if (!one.ok) return one;
    listeners.set(role, one.value);
  }
  return ok(listeners);
}

/** From now on it can be asked to end, and to give its place away. */
async function settle(parts: GatewayParts, listeners: Listeners): Promise<void> {
  const { options, log, id } = parts;
  const ending = new Ending(parts, listeners);
  ending.onSignals();
  const desk = new TakeOverDesk(deskPath(options.dataDir, id), () => giveAway({ parts, listeners, ending, desk }));
  const closedBecause = await desk.open();
  if (closedBecause !== null) log.record({ level: "warn", event: "gateway.no-take-over", fields: { gateway: id, reason: closedBecause } });
  const metrics = listeners.get("metrics");
  const metricsUrl = metrics === undefined ? "" : ` metrics ${urlOf(metrics.address, "http")}/metrics`;
  const url = urlOf(tenantsOf(listeners).address, options.tls === null ? "http" : "https");
  process.stdout.write(`ready ${id} ${url} pid ${process.pid}${metricsUrl}\n`);
  keepCompiled();
}

interface Settled {
  readonly parts: GatewayParts;
  readonly listeners: Listeners;
  readonly ending: Ending;
  readonly desk: TakeOverDesk;
}

let isBeingTakenOver = false;

async function giveAway({ parts, listeners, ending, desk }: Settled): Promise<Result<number, Explanation>> {
  const { id, options } = parts;
  if (isBeingTakenOver || ending.isEnding) {
    const why = ending.isEnding ? "It is ending." : "A take-over is running.";
    return err({ what: `Gateway ${id} was not taken over.`, why, next: "Wait, then ask again." });
  }
  isBeingTakenOver = true;
  const ports = { main: tenantsOf(listeners).address.port, metrics: listeners.get("metrics")?.address.port ?? null };
  const given = await handOver({
    ...parts,
    dataDir: options.dataDir,
    command: [process.execPath, ENTRY, ...successorArguments(options, ports)],
    listeners,
    closeDesk: () => desk.close(),
    openDesk: async () => void (await desk.open()),
  });
  isBeingTakenOver = given.ok;
  if (given.ok) void ending.leave();
  return given;
}

const urlOf = ({ host, port }: EndpointAddress, scheme: "http" | "https"): string => `${scheme}://${host}:${port}`;

function tenantsOf(listeners: Listeners): NodeListener {
  const listener = listeners.get("tenants");
  if (listener === undefined) throw new Error("A gateway without its listener serves nobody.");
  return listener;
}

function explainListen(error: ListenError, flag: string): Explanation {
  const { host, port } = error.address;
  const holder = error.code === "ADDRESS_IN_USE" ? holderOfPort(port) : null;
  const reason = error.code === "ADDRESS_IN_USE" ? "The port is taken" : error.reason;
  return {
    what: `The gateway cannot listen on ${host}:${port}.`,
    why: holder === null ? `${reason}.` : `${reason} by process ${holder.pid}: ${holder.command}`,
    next: `End that process, or choose another port with ${flag}.`,
  };
}

process.on("unhandledRejection", (reason) => {
  process.stderr.write(`The gateway broke: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}\n`);
  process.exit(EXIT_BROKEN);
});

const code = await run(process.argv.slice(2));
if (code !== null) process.exit(code);
