import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createSystemClock } from "../../src/adapters/clock/system.ts";
import { createMemoryEventLog } from "../../src/adapters/event-log/memory.ts";
import { connectGpuFaults } from "../../src/adapters/gpu-driver/account-faults.ts";
import type { GpuFaults } from "../../src/ports/gpu-faults.ts";
import { createSeededRandom } from "../../src/adapters/random/simulated.ts";
import { createUndiciUpstream } from "../../src/adapters/upstream/undici.ts";
import type { FailoverRecord } from "../../src/api/failover-record.ts";
import { API_VERSION, type ResourceDraft } from "../../src/api/resource.ts";
import type { InstanceStatus, ServiceStatus } from "../../src/api/service-status.ts";
import { nodeName } from "../../src/base/ids.ts";
import type { Scenario, ScenarioEvent, SignalEvent, Setting } from "../../src/simulator/scenario.ts";
import { draftsOf, firstSettings, modelOf, serviceDraft, withSetting, type Settings } from "../../src/simulator/scenario-drafts.ts";
import type { ScenarioStage, StageClient, StageEvent } from "../../src/simulator/scenario-stage.ts";
import { isTarget, placesOf } from "../../src/simulator/world-stage.ts";
import { injectFault } from "../failover/engine-fault.ts";
import { Platform } from "../failover/platform.ts";
import { seeProcess, signal } from "../failover/process-table.ts";
import { readRecords, readStatuses } from "./read-admin.ts";

const SERVES_WITHIN_MS = 30_000;
const SIGNALS = { kill: "SIGKILL", stop: "SIGSTOP", continue: "SIGCONT" } as const;

/** What must not outlive us, however we end. */
const running = new Set<Platform>();

/** By force, and at once. */
export function endRealStages(): void {
  for (const platform of running) platform.endAtOnce({ keepsFiles: false });
}

/** The scenario's platform as real processes in a directory of its own: `tidegate up` with the same manifests. */
export async function startRealStage(scenario: Scenario, seed: number): Promise<ScenarioStage> {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-scenario-"));
  const manifest = join(folder, "scenario.yaml");
  writeFileSync(manifest, manifestText(draftsOf(scenario)));
  const platform = await Platform.start([manifest]);
  running.add(platform);
  return new RealStage({ scenario, seed, folder, manifest, platform });
}

interface Parts {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly folder: string;
  readonly manifest: string;
  readonly platform: Platform;
}

