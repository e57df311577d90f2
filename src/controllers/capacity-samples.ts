import { wallMs, type GatewayId, type ServiceName, type WallMs } from "../base/ids.ts";
import type { ServiceCounts } from "../api/link-message.ts";
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
        const goodRequests = goodSince(counts, before.get(counts.service));
        const ring = rings.get(counts.service) ?? [];
        rings.set(counts.service, ring);
        const last = ring.at(-1);
        if (last?.atMs === atMs) ring.pop();
        ring.push(
          last?.atMs === atMs
            ? {
                atMs,
                firstTokenP99Ms: worse(last.firstTokenP99Ms, counts.firstTokenP99Ms),
                goodRequests: last.goodRequests + goodRequests,
              }
            : { atMs, firstTokenP99Ms: counts.firstTokenP99Ms, goodRequests },
        );
        if (ring.length > SAMPLES_MAX) ring.shift();
      }
    },
    forget: (gateway) => void totals.delete(gateway),
    of: (service, nowMs) => (rings.get(service) ?? []).filter((sample) => sample.atMs < secondOf(nowMs)),
  };
}

const secondOf = (at: WallMs): WallMs => wallMs(Math.floor(at / 1_000) * 1_000);

/** A total that went back is a gateway's new life: its first report is the base. */
function goodSince(now: ServiceCounts, before: ServiceCounts | undefined): number {
  const good = now.requests - now.failed - ((before?.requests ?? 0) - (before?.failed ?? 0));
  return before !== undefined && now.requests < before.requests ? 0 : Math.max(0, good);
}

/** The worst of those that tell. */
export const worse = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other);
