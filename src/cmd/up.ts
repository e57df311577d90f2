import { createSystemClock } from "../adapters/clock/system.ts";
import { openSqliteStore } from "../adapters/cluster-store/sqlite.ts";
import { createFileEventLog } from "../adapters/event-log/file.ts";
import { createSha256KeyDigest } from "../adapters/key-digest/sha256.ts";
import { createSystemRandom } from "../adapters/random/system.ts";
import { createApply, type Apply } from "../admin/apply.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { formatProblem } from "../api/problem.ts";
import { tenantId } from "../base/ids.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { UpOptions } from "./options.ts";
import { readManifests, type ManifestFile } from "./read-manifests.ts";
import { announce } from "./up/announce.ts";
import { attachEngines } from "./up/attach-engines.ts";
import { startControlPlane, type ControlPlane } from "./up/control-plane.ts";
import { listenForEnd, type EndSignals } from "./up/end-signals.ts";
import { makeFirstKeys, writeKeysFile } from "./up/first-keys.ts";
import { explainStore } from "./up/refusals.ts";
import { openStateDir, type StateDir } from "./up/state-dir.ts";
import { openTerminal, type Terminal } from "./up/terminal.ts";
import { formatRefusal, watchManifests } from "./up/watch-manifests.ts";
import { watchReady } from "./up/watch-ready.ts";

const ports = { clock: createSystemClock(), random: createSystemRandom(), digest: createSha256KeyDigest() };

/** The embedded platform: everything on this machine, until a signal ends it. @returns the exit code. */
export async function runUp(options: UpOptions): Promise<number> {
  const terminal = openTerminal(ports.clock);
  const end = listenForEnd(ports.clock);
  terminal.progress(`Starting, state in ${options.dataDir}`);
  const state = openStateDir(options.dataDir, ports.random);
  if (!state.ok) return refuse(terminal, state.error);
  const files = readManifests(options.paths);
  if (!files.ok) return refuse(terminal, files.error);
  const opened = await openSqliteStore(state.value.database, ports.clock);
  if (!opened.ok) return refuse(terminal, explainStore(opened.error));
  const store = opened.value;
  try {
    const apply = createApply(store);
    if (!(await applyFirst(files.value, apply, terminal))) return 1;
    const attached = await attachEngines(options.attach, store);
    if (!attached.ok) return refuse(terminal, attached.error);
    return await serve({ options, state: state.value, store, apply, files: files.value, terminal, end });
  } finally {
    await store.close();
    end.stop();
  }
}

interface Platform {
  readonly options: UpOptions;
  readonly state: StateDir;
  readonly store: ClusterStore;
  readonly apply: Apply;
  readonly files: readonly ManifestFile[];
  readonly terminal: Terminal;
  readonly end: EndSignals;
}

function refuse(terminal: Terminal, explanation: Parameters<Terminal["refuse"]>[0]): 1 {
  terminal.refuse(explanation);
  return 1;
}

/** All manifests or none. @returns false when they were refused. */
async function applyFirst(files: readonly ManifestFile[], apply: Apply, terminal: Terminal): Promise<boolean> {
  if (files.length === 0) return true;
  const applied = await apply.files(files, false);
  if (!applied.ok) {
    terminal.refuse({
      what: "The manifests were refused; nothing was applied.",
      why: formatRefusal(applied.error),
      next: "Mend them; tidegate validate checks without starting.",
    });
    return false;
  }
  const noteworthy = applied.value.warnings.filter((warning) => warning.code !== "NOT_YET" && warning.code !== "NO_EFFECT");
  terminal.progress(`${applied.value.results.length} resources from ${files.length} files`);
  for (const warning of noteworthy) terminal.line(`         warning: ${formatProblem(warning).split("\n")[0] ?? ""}`);
  return true;
}

async function serve(platform: Platform): Promise<number> {
  const { options, state, store, apply, files, terminal, end } = platform;
  const log = createFileEventLog(state.eventLog);
  const started = await startControlPlane({ options, state, store, apply, terminal, log, hurry: end.hurry, ...ports });
  if (!started.ok) return refuse(terminal, started.error);
  const plane = started.value;
  const watch = options.paths.length === 0 ? null : watchManifests(options.paths, files, { apply, clock: ports.clock, say: terminal.line });
  const ending = new AbortController();
  const ended = end.first.then((signal) => {
    ending.abort();
    return signal;
  });
  await introduce(platform, plane, ending.signal);
  const signal = await ended;
  terminal.line(`\n${signal}: ending, the state stays in ${state.path}.`);
  watch?.stop();
  await plane.end();
  terminal.progress("Everything has ended.");
  return 0;
}

/** Waits until the instances serve, telling of each; then says how to use them. */
async function introduce({ store, state, options, terminal }: Platform, plane: ControlPlane, signal: AbortSignal): Promise<void> {
  const readiness = await watchReady(
    { store, clock: ports.clock, isRouted: plane.isRouted },
    ({ instance }, { readyCount, rows }) => terminal.progress(`${instance.name} is Ready (${readyCount} of ${rows.length})`),
    signal,
  );
  if (signal.aborted) return;
  const tenants = await servedTenants(store);
  const newKeys = await makeFirstKeys([...new Set(tenants.map(({ tenant }) => tenantId(tenant)))], { store, ...ports });
  if (newKeys.length > 0 && !terminal.isInteractive) writeKeysFile(state.keysFile, newKeys);
  announce(terminal, {
    rows: readiness.rows,
    adminUrl: plane.adminUrl,
    gatewayUrl: plane.gatewayUrl,
    metricsUrls: plane.metricsUrls,
    tenants,
    newKeys,
    keysFile: state.keysFile,
    dataDirFlag: options.dataDir === ".tidegate" ? null : options.dataDir,
  });
}

/** Tenants with a model that a request of theirs can name. */
async function servedTenants(store: ClusterStore): Promise<readonly { readonly tenant: string; readonly model: string }[]> {
  const [configs, attached] = await Promise.all([store.list("HotStandbyConfig"), store.list("AttachedEngine")]);
  const models = new Map<string, string>();
  for (const resource of configs.ok ? configs.value.items : []) {
    const config = parseHotStandbyConfig(resource);
    if (config.ok && !models.has(config.value.tenant)) models.set(config.value.tenant, config.value.model.name);
  }
  for (const resource of attached.ok ? attached.value.items : []) {
    const model = resource.status?.["model"];
    if (!models.has("default")) models.set("default", typeof model === "string" ? model : "MODEL");
  }
  return [...models].map(([tenant, model]) => ({ tenant, model })).toSorted((a, b) => a.tenant.localeCompare(b.tenant));
}
