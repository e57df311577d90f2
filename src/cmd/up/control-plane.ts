import { connectAccountDriver } from "../../adapters/gpu-driver/account-driver.ts";
import { createProcessLauncher } from "../../adapters/engine-launcher/process.ts";
import { createUnixGatewayHub } from "../../adapters/gateway-link/unix-socket-hub.ts";
import { createNodeHttpFront } from "../../adapters/http-front/node-http.ts";
import { createUndiciUpstream } from "../../adapters/upstream/undici.ts";
import type { Apply } from "../../admin/apply.ts";
import { createAdmin } from "../../admin/create-admin.ts";
import type { EndpointAddress } from "../../api/route-table.ts";
import { err, ok, type Explanation, type Result } from "../../base/result.ts";
import { termHub, termUpstream } from "../../controllers/carry-term.ts";
import { takeTerm } from "../../controllers/hold-lease.ts";
import { LEASE } from "../../controllers/lead.ts";
import { startControllers } from "../../controllers/start-controllers.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ClusterStore } from "../../ports/cluster-store.ts";
import type { EngineLauncher } from "../../ports/engine-launcher.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Listener } from "../../ports/http-front.ts";
import type { KeyDigest } from "../../ports/key-digest.ts";
import type { Random } from "../../ports/random.ts";
import { readToken } from "../find-admin.ts";
import type { UpOptions } from "../options.ts";
import { holderOfPort } from "../port-holder.ts";
import { productVersion } from "../version.ts";
import { recordControlPlane } from "./control-plane-record.ts";
import { CHILD_ENVIRONMENT, COMMAND_PREFIX, keepHelper } from "./helper-processes.ts";
import { gatewayLives } from "./gateway-lives.ts";
import { keepGateway, recordedAlive } from "./keep-gateway.ts";
import { createPlatformMetrics } from "./platform-metrics.ts";
import { explainBusyPort, explainListen } from "./refusals.ts";
import { gatewayTls } from "./gateway-tls.ts";
import { stablePort } from "./stable-port.ts";
import type { StateDir } from "./state-dir.ts";
import type { Terminal } from "./terminal.ts";

export interface ControlPlaneParts {
  readonly options: UpOptions;
  readonly state: StateDir;
  readonly store: ClusterStore;
  readonly apply: Apply;
  readonly terminal: Terminal;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: KeyDigest;
  /** Aborted = end without grace. */
  readonly hurry: AbortSignal;
}

export interface ControlPlane {
  readonly adminUrl: string;
  readonly gatewayUrl: string;
  readonly metricsUrls: readonly string[];
  /** Every joined gateway has the tables in force, and there is one. */
  readonly isRouted: () => boolean;
  /** The orderly end: admin, loops, gateway, engines, account. */
  end(): Promise<void>;
}

const GATEWAY = "gateway-0";
const ACCOUNT = "gpu-account";
// The gateway lets open requests end for 5 s of its own; a little more, then it is killed.
const GATEWAY_GRACE_MS = 6_000;
const ENGINE_GRACE_MS = 2_000;
const ACCOUNT_GRACE_MS = 1_000;

/** Starts what this process runs and what it keeps running; whatever started before a refusal is ended again. */
export async function startControlPlane(parts: ControlPlaneParts): Promise<Result<ControlPlane, Explanation>> {
  await using started = new AsyncDisposableStack();
  const plane = await compose(parts, started);
  if (!plane.ok) return plane;
  const ending = started.move();
  return ok({ ...plane.value, end: () => ending.disposeAsync() });
}

