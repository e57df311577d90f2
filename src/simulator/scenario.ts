import type { Fault, GpuApplicationMode, GpuLostMode } from "../api/fault.ts";
import type { LadderPlace } from "../api/failover-record.ts";
import type { Level, Tier } from "../api/hot-standby-config.ts";
import type { ServicePhase } from "../api/service-status.ts";

/**
 * One story of a platform: what runs, what is asked of it, what happens to it, and what must come of it. The same story is played in the
 * simulator and by real processes. Times count from the start of the load.
 */
export interface Scenario {
  /** The comment lines at its head, without their `#`. */
  readonly about: readonly string[];
  /** None = `DEFAULT_NODES`. */
  readonly nodes: readonly ScenarioNode[];
  readonly services: readonly ScenarioService[];
  readonly loads: readonly ScenarioLoad[];
  /** How long requests are started. */
  readonly runMs: number;
  /** In order of time. */
  readonly events: readonly TimedEvent[];
  readonly expectations: readonly StatedExpectation[];
}

export interface ScenarioNode {
  readonly name: string;
  readonly zone: string;
  readonly gpuCount: number;
}

/** Little more than is needed: with a zone away not everything has a place. */
export const DEFAULT_NODES: readonly ScenarioNode[] = [
  { name: "node-a", zone: "az-1", gpuCount: 2 },
  { name: "node-b", zone: "az-1", gpuCount: 2 },
  { name: "node-c", zone: "az-2", gpuCount: 2 },
  { name: "node-d", zone: "az-2", gpuCount: 2 },
];

/** A HotStandbyConfig in a few words; its tenant and its model are named after it. */
export interface ScenarioService {
  readonly name: string;
  readonly tier: Tier;
  readonly hotCount: number;
  /** 0 = no warm level. */
  readonly warmCount: number;
  readonly isWarmAsleep: boolean;
  readonly hasReserve: boolean;
  readonly policy: ScenarioPolicy;
}

/** null = the default of the manifest. */
export interface ScenarioPolicy {
  readonly isAutomatic: boolean;
  readonly budget: number | null;
  readonly windowMs: number | null;
  readonly soakMs: number | null;
  readonly queueMs: number | null;
}

export interface ScenarioLoad {
  readonly service: string;
  readonly perSecond: number;
}

export interface TimedEvent {
  readonly atMs: number;
  readonly event: ScenarioEvent;
}

export type GpuLossPlace =
  | { readonly kind: "gpu"; readonly node: string; readonly gpu: number }
  | { readonly kind: "node"; readonly node: string }
  | { readonly kind: "zone"; readonly zone: string };

/** A change of a config while it runs. */
export type Setting =
  | { readonly kind: "revision"; readonly revision: string }
  | { readonly kind: "budget"; readonly budget: number }
  | { readonly kind: "soak"; readonly soakMs: number };

/** Faults of the engine's own port; losses of GPUs and crashes are events of their own. */
export type EngineFault = Exclude<Fault, { kind: "crash" }>;

export type ScenarioEvent =
  /** SIGKILL, SIGSTOP, SIGCONT. A target is an instance, or all of a level: `gold-hot-*`. */
  | SignalEvent
  | { readonly kind: "fault"; readonly targets: readonly string[]; readonly fault: EngineFault; readonly forMs: number }
  | { readonly kind: "lose"; readonly place: GpuLossPlace; readonly mode: GpuLostMode; readonly forMs: number }
  /** A fault of each target's own work on its GPU: whom it ends beside it follows from how the GPU is cut. */
  | { readonly kind: "xid"; readonly mode: GpuApplicationMode; readonly targets: readonly string[] }
  /** Who dies there keeps its GPU memory for so long. */
  | { readonly kind: "slow-teardown"; readonly place: GpuLossPlace; readonly teardownMs: number; readonly forMs: number }
  /** Stays away until it is started. */
  | { readonly kind: "kill-control-plane" | "start-control-plane" }
  /** SIGKILL; the next one starts at once. */
  | { readonly kind: "restart-control-plane" | "kill-gateway" }
  /** No word passes between gateway and control plane. Only the simulator can. */
  | { readonly kind: "cut-link"; readonly forMs: number }
  | { readonly kind: "failover"; readonly service: string; readonly to: Level | null }
  | { readonly kind: "failback" | "resume"; readonly service: string }
  | { readonly kind: "set"; readonly service: string; readonly setting: Setting }
  | SurgeEvent
  | ClientEvent;

export interface SignalEvent {
  readonly kind: "kill" | "stop" | "continue";
  readonly targets: readonly string[];
}

/** More of the load. */
export interface SurgeEvent {
  readonly kind: "surge";
  readonly service: string;
  readonly perSecond: number;
  readonly forMs: number;
}

/** Requests that are answered 4xx; clients that hang up after the first byte. */
export interface ClientEvent {
  readonly kind: "bad-requests" | "hang-ups";
  readonly service: string;
  readonly count: number;
}

/** Ends of a request that may be allowed, each the client's own view. */
export const LOST_KINDS = ["refused", "error-events", "broken"] as const;
export type LostKind = (typeof LOST_KINDS)[number];

export type Expectation =
  /** Every request ends complete, with the model's own answer, but for those kinds. */
  | { readonly kind: "no-lost"; readonly but: readonly LostKind[] }
  | { readonly kind: "some"; readonly lost: LostKind }
  /** Where traffic belonged from the start of the load on, in order. */
  | { readonly kind: "rungs"; readonly service: string; readonly levels: readonly LadderPlace[] }
  /** The longest time without a sign of life, from the first event to the end of the load: see `longestPauseMs`. */
  | { readonly kind: "recovery"; readonly service: string; readonly maxMs: number }
  /** The longest that a stream waited for its first byte. */
  | { readonly kind: "wait"; readonly service: string; readonly maxMs: number }
  /** Everything is as configured again, so long after the load and the last fault. */
  | { readonly kind: "whole"; readonly withinMs: number }
  /** Moves down that the ladder made by itself. */
  | { readonly kind: "failovers"; readonly service: string; readonly count: number }
  | { readonly kind: "asleep"; readonly service: string }
  /** Seen at some look during the run. */
  | { readonly kind: "phase"; readonly service: string; readonly phase: ServicePhase }
  | { readonly kind: "condition"; readonly service: string; readonly type: string };

export interface StatedExpectation {
  /** Name of the planted bug that must break it; null = it must hold. */
  readonly planted: string | null;
  readonly expectation: Expectation;
}

/** Of a story that states a planted bug: the run must fail, and at nothing else. */
export const isPlanted = ({ expectations }: Scenario): boolean => expectations.some(({ planted }) => planted !== null);

export const nodesOf = ({ nodes }: Scenario): readonly ScenarioNode[] => (nodes.length === 0 ? DEFAULT_NODES : nodes);
