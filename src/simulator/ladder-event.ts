import type { RecordAction } from "../api/failover-record.ts";
import type { Fault, GpuApplicationMode, GpuLostMode } from "../api/fault.ts";
import type { Level } from "../api/hot-standby-config.ts";
import type { JsonObject } from "../base/json.ts";
import type { CrashPoint } from "./mortal.ts";
import type { StoreFaults } from "./faulty-store.ts";
import type { LinkQuality } from "./network.ts";

/** One thing that happens to a platform. Whom it meets is chosen when it happens, among what stands then. */
export type LadderEvent =
  | { readonly kind: "kill"; readonly count: number }
  /** As SIGSTOP; null = for good. */
  | { readonly kind: "freeze"; readonly forMs: number | null }
  | { readonly kind: "engine-fault"; readonly fault: Fault; readonly forMs: number }
  /** Every hot instance of a service ends, and its standby wakes badly. */
  | { readonly kind: "bad-wake"; readonly fault: Fault; readonly forMs: number }
  /** gpu null = the whole node. */
  | { readonly kind: "gpu-lost"; readonly node: string; readonly gpu: number | null; readonly mode: GpuLostMode; readonly forMs: number }
  | { readonly kind: "zone-lost"; readonly zone: string; readonly forMs: number }
  /** Of the work of one engine; ends also those who share its context. */
  | { readonly kind: "xid"; readonly mode: GpuApplicationMode }
  /** Whoever dies there keeps its bytes so long; gpu null = the whole node. */
  | {
      readonly kind: "slow-teardown";
      readonly node: string;
      readonly gpu: number | null;
      readonly teardownMs: number;
      readonly forMs: number;
    }
  /** One engine is killed where its driver takes so long from then on. */
  | { readonly kind: "die-slowly"; readonly teardownMs: number; readonly forMs: number }
  | { readonly kind: "crash-control-plane"; readonly point: CrashPoint }
  /** Of the control plane. */
  | { readonly kind: "store-fault"; readonly faults: Partial<StoreFaults>; readonly forMs: number }
  /** As SIGSTOP of the whole process, and SIGCONT. */
  | { readonly kind: "pause"; readonly of: "control-plane" | "gateway"; readonly forMs: number }
  | { readonly kind: "restart-gateway" }
  /** Between one gateway and control plane. */
  | { readonly kind: "cut-planes"; readonly forMs: number }
  /** Between one gateway and engines: nothing passes, or badly. */
  | { readonly kind: "partition"; readonly of: "one" | "all"; readonly forMs: number }
  | { readonly kind: "bad-link"; readonly quality: Partial<LinkQuality>; readonly forMs: number }
  | { readonly kind: "bad-client-link"; readonly quality: Partial<LinkQuality>; readonly forMs: number }
  /** Clients go away in the middle of their requests. */
  | { readonly kind: "clients-gone"; readonly share: number }
  | { readonly kind: "operator"; readonly action: RecordAction; readonly to: Level | null }
  /** Another revision of a service's model. */
  | { readonly kind: "rollout" }
  | { readonly kind: "policy"; readonly maxFailoverCount: number }
  /** A spec that must be refused, whole. */
  | { readonly kind: "bad-config"; readonly wrong: JsonObject };

export interface Place {
  readonly node: string;
  readonly zone: string;
  readonly gpuCount: number;
}

/** What a generator draws from. */
export interface EventDraw {
  /** 0 <= x < 1. */
  readonly next: () => number;
  readonly pick: <Item>(items: readonly [Item, ...Item[]]) => Item;
  readonly place: Place;
  /** How long a fault lasts. */
  readonly forMs: number;
}

export interface EventClass {
  /** Of the fault table (facts of the simulator: docs/reliability.md). */
  readonly name: string;
  readonly draw: (chance: EventDraw) => LadderEvent;
}

const engineFault = (name: string, draw: (chance: EventDraw) => Fault): EventClass => ({
  name,
  draw: (chance) => ({ kind: "engine-fault", fault: draw(chance), forMs: chance.forMs }),
});
const badWake = (fault: Fault): EventClass => ({ name: fault.kind, draw: ({ forMs }) => ({ kind: "bad-wake", fault, forMs }) });
const badLink = (name: string, quality: Partial<LinkQuality>): EventClass => ({
  name,
  draw: ({ forMs }) => ({ kind: "bad-link", quality, forMs }),
});
/** Which GPU, and by what is left of the same draw how: a third needs a reset. */
function lossOf(drawn: number): { readonly gpu: number; readonly mode: GpuLostMode } {
  const gpu = Math.floor(drawn);
  return { gpu, mode: drawn - gpu < 1 / 3 ? "ecc_uncorrectable" : "fallen_off_bus" };
}
const tokens = (chance: EventDraw): number => Math.floor(chance.next() * 12);

const storeFault = (name: string, draw: (chance: EventDraw) => Partial<StoreFaults>): EventClass => ({
  name,
  draw: (chance) => ({ kind: "store-fault", faults: draw(chance), forMs: chance.forMs }),
});

