import {
  epoch,
  gatewayId,
  instanceName,
  monotonicMs,
  nodeName,
  partitionName,
  serviceName,
  uid,
  wallMs,
  type Generation,
  type InstanceName,
  type Uid,
} from "../base/ids.ts";
import { assert } from "../base/assert.ts";
import type { JsonObject } from "../base/json.ts";
import type { AlertRule } from "../api/alert-rules.ts";
import type { FailoverRecord, LadderPlace, RecordAction } from "../api/failover-record.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import type { CapacitySample } from "./capacity-rto.ts";
import { decideService, type SeenInstance, type ServiceDecision, type ServiceWorld } from "./decide-service.ts";
import { desiredInstances, reserveInstances } from "./desired-instances.ts";
import type { EpisodeView } from "./episode-view.ts";
import type { ActivationView, InstanceAction, TaskView } from "./instance-look.ts";
import { NEW_MEMO, type InstanceMemo } from "./restart-memo.ts";
import type { Storm } from "./storm.ts";

// For tests of the ladder: one service with engines that do at once what they are told, seen at the next look.

interface Engine {
  readonly uid: Uid;
  readonly generation: Generation;
  readonly isAsleep: boolean;
}

export const WALL = wallMs(1_800_000_000_000);
const STEP_MS = 100;
const SAMPLES_MAX = 360;

export const hot1 = instanceName("gold-hot-1");
export const hot2 = instanceName("gold-hot-2");
export const warm1 = instanceName("gold-warm-1");
export const cold1 = instanceName("gold-cold-1");

export function ladderConfig(change: JsonObject = {}): HotStandbyConfig {
  const spec = {
    tenant: "tenant-gold",
    tier: "platinum",
    hotStandby: { gpuCount: 2, memoryReserved: "80GB" },
    warmStandby: { gpuCount: 1, memoryReserved: "40GB", rest: "asleep", lend: "never" },
    coldStandby: { memoryReserved: "40GB" },
    failoverPolicy: { failback: { soak: "10s" } },
    ...change,
  };
  const config = parseHotStandbyConfig({ name: "gold", spec });
  assert(config.ok, "the config of a test is right");
  return config.value;
}

export class FakeLadder {
  config: HotStandbyConfig;
  status: ServiceStatus | null = null;
  readonly engines = new Map<InstanceName, Engine>();
  readonly tasks = new Map<InstanceName, TaskView>();
  readonly activations = new Map<InstanceName, ActivationView>();
  readonly records = new Map<string, FailoverRecord>();
  readonly lostGpus = new Set<string>();
  /** What the next wakes of an instance come to, instead of the right answer. */
  readonly badWakes = new Map<InstanceName, "fails" | "garbage">();
  /** Whose process takes more of its GPU than it was granted. */
  readonly takers = new Set<InstanceName>();
  /** Engines that do not come up. */
  readonly badStarts = new Set<InstanceName>();
  episodes: readonly EpisodeView[] = [];
  isAcknowledged = true;
  inFlight = 0;
  alerts: readonly AlertRule[] = [];
  samples: readonly CapacitySample[] = [];
  storm: Storm | null = null;
  /** How far the wall clock has been set since the start. */
  wallOffsetMs = 0;
  nowMs = 0;
  last: ServiceDecision | null = null;
  #memos: ReadonlyMap<InstanceName, InstanceMemo> = new Map();
  readonly #names: readonly InstanceName[];

  constructor(config: HotStandbyConfig) {
    this.config = config;
    this.#names = [...desiredInstances(config), ...reserveInstances(config)].map(({ name }) => name);
  }