class RealStage implements ScenarioStage {
  readonly world = "real";
  readonly #parts: Parts;
  readonly #clock = createSystemClock();
  readonly #upstream = createUndiciUpstream();
  readonly #log = createMemoryEventLog();
  readonly #settings = new Map<string, Settings>();
  /** The control plane may be away when an engine is looked for. */
  #lastStatuses: ReadonlyMap<string, ServiceStatus> = new Map();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  wait(durationMs: number): Promise<void> {
    return sleep(durationMs);
  }

  async statuses(): Promise<ReadonlyMap<string, ServiceStatus> | null> {
    const statuses = await readStatuses(this.#parts.platform.adminPort);
    if (statuses !== null) this.#lastStatuses = statuses;
    return statuses;
  }

  async records(): Promise<readonly FailoverRecord[]> {
    return readRecords(this.#parts.platform.adminPort);
  }

  async clientOf(service: string, purpose: string): Promise<StageClient> {
    const { platform, seed } = this.#parts;
    const model = modelOf(service);
    const { host, port, key } = await platform.untilServes(service, model, SERVES_WITHIN_MS);
    const random = createSeededRandom(`${seed}/${purpose}`);
    return {
      ports: { clock: this.#clock, log: this.#log, upstream: this.#upstream, random },
      load: { gateway: { host, port }, key: key ?? "", model },
    };
  }

  async perform(event: StageEvent): Promise<string | null> {
    const { platform } = this.#parts;
    switch (event.kind) {
      case "kill":
      case "stop":
      case "continue":
      case "fault":
        return this.#toEngines(event);
      case "lose":
      case "slow-teardown":
      case "xid":
        return this.#harmGpus(event);
      case "kill-control-plane":
        return this.#killControlPlane();
      case "start-control-plane":
        platform.up();
        return null;
      case "restart-control-plane": {
        const why = this.#killControlPlane();
        platform.up();
        return why;
      }
      case "kill-gateway": {
        const gateway = platform.gateway();
        return gateway !== null && signal(gateway, "SIGKILL") ? null : "no gateway runs";
      }
      case "cut-link":
        return "only the simulator can cut the link";
      case "failover":
        return this.#command("failover", event.service, ...(event.to === null ? [] : ["--to", event.to]), "--no-wait");
      case "failback":
      case "resume":
        return this.#command(event.kind, event.service, "--no-wait");
      case "set":
        return this.#set(event.service, event.setting);
    }
  }

  async stop(): Promise<readonly string[]> {
    await this.#parts.platform.stop({ keepsFiles: false });
    running.delete(this.#parts.platform);
    rmSync(this.#parts.folder, { recursive: true, force: true });
    return [];
  }

  async #toEngines(event: SignalEvent | Extract<ScenarioEvent, { kind: "fault" }>): Promise<string | null> {
    await this.statuses();
    const instances = [...this.#lastStatuses.values()].flatMap((status) => status.instances);
    const missing = event.targets.find((target) => !instances.some(({ name, pid }) => pid !== null && isTarget(name, target)));
    if (missing !== undefined) return `no engine ${missing} runs`;
    const chosen = instances.filter(({ name, pid }) => pid !== null && event.targets.some((target) => isTarget(name, target)));
    if (event.kind === "fault") return order(chosen, event);
    for (const { pid } of chosen) {
      const seen = pid === null ? null : seeProcess(pid);
      if (seen !== null) signal(seen, SIGNALS[event.kind]);
    }
    return null;
  }

  async #harmGpus(event: Extract<ScenarioEvent, { kind: "lose" | "slow-teardown" | "xid" }>): Promise<string | null> {
    const faults = connectGpuFaults(join(this.#parts.platform.dataDir, "gpu.sock"));
    const answers = await Promise.all(event.kind === "xid" ? await this.#fail(event, faults) : this.#harm(event, faults));
    faults.close();
    if (answers.length === 0) return "no such engine holds a GPU";
    const refused = answers.find((answer) => !answer.ok);
    return refused === undefined || refused.ok ? null : refused.error.reason;
  }

  #harm(event: Extract<ScenarioEvent, { kind: "lose" | "slow-teardown" }>, faults: GpuFaults): readonly ReturnType<GpuFaults["lose"]>[] {
    const places = placesOf(this.#parts.scenario, event.place).map(({ node, gpu }) => ({ node: nodeName(node), gpu }));
    return places.map((at) =>
      event.kind === "lose"
        ? faults.lose({ kind: "gpu-lost", mode: event.mode, ...at }, event.forMs)
        : faults.slow({ kind: "slow-teardown", ...at, teardownMs: event.teardownMs }, event.forMs),
    );
  }

  async #fail(
    { mode, targets }: Extract<ScenarioEvent, { kind: "xid" }>,
    faults: GpuFaults,
  ): Promise<readonly ReturnType<GpuFaults["fail"]>[]> {
    await this.statuses();
    const instances = [...this.#lastStatuses.values()].flatMap((status) => status.instances);
    const victims = instances.filter(({ name, pid }) => pid !== null && targets.some((target) => isTarget(name, target)));
    return victims.flatMap(({ name, members }) =>
      members.map(({ node, gpu }) => faults.fail({ kind: "gpu-fault", mode, node, gpu, instance: name })),
    );
  }

  #killControlPlane(): string | null {
    const controlPlane = this.#parts.platform.controlPlane();
    return controlPlane !== null && signal(controlPlane, "SIGKILL") ? null : "no control plane runs";
  }

  async #command(...argv: readonly string[]): Promise<string | null> {
    const { code, text } = await this.#parts.platform.command(...argv);
    return code === 0 ? null : text.trim();
  }

  /** The manifest is watched: whoever edits it has applied it. */
  async #set(name: string, setting: Setting): Promise<string | null> {
    const { scenario, manifest } = this.#parts;
    const service = scenario.services.find((one) => one.name === name);
    if (service === undefined) return `there is no service ${name}`;
    this.#settings.set(name, withSetting(this.#settings.get(name) ?? firstSettings(service), setting));
    const services = scenario.services.map((one) => serviceDraft(one, this.#settings.get(one.name) ?? firstSettings(one)));
    const nodes = draftsOf(scenario).filter(({ kind }) => kind === "GPUNode");
    writeFileSync(manifest, manifestText([...nodes, ...services]));
    return null;
  }
}

async function order(
  instances: readonly InstanceStatus[],
  { fault, forMs }: Extract<ScenarioEvent, { kind: "fault" }>,
): Promise<string | null> {
  try {
    const endpoints = instances.map(({ endpoint }) => endpoint).filter((endpoint) => endpoint !== null);
    await Promise.all(endpoints.map((endpoint) => injectFault(endpoint, fault, forMs)));
    return null;
  } catch (cause) {
    return cause instanceof Error ? cause.message : "the engine takes no fault";
  }
}

/** JSON is YAML: one document for each resource. */
const manifestText = (drafts: readonly ResourceDraft[]): string =>
  drafts
    .map(
      ({ kind, name, labels, spec }) => `${JSON.stringify({ apiVersion: API_VERSION, kind, metadata: { name, labels }, spec }, null, 2)}\n`,
    )
    .join("---\n");
