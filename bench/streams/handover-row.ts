import { once } from "node:events";
import { chmodSync, copyFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { fileURLToPath } from "node:url";
import { pathOf } from "../../src/cmd/admin-path.ts";
import { MODEL, startLoad, stopLoad, untilSent, type Bench } from "../failover/bench.ts";
import { MIXED } from "../failover/engine-rows.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import { askModels } from "../failover/platform.ts";
import { SERVICES_PATH } from "../failover/platform-status.ts";
import { processesWith, signal } from "../failover/process-table.ts";
import type { RowResult } from "../failover/report.ts";
import { CONCURRENT_STREAMS, MIX, openBench, SETTLED_WITHIN_MS, type Stage } from "./fault-rows.ts";
import { handoverBarsOf, type Disturbance } from "./judge-handover.ts";

const FIXTURES = fileURLToPath(new URL("../../test/fixtures/tls/", import.meta.url));
const RELOADS_PER_TAKE_OVER = 5;
/** Between two disturbances, so that streams begin and end in all places. */
const STREAMS_BETWEEN = 5;
const SEEN_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 20;
/** Short answers on connections of their own: somebody is always just connecting. */
const CONNECTIONS_PER_SECOND = 10;
const SHORT = { streamRatio: 0.5, prompts: [{ tokens: 128, ratio: 1 }], answerTokensMin: 2, answerTokensMax: 8 };

interface Scene {
  readonly bench: Bench;
  readonly tls: { readonly cert: string; readonly key: string };
}

/** The platform with TLS on its gateway, whose files this row replaces. */
export async function openScene(stage: Stage): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-bench-tls-"));
  const tls = { cert: join(folder, "tls.pem"), key: join(folder, "tls.key") };
  writeCertificate(tls, "one");
  const bench = await openBench(stage, ["--gateway-tls-cert", tls.cert, "--gateway-tls-key", tls.key]);
  return { bench, tls };
}

/** Reloads of routes, keys, engines and certificates in turn, and take-overs among them, under streams and ever new connections. */
export async function runHandoverRow({ bench, tls }: Scene, reloadCount: number): Promise<RowResult> {
  const { progress, platform } = bench;
  const streams = await startLoad(bench, { tenant: MIXED, mix: MIX, pace: { kind: "closed", inFlight: CONCURRENT_STREAMS } });
  const pace = { kind: "open", ratePerSecond: CONNECTIONS_PER_SECOND } as const;
  const arrivals = await startLoad(bench, { tenant: MIXED, mix: SHORT, pace, seedOffset: 7, keepsAlive: false });
  await untilSent(streams, CONCURRENT_STREAMS);
  const disturbances: Disturbance[] = [];
  const problems: string[] = [];
  const reloads = reloadsOf(bench, tls);
  const disturb = async (kind: Disturbance["kind"], what: string, act: () => Promise<string | null>): Promise<void> => {
    const startedAtMs = monotonicMs();
    const problem = await act();
    disturbances.push({ kind, startedAtMs, endedAtMs: monotonicMs(), isDone: problem === null });
    if (problem !== null) problems.push(`${what}: ${problem}`);
    await untilSent(streams, STREAMS_BETWEEN);
  };
  for (let index = 0; index < reloadCount && problems.length === 0; index += 1) {
    const { name, act } = reloads[index % reloads.length] ?? { name: "nothing", act: async () => "no reload is known" };
    await disturb("reload", name, act);
    if ((index + 1) % RELOADS_PER_TAKE_OVER === 0) await disturb("take-over", "take-over", () => takeOver(bench));
    const records = [...streams.records, ...arrivals.records];
    const bad = records.filter(({ outcome }) => outcome !== "complete").length;
    progress.update(`handover: ${index + 1} of ${reloadCount} reloads, ${records.length} requests, ${bad} not complete`);
  }
  const nowMs = monotonicMs();
  await streams.until(() => streams.settledBeforeMs > nowMs, SETTLED_WITHIN_MS);
  await Promise.all([stopLoad(bench, streams), stopLoad(bench, arrivals)]);
  const isAlone = await seen(() => gatewaysOf(bench).length === 1);
  const records = { streams: streams.records, arrivals: arrivals.records };
  const takeOvers = Math.floor(reloadCount / RELOADS_PER_TAKE_OVER);
  const bars = handoverBarsOf(records, disturbances, {
    reloads: reloadCount,
    takeOvers,
    gatewaysLeft: isAlone ? 1 : gatewaysOf(bench).length,
  });
  const lost = [...streams.records, ...arrivals.records].filter(({ outcome }) => outcome !== "complete");
  const notes = [
    `${streams.records.length} streams of ${CONCURRENT_STREAMS} at a time, ${arrivals.records.length} requests on connections of their own, all over TLS`,
    `gateway at the end: process ${platform.gateway()?.pid ?? "none"}`,
    ...problems,
    ...lost.slice(0, 8).map(({ id, outcome, note, status, tokenTimesMs, arrivedAtMs }) => {
      const last = disturbances.findLast(({ startedAtMs }) => startedAtMs <= arrivedAtMs);
      return `${outcome}: request ${id}, status ${status}, ${tokenTimesMs.length} tokens, ${note}, after a ${last?.kind ?? "start"}`;
    }),
  ];
  return { row: "handover", n: disturbances.length, bars, notes, control: null };
}

