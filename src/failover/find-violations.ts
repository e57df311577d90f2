import type { PartitionMode } from "../api/gpu-partition.ts";
import type { InstanceName, MonotonicMs, NodeName, ServiceName, TenantId } from "../base/ids.ts";
import { formatBytes } from "../base/bytes.ts";

/** A GPU as its driver sees it, as far as use goes. */
export interface SeenUse {
  readonly node: NodeName;
  readonly gpu: number;
  readonly holders: readonly {
    readonly instance: InstanceName;
    readonly pid: number;
    readonly usedBytes: number;
    /** Since its process began, as of its last report; null = it shares no compute. */
    readonly compute: { readonly grantedMs: number; readonly usedMs: number } | null;
  }[];
}

/** What an instance was promised on one GPU. */
export interface ShareOnGpu {
  readonly instance: InstanceName;
  readonly tenant: TenantId;
  readonly service: ServiceName;
  readonly node: NodeName;
  readonly gpu: number;
  readonly mode: PartitionMode;
  readonly memoryBytes: number;
}

/** A process that takes more of a shared GPU than it was granted. */
export interface Violation {
  readonly instance: InstanceName;
  readonly tenant: TenantId;
  readonly service: ServiceName;
  readonly pid: number;
  readonly node: NodeName;
  readonly gpu: number;
  readonly what: "compute" | "memory";
  /** Milliseconds of the card in the window, or bytes. */
  readonly granted: number;
  readonly used: number;
}

interface Sample {
  readonly atMs: MonotonicMs;
  readonly grantedMs: number;
  readonly usedMs: number;
}

interface Watched {
  readonly seenMs: MonotonicMs;
  /** Oldest first; each differs from the one before. */
  readonly samples: readonly Sample[];
  /** Since when it holds more than it may; null = it does not. */
  readonly overSinceMs: MonotonicMs | null;
}

/** What is remembered between two looks, by process and GPU. */
export type UseLedger = ReadonlyMap<string, Watched>;
export const NO_USE: UseLedger = new Map();

/** Reports come four times a second: three of them, at the least, tell of a rate. */
const WINDOW_MIN_MS = 700;
const WINDOW_MAX_MS = 1_500;
/** What is looked at seldom is judged from one look to the next, which may come late. */
const WINDOW_LOOKS = 2;
/** Timers are late and made up for, and terms are heard a little after they count: less than this is no wrong. */
const COMPUTE_RATIO = 1.25;
const COMPUTE_SLACK_MS = 100;
/** A driver counts a context's own bytes as well. */
const MEMORY_RATIO = 1.02;
/** A partition that shrinks is written before its process has let go. */
const MEMORY_FOR_MS = 500;

/**
 * Who takes more than it was granted, judged over a window: a rate by reports, bytes by their staying. An engine that is alone is granted the
 * whole card, and one that rests takes nothing, so neither can be found here. Not every look is at every GPU: what was seen of the others holds.
 * @param everyMs how often each of them is looked at.
 */
export function findViolations(
  ledger: UseLedger,
  { nowMs, everyMs, gpus, shares }: Judged,
): { readonly ledger: UseLedger; readonly violations: readonly Violation[] } {
  const windowMs = Math.max(WINDOW_MAX_MS, WINDOW_LOOKS * everyMs);
  const granted = new Map(shares.map((share) => [`${share.instance} ${share.node}/${share.gpu}`, share]));
  const seen = new Set(gpus.map(({ node, gpu }) => `${node}/${gpu}`));
  const next = new Map([...ledger].filter(([key, { seenMs }]) => !seen.has(gpuOf(key)) && nowMs - seenMs <= windowMs));
  const violations: Violation[] = [];
  for (const { node, gpu, holders } of gpus) {
    for (const holder of holders) {
      const share = granted.get(`${holder.instance} ${node}/${gpu}`);
      if (share === undefined || share.mode === "exclusive") continue;
      const key = `${holder.instance}#${holder.pid} ${node}/${gpu}`;
      const watched = watch(ledger.get(key), { nowMs, windowMs, holder, share });
      next.set(key, watched);
      const found = computeBeyond(watched.samples) ?? memoryBeyond(watched, { nowMs, windowMs, holder, share });
      if (found === null) continue;
      const { instance, tenant, service } = share;
      violations.push({ instance, tenant, service, pid: holder.pid, node, gpu, ...found });
    }
  }
  return { ledger: next, violations };
}

interface Judged {
  readonly nowMs: MonotonicMs;
  readonly everyMs: number;
  readonly gpus: readonly SeenUse[];
  /** Of these GPUs at the least. */
  readonly shares: readonly ShareOnGpu[];
}

/** The end of a ledger's key. */
const gpuOf = (key: string): string => key.slice(key.lastIndexOf(" ") + 1);

interface Look {
  readonly nowMs: MonotonicMs;
  readonly windowMs: number;
  readonly holder: SeenUse["holders"][number];
  readonly share: ShareOnGpu;
}

function watch(before: Watched | undefined, { nowMs, windowMs, holder, share }: Look): Watched {
  const isOver = holder.usedBytes > share.memoryBytes * MEMORY_RATIO;
  return {
    seenMs: nowMs,
    samples: addSample(before?.samples ?? [], { nowMs, windowMs, holder }),
    overSinceMs: isOver ? (before?.overSinceMs ?? nowMs) : null,
  };
}

function addSample(samples: readonly Sample[], { nowMs, windowMs, holder }: Omit<Look, "share">): readonly Sample[] {
  const { compute } = holder;
  if (compute === null) return [];
  const last = samples.at(-1);
  // Counted anew, by an account that was restarted.
  const isReset = last !== undefined && (compute.usedMs < last.usedMs || compute.grantedMs < last.grantedMs);
  const kept = isReset ? [] : samples.filter(({ atMs }) => nowMs - atMs <= windowMs);
  const isSame = last !== undefined && last.usedMs === compute.usedMs && last.grantedMs === compute.grantedMs;
  return isSame ? kept : [...kept, { atMs: nowMs, ...compute }];
}

type Beyond = Pick<Violation, "what" | "granted" | "used">;

function computeBeyond(samples: readonly Sample[]): Beyond | null {
  const last = samples.at(-1);
  const first = samples.findLast(({ atMs }) => last !== undefined && last.atMs - atMs >= WINDOW_MIN_MS);
  if (last === undefined || first === undefined) return null;
  const granted = last.grantedMs - first.grantedMs;
  const used = last.usedMs - first.usedMs;
  return used > granted * COMPUTE_RATIO + COMPUTE_SLACK_MS ? { what: "compute", granted, used } : null;
}

function memoryBeyond({ overSinceMs }: Watched, { nowMs, holder, share }: Look): Beyond | null {
  const isLong = overSinceMs !== null && nowMs - overSinceMs >= MEMORY_FOR_MS;
  return isLong ? { what: "memory", granted: share.memoryBytes, used: holder.usedBytes } : null;
}

/** For people, without who it is. */
export function explainViolation({ what, node, gpu, granted, used }: Violation): string {
  const at = `GPU ${node}/${gpu}`;
  return what === "memory"
    ? `it holds ${formatBytes(used)} of ${at}, and was granted ${formatBytes(granted)}`
    : `it took ${Math.round(used)} ms of ${at}'s time where it was granted ${Math.round(granted)} ms`;
}