  world(): ServiceWorld {
    const requests = [...this.records.values()].filter(
      ({ requestedBy, status }) => requestedBy === "operator" && ["Requested", "Running"].includes(status?.phase ?? "Requested"),
    );
    return {
      config: this.config,
      specGeneration: 1,
      status: this.status,
      seen: new Map(this.#names.map((name, gpu) => [name, this.#seen(name, gpu)])),
      table: { uid: uid("service"), maxBatch: 64, zones: new Map() },
      isAcknowledged: this.isAcknowledged,
      lostGpus: new Set(this.lostGpus),
      slowGpus: new Set(),
      nowMs: monotonicMs(this.nowMs),
      wallMs: wallMs(WALL + this.nowMs + this.wallOffsetMs),
      freshToken: `t${this.nowMs}`,
      episodes: this.episodes,
      requests,
      records: new Map(this.records),
      capacitySamples: this.samples,
      inFlight: this.inFlight,
      alerts: this.alerts,
      vetting: null,
      storm: this.storm,
    };
  }

  /** One look, stored and acted on. */
  look(afterMs = STEP_MS): ServiceDecision {
    const decided = this.lookOnly(afterMs);
    for (const record of decided.records) this.records.set(record.name, record);
    this.tasks.clear();
    this.activations.clear();
    for (const action of decided.actions) this.#perform(action);
    return decided;
  }

  /** Stores the status and ends before it writes a record or acts. */
  lookOnly(afterMs = STEP_MS): ServiceDecision {
    this.nowMs += afterMs;
    const decided = decideService(this.world());
    this.status = decided.next;
    this.last = decided;
    this.#memos = decided.memos;
    return decided;
  }

  /** The control plane ends between any two looks: what it only remembered is gone. */
  crash(): void {
    this.#memos = new Map();
    this.tasks.clear();
    this.activations.clear();
  }

  settle(lookCount = 12): this {
    for (let index = 0; index < lookCount; index += 1) this.look();
    return this;
  }

  /** A second of traffic, as gateways tell of it when it is over; `returned` of the requests went to hot. */
  serve(traffic: { readonly requests: number; readonly returned?: number; readonly returnedFailed?: number }): this {
    const { requests, returned = 0, returnedFailed = 0 } = traffic;
    const sample: CapacitySample = {
      atMs: wallMs(Math.floor((WALL + this.nowMs) / 1_000) * 1_000),
      firstTokenP99Ms: 50,
      goodRequests: requests,
      failedRequests: 0,
      returned: { requests: returned, failed: returnedFailed, firstTokenP99Ms: returned > 0 ? 50 : null },
    };
    this.samples = [...this.samples, sample].slice(-SAMPLES_MAX);
    return this;
  }

  kill(...names: readonly InstanceName[]): this {
    for (const name of names) this.engines.delete(name);
    return this;
  }

  loseGpus(...gpus: readonly number[]): this {
    for (const gpu of gpus) this.lostGpus.add(`gpu-a/${gpu}`);
    return this;
  }

  ask(action: RecordAction, to: LadderPlace | null = null, name = `${action}-x`): this {
    const from = this.status?.level ?? "degraded";
    this.records.set(name, {
      name,
      service: serviceName("gold"),
      action,
      from,
      to,
      cause: "operator",
      requestedBy: "operator",
      status: null,
    });
    return this;
  }

  /** A gateway did it on its own. */
  activated(name: InstanceName, outcome: "awake" | "failed", because: "lost" | "saturated" = "lost"): this {
    const engine = this.engines.get(name);
    assert(engine !== undefined, "only an engine that runs is woken");
    if (outcome === "awake") this.engines.set(name, { ...engine, isAsleep: false });
    this.activations.set(name, { generation: engine.generation, because, outcome, reason: outcome === "awake" ? "" : "no answer" });
    return this;
  }

  state(name: InstanceName): string {
    return this.status?.instances.find((instance) => instance.name === name)?.state ?? "none";
  }
  get place(): string {
    return `${this.status?.level ?? "none"}/${this.status?.epoch ?? 0}/${this.status?.phase ?? "none"}`;
  }
  /** What the last look told engines to do, checks aside; `!` = urgent. */
  get actions(): readonly string[] {
    return (this.last?.actions ?? [])
      .filter(({ type }) => type !== "check")
      .map((action) => `${action.type} ${action.instance}${"isUrgent" in action && action.isUrgent ? "!" : ""}`);
  }
  /** Percent of new requests that a failback sends to hot; null = none is under way. */
  get step(): number | null {
    return this.status?.failback.step?.percent ?? null;
  }
  get said(): readonly string[] {
    return (this.last?.notes ?? []).map(({ what, why }) => `${what} ${why}`);
  }
  /** `name from>to phase`, oldest first. */
  get recorded(): readonly string[] {
    return [...this.records.values()].map(({ name, from, to, status }) => `${name} ${from}>${to} ${status?.phase ?? "new"}`);
  }

  #seen(name: InstanceName, gpu: number): SeenInstance {
    const engine = this.engines.get(name);
    const isLost = this.lostGpus.has(`gpu-a/${gpu}`);
    return {
      placement: isLost
        ? { kind: "refused", what: "No GPU.", why: "All are taken or lost." }
        : { kind: "bound", members: [{ node: nodeName("gpu-a"), gpu, partition: partitionName(`p-${gpu}`) }], leaving: null },
      running:
        engine === undefined || isLost
          ? null
          : { uid: engine.uid, generation: engine.generation, endpoint: `http://127.0.0.1:${40_000 + gpu}`, pid: gpu + 1 },
      task: this.tasks.get(name) ?? null,
      exit: null,
      report: null,
      activation: this.activations.get(name) ?? null,
      violation: this.takers.has(name) ? { pid: gpu + 1, what: "it took more" } : null,
      memo: this.#memos.get(name) ?? NEW_MEMO,
    };
  }

