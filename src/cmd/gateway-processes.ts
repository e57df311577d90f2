import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { createUnixGatewayHub } from "../adapters/gateway-link/unix-socket-hub.ts";
import { createSha256KeyDigest } from "../adapters/key-digest/sha256.ts";
import type { DownMessage, UpMessage } from "../api/link-message.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import { epoch, generation, instanceName, keyId, serviceName, tenantId, uid } from "../base/ids.ts";
import type { GatewayHub } from "../ports/gateway-link.ts";

// Test rig: a gateway process and engine processes as they run for users, and a control plane that only speaks.

export const PROCESS_KEY = "tg-processes-key";

/** What ends with a test; a promise is waited for. */
export type After = (end: () => unknown) => void;

/** A state directory, and what ends with the test, last first: so the directory goes when nobody writes into it any more. */
export function ownFolder(t: TestContext, prefix: string): { readonly dataDir: string; readonly after: After } {
  const dataDir = mkdtempSync(join(tmpdir(), prefix));
  const ends: (() => unknown)[] = [() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })];
  t.after(async () => {
    const failures: unknown[] = [];
    // Whoever cannot be ended keeps nobody else from it.
    for (const end of ends.toReversed())
      await Promise.resolve()
        .then(end)
        .catch((cause: unknown) => failures.push(cause));
    if (failures.length > 0) throw new AggregateError(failures, "Not everything ended with the test.");
  });
  return { dataDir, after: (end) => void ends.push(end) };
}

export interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly exited: Promise<unknown[]>;
  /** Lines on both its streams. */
  readonly said: readonly string[];
}

/** Starts an entry of this folder and waits for the line that says where it is ready; killed when the test ends. */
export async function startEntry(entry: string, args: readonly string[], after: After): Promise<Running> {
  const path = fileURLToPath(new URL(`./${entry}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  after(() => {
    child.kill("SIGKILL");
    return exited;
  });
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        const found = /ready (?:on )?(?:\S+ )?(https?:\S+)/.exec(line)?.[1];
        if (found !== undefined) resolve(found);
      });
    }
    child.once("exit", () => reject(new Error(`It ended: ${said.join("\n")}`)));
  });
  return { child, url, exited, said };
}

export const startQuickEngine = (more: readonly string[], after: After): Promise<Running> =>
  startEntry(
    "engine.ts",
    ["--port", "0", "--model", "tide-8b", "--weights-bytes", "100000000", "--load-bytes-per-second", "10000000000", ...more],
    after,
  );

export function processEndpoint(index: number, url: string): RungEndpoint {
  const { hostname, port } = new URL(url);
  return {
    instance: instanceName(`gold-hot-${index}`),
    uid: uid(`uid-${index}`),
    generation: generation(1),
    address: { host: hostname, port: Number(port) },
    engine: "simulated",
    upstreamModel: null,
    isReady: true,
    isAsleep: false,
    isWaking: false,
    weight: 50,
    maxBatch: 64,
    node: null,
    zone: null,
    fingerprint: "f",
    hasProgress: true,
    namesIds: true,
  };
}

export function processTable(endpoints: readonly RungEndpoint[]): RouteTable {
  return {
    uid: uid("service-gold"),
    epoch: epoch(1),
    revision: 1,
    service: serviceName("gold"),
    tenant: tenantId("tenant-gold"),
    tier: "gold",
    models: ["tide-8b"],
    contextLength: 8_192,
    rungs: [{ level: "hot", activation: { kind: "none" }, endpoints }],
    serveFrom: "hot",
    returnPercent: 0,
    knownAnswer: null,
    priority: 0,
    grants: { descent: "automatic", movesLeft: 3 },
    degraded: [],
    overflow: { inFlightRatio: 0.9, queuedForMs: 100 },
    limits: { requestsPerMinute: null, tokensPerMinute: null, concurrency: null, maxTokens: null },
    mirrorPercent: 0,
    rtoTargetMs: 15_000,
  };
}

export interface SpeakingControlPlane {
  readonly hub: GatewayHub;
  readonly heard: UpMessage[];
  /** Who is joined now: pids by name. */
  readonly joined: Map<string, number>;
  /** Resolves when the gateway has acknowledged the table. */
  readonly told: Promise<void>;
  /** Resolves at its first count, which comes with the first request: long after it wrote its file. */
  readonly counted: Promise<void>;
}

/** Tells every gateway that joins one table and one key. */
export async function speakAsControlPlane(path: string, table: RouteTable): Promise<SpeakingControlPlane> {
  const hub = createUnixGatewayHub(path);
  const heard: UpMessage[] = [];
  const joined = new Map<string, number>();
  const told = Promise.withResolvers<void>();
  const counted = Promise.withResolvers<void>();
  const messages: readonly DownMessage[] = [
    { type: "welcome", stateId: "state-1" },
    { type: "table", table },
    {
      type: "keys",
      keys: [{ hash: createSha256KeyDigest().digest(PROCESS_KEY), id: keyId("key-1"), tenant: table.tenant }],
    },
    { type: "synced" },
  ];
  await hub.listen({
    joined: (gateway, { pid }) => {
      joined.set(gateway, pid);
      for (const message of messages) hub.send(gateway, message);
    },
    message: (_from, message) => {
      heard.push(message);
      if (message.type === "ack") told.resolve();
      if (message.type === "counts") counted.resolve();
    },
    left: (gateway) => {
      joined.delete(gateway);
      heard.length = 0;
    },
  });
  return { hub, heard, joined, told: told.promise, counted: counted.promise };
}
