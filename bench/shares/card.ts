import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectAccountDriver } from "../../src/adapters/gpu-driver/account-driver.ts";
import { PARTITION_MODE_NAMES, type PartitionMode } from "../../src/api/gpu-partition.ts";
import { instanceName, nodeName, partitionName, serviceName, tenantId } from "../../src/base/ids.ts";
import { COMMAND, freePort } from "../failover/platform.ts";
import { monotonicMs } from "../failover/monotonic.ts";

const GB = 1e9;
const READY_WITHIN_MS = 30_000;
const NODE = nodeName("card");
const LOOK_EVERY_MS = 20;

export interface EngineOfCard {
  readonly name: string;
  readonly mode: PartitionMode;
  readonly computePercent: number;
  readonly arguments: readonly string[];
}

/** One simulated GPU of 80 GB, its account and its engines: each a process of its own, as the platform starts them. */
export class Card {
  readonly #folder = mkdtempSync(join(tmpdir(), "tidegate-shares-"));
  readonly #children: ChildProcess[] = [];
  readonly #driver = connectAccountDriver(this.#socket);
  readonly endpoints = new Map<string, string>();

  get #socket(): string {
    return join(this.#folder, "gpu.sock");
  }

  static async start(engines: readonly EngineOfCard[]): Promise<Card> {
    const card = new Card();
    // Engines that nobody claims live on.
    process.once("exit", () => card.stop());
    card.#spawn(["gpu-account", "--socket", card.#socket, "--state-dir", card.#folder]);
    await card.#until(async () => (await card.#driver.ensureInventory([CARD])).ok, "The account does not answer");
    for (const engine of engines) await card.#start(engine);
    for (const [name, endpoint] of card.endpoints) await card.#until(() => isReady(endpoint), `${name} is not ready`);
    return card;
  }

  async #start({ name, mode, computePercent, arguments: more }: EngineOfCard): Promise<void> {
    const partition = {
      name: partitionName(`tenant-gpu-partition-${name}-1`),
      tenant: tenantId("tenant"),
      service: serviceName(name),
      instance: instanceName(name),
      mode,
      node: NODE,
      gpu: 0,
      mig: null,
      memoryBytes: 8 * GB,
      computePercent,
      leaving: null,
      phase: "Bound",
    } as const;
    await this.#until(async () => (await this.#driver.ensurePartition(partition)).ok, `${name} gets no partition`);
    const port = await freePort();
    const place = ["--instance", name, "--gpu", `${NODE}/0`, "--gpu-account", this.#socket, "--port", `${port}`];
    const size = ["--model", name, "--weights-bytes", `${GB}`, "--memory-bytes", `${8 * GB}`];
    this.#spawn(["engine", ...place, ...size, ...more]);
    this.endpoints.set(name, `http://127.0.0.1:${port}`);
  }

  stop(): void {
    this.#driver.close();
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawn(argv: readonly string[]): void {
    const log = openSync(join(this.#folder, "log"), "a");
    this.#children.push(spawn(process.execPath, [COMMAND, ...argv], { stdio: ["ignore", log, log] }));
    closeSync(log);
  }

  async #until(isSo: () => Promise<boolean>, otherwise: string): Promise<void> {
    const deadlineMs = monotonicMs() + READY_WITHIN_MS;
    while (!(await isSo())) {
      if (monotonicMs() >= deadlineMs) throw new Error(`${otherwise} within ${READY_WITHIN_MS} ms: see ${this.#folder}/log.`);
      await sleep(LOOK_EVERY_MS);
    }
  }
}

const CARD = {
  name: NODE,
  labels: {},
  zone: null,
  capacityType: "on-demand",
  hostMemoryBytes: 512 * GB,
  unsafeToolkit: null,
  links: { hostToGpu: 54 * GB, disk: 12 * GB, network: 11 * GB },
  gpus: [{ index: 0, model: "H100-80GB", memoryBytes: 80 * GB, modes: PARTITION_MODE_NAMES }],
} as const;

async function isReady(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
