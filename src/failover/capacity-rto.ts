import type { WallMs } from "../base/ids.ts";
import type { ReturnedCounts } from "../api/link-message.ts";

/** One second of a service, over all gateways. */
export interface CapacitySample {
  readonly atMs: WallMs;
  /** The worst gateway's; null = no first token in that second. */
  readonly firstTokenP99Ms: number | null;
  /** Requests that ended well in that second. */
  readonly goodRequests: number;
  readonly failedRequests: number;
  /** Of that second alone, of requests that went to hot while traffic belonged below. */
  readonly returned: ReturnedCounts;
}

const BASELINE_MS = 300_000;
const HELD_MS = 10_000;
/** Fewer seconds with traffic before the fault are nothing to compare with. */
const BASELINE_SAMPLES_MIN = 10;
const FIRST_TOKEN_RATIO_MAX = 1.5;
const GOODPUT_RATIO_MIN = 0.9;
/** Two samples further apart are not one held stretch: a gateway was silent between them. */
const GAP_MAX_MS = 3_000;

/**
 * Until p99 time to first token <= 1.5 x and goodput >= 0.9 x their medians of the 5 minutes before the fault, held for 10 s (SPEC 1).
 * @param samples oldest first, about one a second.
 * @returns null = not yet, or nothing to compare with.
 */
export function capacityRtoMs(samples: readonly CapacitySample[], faultAtMs: WallMs): number | null {
  const usual = baseline(samples, faultAtMs);
  if (usual === null) return null;
  const isGood = (sample: CapacitySample): boolean =>
    sample.firstTokenP99Ms !== null &&
    sample.firstTokenP99Ms <= FIRST_TOKEN_RATIO_MAX * usual.firstTokenMs &&
    sample.goodRequests >= GOODPUT_RATIO_MIN * usual.goodput;
  let goodSinceMs: WallMs | null = null;
  let lastMs: WallMs | null = null;
  for (const sample of samples) {
    if (sample.atMs <= faultAtMs) continue;
    const isGap = lastMs !== null && sample.atMs - lastMs > GAP_MAX_MS;
    lastMs = sample.atMs;
    if (!isGood(sample)) {
      goodSinceMs = null;
      continue;
    }
    if (goodSinceMs === null || isGap) goodSinceMs = sample.atMs;
    if (sample.atMs - goodSinceMs >= HELD_MS) return goodSinceMs - faultAtMs;
  }
  return null;
}

/** How the service was in the 5 minutes before; null = it had too little traffic to say. */
export function baseline(
  samples: readonly CapacitySample[],
  faultAtMs: WallMs,
): { readonly firstTokenMs: number; readonly goodput: number } | null {
  const before = samples.filter((sample) => sample.atMs <= faultAtMs && sample.atMs > faultAtMs - BASELINE_MS);
  if (before.length < BASELINE_SAMPLES_MIN) return null;
  const firstTokenMs = median(before.flatMap((sample) => (sample.firstTokenP99Ms === null ? [] : [sample.firstTokenP99Ms])));
  const goodput = median(before.map((sample) => sample.goodRequests));
  return firstTokenMs === null || goodput === null || goodput === 0 ? null : { firstTokenMs, goodput };
}

/** null = there are none. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
