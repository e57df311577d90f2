import { wallMs, type GatewayId, type ServiceName, type WallMs } from "../base/ids.ts";
import { NONE_RETURNED, type ReturnedCounts, type ServiceCounts } from "../api/link-message.ts";
import type { CapacitySample } from "../failover/capacity-rto.ts";

/** Five minutes before a fault, and the time until it is seen. */
const SAMPLES_MAX = 360;

/** One sample a second of each service, made of the totals that gateways report. */
export interface CapacitySamples {
  count(gateway: GatewayId, services: readonly ServiceCounts[], nowMs: WallMs): void;
  /** What it said is no base for differences any more. */
  forget(gateway: GatewayId): void;
  /** Oldest first; the second that is not over yet is left out. */
  of(service: ServiceName, nowMs: WallMs): readonly CapacitySample[];
}

export function createCapacitySamples(): CapacitySamples {
  const rings = new Map<ServiceName, CapacitySample[]>();
  const totals = new Map<GatewayId, ReadonlyMap<ServiceName, ServiceCounts>>();
  return {
    count(gateway, services, nowMs) {
      const before = totals.get(gateway);
      totals.set(gateway, new Map(services.map((counts) => [counts.service, counts])));
      if (before === undefined) return;
      const atMs = secondOf(nowMs);
      for (const counts of services) {
        // Never asked for: no second without traffic, but none at all.
        if (counts.requests === 0) continue;
        const part = sampleOf(atMs, counts, before.get(counts.service));
        const ring = rings.get(counts.service) ?? [];
        rings.set(counts.service, ring);
        dropFrom(ring, atMs + 1);
        const last = ring.at(-1);
        if (last?.atMs === atMs) ring.pop();
        ring.push(last?.atMs === atMs ? together(last, part) : part);
        if (ring.length > SAMPLES_MAX) ring.shift();
      }
    },
    forget: (gateway) => void totals.delete(gateway),
    of(service, nowMs) {
      const before = (rings.get(service) ?? []).slice();
      dropFrom(before, secondOf(nowMs));
      return before;
    },
  };
}

/** After a clock that went back, what it had called the future is of no second that is over. */
function dropFrom(ring: CapacitySample[], atMs: number): void {
  for (let last = ring.at(-1); last !== undefined && last.atMs >= atMs; last = ring.at(-1)) ring.pop();
}

const secondOf = (at: WallMs): WallMs => wallMs(Math.floor(at / 1_000) * 1_000);

/** What one gateway counted since its last report. A total that went back is its new life: its first report is the base. */
function sampleOf(atMs: WallMs, now: ServiceCounts, before: ServiceCounts | undefined): CapacitySample {
  const base = before !== undefined && now.requests < before.requests ? now : (before ?? NO_COUNTS);
  return {
    atMs,
    firstTokenP99Ms: now.firstTokenP99Ms,
    goodRequests: Math.max(0, now.requests - base.requests - (now.failed - base.failed)),
    failedRequests: Math.max(0, now.failed - base.failed),
    returned: {
      requests: Math.max(0, now.returned.requests - base.returned.requests),
      failed: Math.max(0, now.returned.failed - base.returned.failed),
      firstTokenP99Ms: now.returned.firstTokenP99Ms,
    },
  };
}

const NO_COUNTS = { requests: 0, failed: 0, returned: NONE_RETURNED };

/** Of two gateways in the same second. */
const together = (one: CapacitySample, other: CapacitySample): CapacitySample => ({
  atMs: one.atMs,
  firstTokenP99Ms: worse(one.firstTokenP99Ms, other.firstTokenP99Ms),
  goodRequests: one.goodRequests + other.goodRequests,
  failedRequests: one.failedRequests + other.failedRequests,
  returned: addReturned(one.returned, other.returned),
});

export const addReturned = (one: ReturnedCounts, other: ReturnedCounts): ReturnedCounts => ({
  requests: one.requests + other.requests,
  failed: one.failed + other.failed,
  firstTokenP99Ms: worse(one.firstTokenP99Ms, other.firstTokenP99Ms),
});

/** The worst of those that tell. */
export const worse = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other);