// What is deferred last ends first.
async function compose(parts: ControlPlaneParts, started: AsyncDisposableStack): Promise<Result<Omit<ControlPlane, "end">, Explanation>> {
  const { state, options, clock, random, log, terminal, store } = parts;
  const startedAt = clock.wallMs();
  const token = readToken(options.adminTokenFile ?? null);
  if (!token.ok) return token;
  const graceMs = (full: number): number => (parts.hurry.aborted ? 0 : full);
  const gateway = await gatewayAddresses(options, state);
  if (!gateway.ok) return gateway;
  const tls = gatewayTls(options, startedAt);
  if (!tls.ok) return tls;
  if (options.adminPort !== 0 && holderOfPort(options.adminPort) !== null)
    return err(explainBusyPort({ host: options.adminHost, port: options.adminPort }, "admin API"));

  const launcher = findEngines(parts);
  // The lock of the store's file proves that no other control plane lives. Taken while the account starts.
  const taking = takeTerm({ store, clock }, { name: LEASE, holder: `${process.pid} since ${startedAt}` });
  const helperPorts = { clock, random, log, say: terminal.line };
  const account = await keepHelper(ACCOUNT, [ACCOUNT, "--socket", state.gpuSocket, "--state-dir", state.path], state, helperPorts);
  if (!account.ok) return account;
  started.defer(() => account.value.stop(graceMs(ACCOUNT_GRACE_MS)));
  const driver = connectAccountDriver(state.gpuSocket, clock);
  started.defer(() => driver.close());

  started.defer(() => endEngines(launcher, graceMs(ENGINE_GRACE_MS)));

  const term = await taking;
  const hub = createUnixGatewayHub(state.linkSocket);
  started.defer(() => hub.close());
  const controllers = await startControllers({
    store,
    launcher,
    driver,
    upstream: termUpstream(createUndiciUpstream(), term),
    hub: termHub(hub, term),
    gatewayProcesses: await gatewayLives({ name: GATEWAY, port: gateway.value.main.port }, state),
    clock,
    random,
    log,
    stateId: state.stateId,
  });
  started.defer(() => controllers.stop());
  // After the loops: they bring back the dead, while a gateway that lives needs no more than to be looked after.
  const start = { name: GATEWAY, port: gateway.value.main.port, arguments: [...gatewayArguments(state, gateway.value), ...tls.value] };
  const kept = await keepGateway(start, state, helperPorts);
  if (!kept.ok) return kept;
  started.defer(() => kept.value.stop(graceMs(GATEWAY_GRACE_MS)));

  const metrics = createPlatformMetrics({ store, driver, clock, link: controllers.link, isolation: controllers.isolation, startedAt });
  started.defer(() => metrics.stop());
  const admin = await listenAdmin(parts, token.value, () => metrics.render());
  if (!admin.ok) return admin;
  started.defer(() => admin.value.close(0));
  const record = recordControlPlane(state, admin.value.address);
  started.defer(() => record[Symbol.dispose]());
  const adminUrl = urlOf(admin.value.address);
  return ok({
    adminUrl,
    isRouted: () => controllers.link.gateways().length > 0 && controllers.link.gateways().every((joined) => joined.behind === 0),
    gatewayUrl: urlOf(gateway.value.main).replace(/^http:/, tls.value.length === 0 ? "http:" : "https:"),
    metricsUrls: [`${adminUrl}/metrics`, `${urlOf(gateway.value.metrics)}/metrics`],
  });
}

/** What still runs is looked for while the rest is made; the first look of the loops waits for it. */
function findEngines({ state, clock, random }: ControlPlaneParts): EngineLauncher {
  const launcher = createProcessLauncher({
    stateDir: state.path,
    stateId: state.stateId,
    commandPrefix: COMMAND_PREFIX,
    clock,
    random,
    gpuAccountSocket: state.gpuSocket,
    env: CHILD_ENVIRONMENT,
  });
  void launcher.observe();
  return launcher;
}

const urlOf = ({ host, port }: EndpointAddress): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`;

interface GatewayAddresses {
  readonly main: EndpointAddress;
  readonly metrics: EndpointAddress;
}

/** The gateway listens by itself; a port that somebody else holds is refused here, where it can be explained. */
async function gatewayAddresses(options: UpOptions, state: StateDir): Promise<Result<GatewayAddresses, Explanation>> {
  const isRunning = (await recordedAlive(GATEWAY, state)) !== null;
  const port = options.gatewayPort === 0 ? await stablePort("gateway", state, isRunning) : options.gatewayPort;
  const main = { host: options.gatewayHost, port };
  const holder = isRunning ? null : holderOfPort(port);
  if (holder !== null && !holder.command.includes(state.path)) return err(explainBusyPort(main, "gateway"));
  return ok({ main, metrics: { host: "127.0.0.1", port: await stablePort("gateway-metrics", state, isRunning) } });
}

const gatewayArguments = (state: StateDir, { main, metrics }: GatewayAddresses): readonly string[] => [
  "gateway",
  "--data-dir",
  state.path,
  "--id",
  GATEWAY,
  "--host",
  main.host,
  "--port",
  `${main.port}`,
  "--metrics-port",
  `${metrics.port}`,
];

/** All at once: a stopped engine holds up nobody else. */
async function endEngines(launcher: EngineLauncher, graceMs: number): Promise<void> {
  const engines = await launcher.observe();
  await Promise.all(engines.map((engine) => launcher.remove(engine.instance, graceMs)));
}

async function listenAdmin(parts: ControlPlaneParts, token: string | null, metrics: () => string): Promise<Result<Listener, Explanation>> {
  const { options, store, apply, clock, random, digest, log } = parts;
  if (token === null && options.adminHost !== "127.0.0.1" && options.adminHost !== "localhost" && options.adminHost !== "::1") {
    return err({
      what: `The admin API does not listen on ${options.adminHost} without a token.`,
      why: "Beyond loopback everybody could change everything.",
      next: "Give --admin-token-file FILE (mode 0600).",
    });
  }
  let port = options.adminPort;
  const admin = createAdmin(
    { store, apply, clock, random, digest, log },
    {
      host: options.adminHost,
      port: () => port,
      names: options.adminName,
      token,
      metrics,
      notReady: () => null,
      version: productVersion(),
    },
  );
  const listening = await createNodeHttpFront({ connectionsMax: 256 }).listen({ host: options.adminHost, port }, admin.handler);
  if (!listening.ok) return err(explainListen(listening.error, "admin API"));
  port = listening.value.address.port;
  const listener = listening.value;
  return ok({
    address: listener.address,
    close(graceMs) {
      admin.stop();
      return listener.close(graceMs);
    },
  });
}