  #perform(action: InstanceAction): void {
    const engine = this.engines.get(action.instance);
    switch (action.type) {
      case "start":
        if (this.badStarts.has(action.instance)) {
          this.tasks.set(action.instance, { kind: "start-failed", generation: action.generation, reason: "no memory" });
          return;
        }
        assert(engine === undefined || engine.generation === action.generation, "no two generations at once");
        this.engines.set(action.instance, { uid: action.uid, generation: action.generation, isAsleep: false });
        this.tasks.set(action.instance, { kind: "started", generation: action.generation, answer: "right" });
        return;
      case "wake":
        this.#wake(action.instance, action.generation);
        return;
      case "sleep":
        if (engine !== undefined) this.engines.set(action.instance, { ...engine, isAsleep: true });
        this.tasks.set(action.instance, { kind: "slept", generation: action.generation });
        return;
      case "fence":
      case "drain":
        this.engines.delete(action.instance);
        this.tasks.set(action.instance, { kind: "stopped" });
        return;
      case "check": {
        const verdict = engine === undefined ? "dead" : action.purpose === "rest" && engine.isAsleep ? "asleep" : "alive";
        this.tasks.set(action.instance, { ...action, kind: "checked", verdict, detail: "seen", atMs: monotonicMs(this.nowMs) });
      }
    }
  }

  #wake(name: InstanceName, of: Generation): void {
    const engine = this.engines.get(name);
    const bad = this.badWakes.get(name);
    this.badWakes.delete(name);
    if (engine !== undefined && bad !== "fails") this.engines.set(name, { ...engine, isAsleep: false });
    this.tasks.set(
      name,
      bad === "fails" ? { kind: "wake-failed", generation: of, reason: "late" } : { kind: "woken", generation: of, answer: bad ?? "right" },
    );
  }
}

/** Both hot Ready, the warm one asleep, nothing counted. */
export function steadyLadder(change: JsonObject = {}): FakeLadder {
  return new FakeLadder(ladderConfig(change)).settle();
}

export const episodeAt = (faultMs: number, more: Partial<EpisodeView> = {}): EpisodeView => ({
  gateway: gatewayId("g1"),
  uid: uid("service"),
  epoch: epoch(1),
  number: 1,
  instance: hot1,
  cause: "reset",
  from: "hot",
  to: "warm",
  faultAtMs: wallMs(WALL + faultMs),
  detectedAtMs: wallMs(WALL + faultMs + 5),
  targetReadyAtMs: wallMs(WALL + faultMs + 300),
  firstGoodTokenAtMs: wallMs(WALL + faultMs + 350),
  endedAtMs: wallMs(WALL + faultMs + 400),
  affected: 4,
  lost: 0,
  rtoMs: 400,
  isOver: true,
  ...more,
});