/** A process that stands still no longer than a long pause of its own: it may come back before anybody minds. */
const PAUSE_MS = { min: 50, max: 3_000 };
const pauseMs = ({ next }: EventDraw): number => Math.round(PAUSE_MS.min + next() * (PAUSE_MS.max - PAUSE_MS.min));
/** From a store that loses some calls to one that does not answer at all; what it took it may deny. */
const AWAY: readonly [Partial<StoreFaults>, ...Partial<StoreFaults>[]] = [
  { isOut: true },
  { unavailableRatio: 0.4, lostAnswerRatio: 0.4 },
  { lostAnswerRatio: 1 },
];
const SLOW = { delayMs: { min: 20, max: 120 } };
const WRONG_SPECS: readonly [JsonObject, ...JsonObject[]] = [
  { hotStandby: { gpuCount: -1, memoryReserved: "40GB" } },
  { hotStandby: { gpuCount: 1, memoryReserved: "lots" } },
  { hotStandbi: { gpuCount: 1 } },
  { failoverPolicy: { maxFailoverCount: "many" } },
  { model: { name: "tide-a", engine: "steam", weights: "16GB" } },
];

/** Every class of the fault table that has a meaning in this world, and what operators do. */
export const EVENT_CLASSES: readonly EventClass[] = [
  { name: "engine-killed", draw: () => ({ kind: "kill", count: 1 }) },
  { name: "engines-killed", draw: (chance) => ({ kind: "kill", count: 2 + Math.floor(chance.next() * 3) }) },
  { name: "engine-frozen", draw: () => ({ kind: "freeze", forMs: null }) },
  {
    name: "engine-paused",
    draw: (chance) => ({ kind: "freeze", forMs: pauseMs(chance) }),
  },
  engineFault("engine-hangs", () => ({ kind: "hang" })),
  engineFault("engine-slow", (chance) => ({ kind: "slow", factor: chance.pick([3, 10, 30]) })),
  engineFault("stream-stalls", (chance) => ({ kind: "stall", afterTokens: tokens(chance) })),
  engineFault("some-5xx", (chance) => ({ kind: "error-ratio", ratio: chance.pick([0.1, 0.3, 0.6]) })),
  engineFault("all-5xx", () => ({ kind: "error-ratio", ratio: 1 })),
  engineFault("stream-truncated", (chance) => ({ kind: "truncate", afterTokens: tokens(chance) })),
  engineFault("stream-reset", (chance) => ({ kind: "reset", afterTokens: tokens(chance) })),
  badWake({ kind: "garbage-after-wake" }),
  badWake({ kind: "failed-wake" }),
  badWake({ kind: "slow-wake", factor: 20 }),
  {
    name: "gpu-lost",
    draw: ({ place, forMs, next }) => ({ kind: "gpu-lost", node: place.node, forMs, ...lossOf(next() * place.gpuCount) }),
  },
  { name: "node-lost", draw: ({ place, forMs }) => ({ kind: "gpu-lost", node: place.node, gpu: null, mode: "lost", forMs }) },
  { name: "zone-lost", draw: ({ place, forMs }) => ({ kind: "zone-lost", zone: place.zone, forMs }) },
  { name: "control-plane-killed-before-a-write", draw: () => ({ kind: "crash-control-plane", point: "before" }) },
  { name: "control-plane-killed-after-a-write", draw: () => ({ kind: "crash-control-plane", point: "after" }) },
  { name: "control-plane-paused", draw: (chance) => ({ kind: "pause", of: "control-plane", forMs: pauseMs(chance) }) },
  storeFault("store-conflicts", (chance) => ({ conflictRatio: chance.pick([0.2, 0.5, 0.8]) })),
  storeFault("store-away", (chance) => chance.pick(AWAY)),
  storeFault("store-slow", (chance) => ({ slowRatio: chance.pick([0.3, 1]) })),
  storeFault("store-full", () => ({ isFull: true })),
  storeFault("store-watch-cut", (chance) => (chance.next() < 0.5 ? { isWatchCut: true } : { watchDelayMs: 2_000 })),
  { name: "gateway-paused", draw: (chance) => ({ kind: "pause", of: "gateway", forMs: pauseMs(chance) }) },
  { name: "gateway-killed", draw: () => ({ kind: "restart-gateway" }) },
  { name: "planes-cut", draw: ({ forMs }) => ({ kind: "cut-planes", forMs }) },
  { name: "engine-cut-off", draw: ({ forMs }) => ({ kind: "partition", of: "one", forMs }) },
  { name: "gateway-cut-off", draw: ({ forMs }) => ({ kind: "partition", of: "all", forMs }) },
  badLink("link-slow", SLOW),
  badLink("link-loses", { lossRatio: 0.2 }),
  badLink("link-cuts", { cutRatio: 0.02 }),
  { name: "client-link-slow", draw: ({ forMs }) => ({ kind: "bad-client-link", quality: { ...SLOW, lossRatio: 0.1 }, forMs }) },
  { name: "clients-gone", draw: (chance) => ({ kind: "clients-gone", share: chance.pick([0.3, 1]) }) },
  { name: "operator-failover", draw: (chance) => ({ kind: "operator", action: "failover", to: chance.pick([null, "warm", "cold"]) }) },
  { name: "operator-failback", draw: () => ({ kind: "operator", action: "failback", to: null }) },
  { name: "operator-resume", draw: () => ({ kind: "operator", action: "resume", to: null }) },
  { name: "rollout", draw: () => ({ kind: "rollout" }) },
  { name: "policy-changed", draw: (chance) => ({ kind: "policy", maxFailoverCount: 2 + Math.floor(chance.next() * 4) }) },
  { name: "bad-config", draw: (chance) => ({ kind: "bad-config", wrong: chance.pick(WRONG_SPECS) }) },
];
