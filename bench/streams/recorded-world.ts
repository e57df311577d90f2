import { fork, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createUnixGatewayHub } from "../../src/adapters/gateway-link/unix-socket-hub.ts";
import { createSha256KeyDigest } from "../../src/adapters/key-digest/sha256.ts";
import type { DownMessage } from "../../src/api/link-message.ts";
import type { RouteTable } from "../../src/api/route-table.ts";
import { keyId, serviceName, uid, type GatewayId } from "../../src/base/ids.ts";
import { PROCESS_KEY, processEndpoint, processTable, startEntry } from "../../src/cmd/gateway-processes.ts";
import type { GatewayHub } from "../../src/ports/gateway-link.ts";
import { freePort, readMetricAt } from "../failover/platform.ts";
import type { EngineMood, EngineReport } from "./recording-message.ts";

export interface SeenRequest {
  readonly askedAtMs: number;
  overAtMs: number | null;
  isWhole: boolean;
}

/** One recording engine's process, and all that it has told. */
class RecordingEngine {
  readonly url: string;
  readonly seen: ReadonlyMap<string, SeenRequest[]>;
  readonly child: ChildProcess;

  private constructor(child: ChildProcess, port: number, seen: ReadonlyMap<string, SeenRequest[]>) {
    this.child = child;
    this.url = `http://127.0.0.1:${port}`;
    this.seen = seen;
  }

  static start(): Promise<RecordingEngine> {
    const child = fork(fileURLToPath(new URL("recording-engine.ts", import.meta.url)), { serialization: "advanced" });
    const seen = new Map<string, SeenRequest[]>();
    return new Promise((resolve, reject) => {
      child.on("message", (message) => {
        const report = message as EngineReport;
        if (report.type === "listening") return resolve(new RecordingEngine(child, report.port, seen));
        const list = seen.get(report.id) ?? [];
        seen.set(report.id, list);
        if (report.type === "asked") return void list.push({ askedAtMs: report.atMs, overAtMs: null, isWhole: false });
        const open = list.find(({ overAtMs }) => overAtMs === null);
        if (open === undefined) return;
        open.overAtMs = report.atMs;
        open.isWhole = report.isWhole;
      });
      child.once("exit", () => reject(new Error("A recording engine has ended.")));
    });
  }
}

export const SERVED_MODEL = "tide-8b";
/** Its only endpoint is not Ready until `openQueue`: whoever asks for it waits. */
export const QUEUED_MODEL = "tide-queued";

const tablesFor = (urls: readonly string[], isQueueOpen: boolean): readonly RouteTable[] => {
  const served = processTable(urls.map((url, index) => processEndpoint(index + 1, url)));
  const endpoint = { ...processEndpoint(1, urls[0] ?? ""), uid: uid("uid-queued"), isReady: isQueueOpen };
  const queued = processTable([endpoint]);
  return [
    served,
    {
      ...queued,
      uid: uid("service-queued"),
      service: serviceName("queued"),
      models: [QUEUED_MODEL],
      revision: isQueueOpen ? 2 : 1,
      rtoTargetMs: 60_000,
    },
  ];
};

/** A real gateway process before recording engines, and a control plane that only speaks. */
export class RecordedWorld {
  readonly url: string;
  readonly key = PROCESS_KEY;
  readonly engines: readonly RecordingEngine[];
  readonly #metricsUrl: string;
  readonly #hub: GatewayHub;
  readonly #joined: () => GatewayId | null;
  readonly #end: () => void;

  private constructor(of: {
    readonly url: string;
    readonly metricsUrl: string;
    readonly engines: readonly RecordingEngine[];
    readonly hub: GatewayHub;
    readonly joined: () => GatewayId | null;
    readonly end: () => void;
  }) {
    this.url = of.url;
    this.engines = of.engines;
    this.#metricsUrl = of.metricsUrl;
    this.#hub = of.hub;
    this.#joined = of.joined;
    this.#end = of.end;
  }

  static async start(engineCount: number): Promise<RecordedWorld> {
    const dataDir = mkdtempSync(join(tmpdir(), "tidegate-recorded-"));
    const ends: (() => void)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
    const end = (): void => {
      for (const one of ends.splice(0).toReversed()) one();
    };
    process.once("exit", end);
    const engines = await Promise.all(Array.from({ length: engineCount }, () => RecordingEngine.start()));
    for (const { child } of engines) ends.push(() => void child.kill("SIGKILL"));
    const hub = createUnixGatewayHub(join(dataDir, "link.sock"));
    ends.push(() => void hub.close());
    const tables = tablesFor(
      engines.map(({ url }) => url),
      false,
    );
    const hash = createSha256KeyDigest().digest(PROCESS_KEY);
    const tenant = tables[0]?.tenant;
    const messages: readonly DownMessage[] = [
      { type: "welcome", stateId: "recorded" },
      ...tables.map((table) => ({ type: "table" as const, table })),
      { type: "keys", keys: tenant === undefined ? [] : [{ hash, id: keyId("key-1"), tenant }] },
      { type: "synced" },
    ];
    let joined: GatewayId | null = null;
    const told = Promise.withResolvers<void>();
    await hub.listen({
      joined: (gateway) => {
        joined = gateway;
        for (const message of messages) hub.send(gateway, message);
      },
      message: (_from, message) => {
        if (message.type === "ack") told.resolve();
      },
      left: () => undefined,
    });
    const metricsPort = await freePort();
    const flags = ["--data-dir", dataDir, "--port", "0", "--metrics-port", `${metricsPort}`];
    const { url } = await startEntry("gateway.ts", flags, (one) => ends.push(one));
    await told.promise;
    return new RecordedWorld({ url, metricsUrl: `http://127.0.0.1:${metricsPort}`, engines, hub, joined: () => joined, end });
  }

  mood(mood: EngineMood): void {
    for (const { child } of this.engines) child.send({ type: "mood", mood });
  }

  /** From now on the queued model's endpoint serves. */
  openQueue(): void {
    const gateway = this.#joined();
    if (gateway === null) throw new Error("The gateway has left.");
    const urls = this.engines.map(({ url }) => url);
    for (const table of tablesFor(urls, true)) this.#hub.send(gateway, { type: "table", table });
  }

  /** What engines saw of one request of a client, retries and moves included. */
  seen(id: string): readonly SeenRequest[] {
    return this.engines.flatMap((engine) => engine.seen.get(id) ?? []);
  }

  /** Of the gateway: the sum over all labels. */
  metric(name: string): Promise<number> {
    return readMetricAt(this.#metricsUrl, name);
  }

  stop(): void {
    this.#end();
  }
}
