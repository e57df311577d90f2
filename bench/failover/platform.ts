import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { holderOfPort } from "../../src/cmd/port-holder.ts";
import { readMetric } from "../../src/wire/prometheus-text.ts";
import type { ChatTarget } from "./chat-call.ts";
import { monotonicMs } from "./monotonic.ts";
import { HttpPool } from "./http-pool.ts";
import { isWhole, readServices, type SeenInstance, type SeenService } from "./platform-status.ts";
import { processesWith, seeProcess, signal, type SeenProcess } from "./process-table.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
export const COMMAND = join(REPOSITORY, "bin/tidegate.js");
export const BENCH_MANIFESTS = join(REPOSITORY, "examples/bench");

const LOOK_EVERY_MS = 40;
const STOP_WITHIN_MS = 8_000;
const KILL_LOOKS_MAX = 50;
const ASK_WITHIN_MS = 5_000;

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("The machine gives no free port.");
  return address.port;
}

/** The real platform in a directory of its own. Its processes all name that directory, so none can be missed at the end. */
export class Platform {
  readonly dataDir: string;
  readonly gatewayPort: number;
  readonly adminPort: number;
  readonly #upArguments: readonly string[];

  private constructor(ports: { gateway: number; admin: number }, what: readonly string[]) {
    this.dataDir = mkdtempSync(join(tmpdir(), "tidegate-bench-"));
    this.gatewayPort = ports.gateway;
    this.adminPort = ports.admin;
    this.#upArguments = ["up", ...what, "--data-dir", this.dataDir, "--gateway-port", `${ports.gateway}`, "--admin-port", `${ports.admin}`];
  }

  /** @param what manifests and flags of `tidegate up` */
  static async start(what: readonly string[]): Promise<Platform> {
    const platform = new Platform({ gateway: await freePort(), admin: await freePort() }, what);
    platform.up();
    return platform;
  }

  up(): ChildProcess {
    return this.#spawn([process.execPath, COMMAND, ...this.#upArguments], "up.log");
  }

  /** A process of the platform by the very command line that it had, while nobody else starts it. */
  startAgain(seen: SeenProcess): ChildProcess {
    return this.#spawn(seen.argv, "again.log");
  }