const gatewaysOf = ({ platform }: Bench): readonly unknown[] =>
  processesWith(platform.dataDir).filter(({ argv }) => argv.includes("--metrics-port"));

async function takeOver({ platform }: Bench): Promise<string | null> {
  const before = platform.gateway()?.pid;
  const { code, text } = await platform.command("gateway", "take-over");
  if (code !== 0) return text;
  return (await seen(() => platform.gateway() !== null && platform.gateway()?.pid !== before))
    ? null
    : "the old process still holds the port";
}

/** Each resolves when the gateway was seen to have taken it up, with null; or with why not. */
function reloadsOf(bench: Bench, tls: Scene["tls"]): readonly { readonly name: string; readonly act: () => Promise<string | null> }[] {
  let key: { readonly id: string; readonly key: string } | null = null;
  let names: readonly ["one" | "two", "one" | "two"] = ["one", "two"];
  const certificate = {
    name: "certificate",
    act: async () => {
      names = [names[1], names[0]];
      return renewCertificate(bench, tls, names[0]);
    },
  };
  const changeEngines = (count: number) => ({ name: `${count} hot engines`, act: () => setHotCount(bench, count) });
  const makeKey = async (): Promise<string | null> => {
    key = (await callAdmin(bench, "POST", pathOf("ApiKey", null), { tenant: MIXED })) as { id: string; key: string };
    const target = { ...(await bench.platform.target(MIXED)), key: key.key };
    return (await seen(async () => (await askModels(target)).includes(MODEL))) ? null : "the gateway does not know it";
  };
  const takeKeyBack = async (): Promise<string | null> => {
    if (key === null) return "there is none";
    const target = { ...(await bench.platform.target(MIXED)), key: key.key };
    await callAdmin(bench, "DELETE", pathOf("ApiKey", key.id));
    return (await seen(async () => (await askModels(target)) === "")) ? null : "the gateway still takes it";
  };
  return [
    { name: "a new key", act: makeKey },
    certificate,
    changeEngines(1),
    certificate,
    { name: "a key that is taken back", act: takeKeyBack },
    certificate,
    changeEngines(2),
    certificate,
  ];
}

function writeCertificate({ cert, key }: Scene["tls"], name: "one" | "two"): void {
  copyFileSync(join(FIXTURES, `${name}.key`), key);
  chmodSync(key, 0o600);
  copyFileSync(join(FIXTURES, `${name}.pem`), cert);
}

async function renewCertificate({ platform }: Bench, tls: Scene["tls"], name: "one" | "two"): Promise<string | null> {
  const before = await servedCertificate(platform.gatewayPort);
  const gateway = platform.gateway();
  if (gateway === null) return "no gateway runs";
  writeCertificate(tls, name);
  signal(gateway, "SIGHUP");
  return (await seen(async () => (await servedCertificate(platform.gatewayPort)) !== before)) ? null : "the old certificate is served";
}

async function servedCertificate(port: number): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** Endpoints leave the table, or come into it: seen when the service is whole with so many. */
async function setHotCount(bench: Bench, count: number): Promise<string | null> {
  const path = `${SERVICES_PATH}/${MIXED}`;
  const stored = (await callAdmin(bench, "GET", path)) as { readonly spec: { readonly hotStandby: object } };
  const hotStandby = { ...stored.spec.hotStandby, gpuCount: count, memoryReserved: `${70 * count}GB` };
  await callAdmin(bench, "PUT", path, { ...stored, spec: { ...stored.spec, hotStandby } });
  const isSo = (): Promise<boolean> =>
    bench.platform.services().then((services) => {
      const hot = services?.find(({ name }) => name === MIXED)?.instances.filter(({ level }) => level === "hot") ?? [];
      return hot.length === count && hot.every(({ state }) => state === "Ready");
    });
  return (await seen(isSo)) ? null : `it has not ${count} hot engines`;
}

async function callAdmin({ platform }: Bench, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${platform.adminPort}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

/** Looks until it is so. @returns false when it is not in time. */
async function seen(isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadlineMs = monotonicMs() + SEEN_WITHIN_MS;
  while (monotonicMs() < deadlineMs) {
    if (await isSo()) return true;
    await sleep(LOOK_EVERY_MS);
  }
  return false;
}
