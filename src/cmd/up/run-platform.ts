import { createFileEventLog } from "../../adapters/event-log/file.ts";
import { createSha256KeyDigest } from "../../adapters/key-digest/sha256.ts";
import type { CreatedKey } from "../../admin/api-keys.ts";
import { createApply, type Apply } from "../../admin/apply.ts";
import { parseHotStandbyConfig } from "../../api/parse-hot-standby-config.ts";
import { formatProblem } from "../../api/problem.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ClusterStore } from "../../ports/cluster-store.ts";
import type { Random } from "../../ports/random.ts";
import type { UpOptions } from "../options.ts";
import { keepCompiled } from "../keep-compiled.ts";
import type { ManifestFile } from "../read-manifests.ts";
import { openAppliedManifests, type AppliedManifests } from "./applied-manifests.ts";
import { announce } from "./announce.ts";
import { attachEngines } from "./attach-engines.ts";
import { startControlPlane, type ControlPlane } from "./control-plane.ts";
import type { EndSignals } from "./end-signals.ts";
import { makeFirstKeys, writeKeysFile } from "./first-keys.ts";
import type { StateDir } from "./state-dir.ts";
import type { Terminal } from "./terminal.ts";
import { formatRefusal, watchManifests } from "./watch-manifests.ts";
import { watchReady } from "./watch-ready.ts";

export interface Platform {
  readonly options: UpOptions;
  readonly state: StateDir;
  readonly store: ClusterStore;
  readonly files: readonly ManifestFile[];
  readonly terminal: Terminal;
  readonly end: EndSignals;
  readonly clock: Clock;
  readonly random: Random;
}

const digest = createSha256KeyDigest();

/** Brings the platform up over an open store, and keeps it until a signal ends it. @returns the exit code. */
export async function runPlatform(platform: Platform): Promise<number> {
  const { store, state, files, terminal, options } = platform;
  const apply = createApply(store);
  const applied = openAppliedManifests(state.appliedFile);
  const isFirst = await isEmpty(store);
  // The same files again: what came of them is stored, with what was changed by hand since. After a crash every moment counts.
  if (isFirst || !applied.isSame(files)) {
    const isApplied = await applyFiles(platform, apply);
    if (isApplied) applied.remember(files);
    else if (isFirst) return 1;
    else terminal.complain("The last good configuration keeps serving.");
  }
  const attached = await attachEngines(options.attach, store);
  return attached.ok ? serve(platform, apply, applied) : terminal.refuse(attached.error);
}

async function isEmpty(store: ClusterStore): Promise<boolean> {
  const stored = await store.list("HotStandbyConfig");
  return stored.ok && stored.value.items.length === 0;
}

/** All manifests or none. @returns false when they were refused. */
async function applyFiles({ files, terminal, options }: Platform, apply: Apply): Promise<boolean> {
  if (files.length === 0) return true;
  const applied = await apply.files(files, { isDryRun: false, isForced: options.force === true });
  if (!applied.ok) {
    terminal.complain(formatRefusal(applied.error));
    terminal.refuse({
      what: "The manifests were refused; nothing was applied.",
      why: "What is wrong stands above.",
      next: "Mend them; tidegate validate checks without starting.",
    });
    return false;
  }
  const noteworthy = applied.value.warnings.filter((warning) => warning.code !== "NOT_YET" && warning.code !== "NO_EFFECT");
  terminal.progress(`${applied.value.results.length} resources from ${files.length} files`);
  for (const warning of noteworthy) terminal.line(`         warning: ${formatProblem(warning).split("\n")[0] ?? ""}`);
  return true;
}

async function serve(platform: Platform, apply: Apply, applied: AppliedManifests): Promise<number> {
  const { options, state, store, files, terminal, end, clock, random } = platform;
  const log = createFileEventLog(state.eventLog);
  // Before gateways are let in, so that the first thing they learn holds these keys.
  const newKeys = await makeFirstKeys({ store, random, digest });
  const started = await startControlPlane({ options, state, store, apply, terminal, log, hurry: end.hurry, clock, random, digest });
  if (!started.ok) {
    await forget(newKeys, store);
    return terminal.refuse(started.error);
  }
  const plane = started.value;
  const watch =
    options.paths.length === 0
      ? null
      : watchManifests(options.paths, files, { apply, applied, clock, isForced: options.force === true, say: terminal.line });
  const ending = new AbortController();
  const ended = end.first.then((signal) => {
    ending.abort();
    return signal;
  });
  await introduce(platform, { plane, newKeys }, ending.signal);
  keepCompiled();
  const signal = await ended;
  terminal.line(`\n${signal}: ending, the state stays in ${state.path}.`);
  watch?.stop();
  await plane.end();
  terminal.progress("Everything has ended.");
  return 0;
}

/** Never shown, so never to be used: the next start makes others. */
async function forget(keys: readonly CreatedKey[], store: ClusterStore): Promise<void> {
  for (const key of keys) await store.remove("ApiKey", key.id);
}

/** Waits until the instances serve, telling of each; then says how to use them. */
async function introduce(
  { store, state, options, terminal, clock }: Platform,
  { plane, newKeys }: { readonly plane: ControlPlane; readonly newKeys: readonly CreatedKey[] },
  signal: AbortSignal,
): Promise<void> {
  const readiness = await watchReady(
    { store, clock, isRouted: plane.isRouted },
    ({ instance }, { inPlaceCount, rows }) =>
      terminal.progress(`${instance.name} is ${instance.state} (${inPlaceCount} of ${rows.length})`),
    signal,
  );
  if (signal.aborted) return forget(newKeys, store);
  const tenants = await servedTenants(store);
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