  #spawn(argv: readonly string[], logName: string): ChildProcess {
    const [program = process.execPath, ...rest] = argv;
    const log = openSync(join(this.dataDir, logName), "a");
    const child = spawn(program, rest, { cwd: REPOSITORY, stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    child.on("error", () => undefined);
    child.unref();
    return child;
  }

  async services(): Promise<readonly SeenService[] | null> {
    return readServices(this.adminPort);
  }

  async instance(name: string): Promise<SeenInstance | null> {
    const services = (await this.services()) ?? [];
    return services.flatMap(({ instances }) => instances).find((instance) => instance.name === name) ?? null;
  }

  /** Looks until `holds`. @returns when it did, or null after `withinMs`. */
  async until(holds: (services: readonly SeenService[]) => boolean, withinMs: number): Promise<number | null> {
    const deadlineMs = monotonicMs() + withinMs;
    while (monotonicMs() < deadlineMs) {
      const services = await this.services();
      if (services !== null && holds(services)) return monotonicMs();
      await sleep(LOOK_EVERY_MS);
    }
    return null;
  }

  /** Every service is at rest, and each process that its status names runs: after a death the status is older than the truth. */
  untilWhole(withinMs: number): Promise<number | null> {
    return this.until((services) => services.length > 0 && services.every((service) => isWhole(service) && areAlive(service)), withinMs);
  }

  /** One command of the platform's own command line, asked of this platform. @returns all that it prints; its exit code. */
  async command(...argv: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }> {
    const child = spawn(process.execPath, [COMMAND, ...argv, "--data-dir", this.dataDir], {
      cwd: REPOSITORY,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
    child.stderr.on("data", (bytes: Buffer) => (text += bytes.toString()));
    const [code] = (await once(child, "close")) as [number | null];
    return { code, text };
  }

  /** The key of a tenant, from the file that a first start without a terminal writes. */
  async target(tenant: string): Promise<ChatTarget> {
    const key = readFileSync(join(this.dataDir, "keys.txt"), "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .find(([name]) => name === tenant)?.[1];
    if (key === undefined) throw new Error(`${this.dataDir}/keys.txt has no key of tenant ${tenant}.`);
    return { host: "127.0.0.1", port: this.gatewayPort, key, isTls: this.#upArguments.includes("--gateway-tls-cert") };
  }

  /** Waits until the gateway lists the model for the tenant, so that requests can be sent. */
  async untilServes(tenant: string, model: string, withinMs: number): Promise<ChatTarget> {
    const deadlineMs = monotonicMs() + withinMs;
    while (monotonicMs() < deadlineMs) {
      if (existsSync(join(this.dataDir, "keys.txt"))) {
        const target = await this.target(tenant);
        const answer = await askModels(target);
        if (answer.includes(`"${model}"`)) return target;
      }
      await sleep(LOOK_EVERY_MS);
    }
    throw new Error(`The gateway does not list ${model} for ${tenant} within ${withinMs} ms: see ${this.dataDir}/up.log.`);
  }

  /** By its command line, so that it is found whoever started it. */
  controlPlane(): SeenProcess | null {
    return processesWith(this.dataDir).find(({ argv }) => argv.includes("up")) ?? null;
  }

  /** Whoever serves the tenants now. */
  gateway(): SeenProcess | null {
    const holder = holderOfPort(this.gatewayPort);
    return holder === null ? null : seeProcess(holder.pid);
  }

  /** Endpoints that the gateway took out of the choice since it started, by its own count; null when it does not tell. */
  ejections(): Promise<number | null> {
    return this.gatewayMetric("tidegate_ejections_total");
  }

  /** The sum of a metric of the gateway, 0 when it has none yet; null when it does not tell. */
  async gatewayMetric(name: string): Promise<number | null> {
    try {
      const port = readFileSync(join(this.dataDir, "port-gateway-metrics"), "utf8").trim();
      return await readMetricAt(`http://127.0.0.1:${port}`, name);
    } catch {
      return null;
    }
  }

  /** Processes that run an engine of this platform. */
  engines(): readonly SeenProcess[] {
    return processesWith(this.dataDir).filter(({ argv }) => argv.includes("--instance"));
  }

  /** In order first, by force after a while; afterwards nothing of it runs. */
  async stop(options: { readonly keepsFiles: boolean }): Promise<void> {
    for (const seen of this.#all()) signal(seen, "SIGCONT");
    const controlPlane = this.controlPlane();
    if (controlPlane !== null) signal(controlPlane, "SIGTERM");
    const deadlineMs = monotonicMs() + (controlPlane === null ? 0 : STOP_WITHIN_MS);
    while (this.#all().length > 0 && monotonicMs() < deadlineMs) await sleep(LOOK_EVERY_MS);
    this.endAtOnce(options);
  }

  /** By force and synchronously. More than one look, because a platform that is being ended may just have started something. */
  endAtOnce(options: { readonly keepsFiles: boolean }): void {
    for (let look = 0; look < KILL_LOOKS_MAX; look += 1) {
      const left = this.#all();
      for (const seen of left) signal(seen, "SIGKILL");
      if (left.length === 0) break;
    }
    if (!options.keepsFiles) rmSync(this.dataDir, { recursive: true, force: true });
  }

  #all(): readonly SeenProcess[] {
    return processesWith(this.dataDir);
  }
}

const areAlive = (service: SeenService): boolean => service.instances.every(({ pid }) => pid !== null && seeProcess(pid) !== null);

/** The sum over all labels; 0 when the page has no such metric. @throws when nobody answers. */
export async function readMetricAt(base: string, name: string): Promise<number> {
  const answer = await fetch(`${base}/metrics`, { signal: AbortSignal.timeout(5_000) });
  return readMetric(await answer.text(), name) ?? 0;
}

/** The list as text, "" where nobody gives one. */
export function askModels(target: ChatTarget): Promise<string> {
  const pool = new HttpPool(target, { keepsAlive: false });
  const head = `GET /v1/models HTTP/1.1\r\nhost: ${target.host}\r\nauthorization: Bearer ${target.key ?? ""}\r\n\r\n`;
  return new Promise((resolve) => {
    let status = 0;
    let text = "";
    const connection = pool.send([head], {
      head: (seen) => (status = seen),
      data: (bytes) => (text += bytes.toString()),
      end: () => resolve(status === 200 ? text : ""),
      cut: () => resolve(""),
    });
    setTimeout(() => {
      connection.destroy();
      resolve("");
    }, ASK_WITHIN_MS).unref();
  });
}
