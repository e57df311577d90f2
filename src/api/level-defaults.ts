import type { ColdSpec, HotSpec, LevelSpec, ModelSpec, Tier, WarmSpec } from "./hot-standby-config.ts";
import type { HotStandbyConfigSpec } from "./hot-standby-config-schema.ts";
import { TIER_TABLE } from "./tier-table.ts";

interface Ground {
  readonly tier: Tier;
  readonly model: ModelSpec;
}

/** The three levels with their defaults: an absent one takes the tier's row, `gpuCount: 0` is none. */
export function levelsOf(
  spec: HotStandbyConfigSpec,
  ground: Ground,
): { readonly hot: HotSpec; readonly warm: WarmSpec | null; readonly cold: ColdSpec | null } {
  return { hot: hotOf(spec.hotStandby, ground), warm: warmOf(spec.warmStandby, ground), cold: coldOf(spec.coldStandby, ground) };
}

/** What one instance holds where nothing is said: its weights, and a quarter for KV, context and scratch. */
const defaultInstanceBytes = (model: ModelSpec): number => model.weightsBytes + Math.ceil(model.weightsBytes / 4);

function hotOf(written: HotStandbyConfigSpec["hotStandby"], { tier, model }: Ground): HotSpec {
  const row = TIER_TABLE[tier].hot;
  const gpuCount = written?.gpuCount ?? (written === undefined ? row.instanceCount : 1) * model.tensorParallelSize;
  return {
    ...commonOf(written, { gpuCount, model, isShared: row.isShared }),
    minGpuCount: written?.minGpuCount ?? gpuCount,
    maxGpuCount: written?.maxGpuCount ?? gpuCount,
  };
}

function warmOf(written: HotStandbyConfigSpec["warmStandby"], { tier, model }: Ground): WarmSpec | null {
  const row = TIER_TABLE[tier].warm;
  if (written === undefined && row === null) return null;
  const gpuCount = written?.gpuCount ?? (written === undefined ? (row?.instanceCount ?? 1) : 1) * model.tensorParallelSize;
  if (gpuCount === 0) return null;
  return {
    // A warm instance of silver has no row of its own: it shares, as all of silver does.
    ...commonOf(written, { gpuCount, model, isShared: row?.isShared ?? true }),
    rest: written?.rest ?? "resident",
    lend: written?.lend ?? row?.lend ?? "whenIdle",
  };
}

function coldOf(written: HotStandbyConfigSpec["coldStandby"], { tier, model }: Ground): ColdSpec | null {
  const gpuCount = written?.gpuCount ?? model.tensorParallelSize;
  if (gpuCount === 0) return null;
  const ofTheTier = TIER_TABLE[tier].coldReservedBytes;
  // The row's bytes suit a model that fits them; a larger one gets what it needs to start at all.
  const ofAbsentLevel = ofTheTier === 0 ? 0 : Math.max(ofTheTier, defaultInstanceBytes(model));
  return {
    gpuCount,
    memoryReservedBytes: written?.memoryReserved ?? (written === undefined ? ofAbsentLevel : 0),
    nodeSelector: written?.nodeSelector ?? {},
    // A reserve is bytes, not whole cards: that is what keeps the cards in use.
    isShared: written?.gpuMemoryShare ?? true,
    capacityType: written?.capacityType ?? null,
    isImageCached: written?.imageCache ?? false,
  };
}

function commonOf(
  written: HotStandbyConfigSpec["hotStandby"] | HotStandbyConfigSpec["warmStandby"],
  level: { readonly gpuCount: number; readonly model: ModelSpec; readonly isShared: boolean },
): LevelSpec {
  const instanceCount = Math.ceil(level.gpuCount / level.model.tensorParallelSize);
  return {
    gpuCount: level.gpuCount,
    memoryReservedBytes: written?.memoryReserved ?? instanceCount * defaultInstanceBytes(level.model),
    nodeSelector: written?.nodeSelector ?? {},
    isShared: written?.gpuMemoryShare ?? level.isShared,
    capacityType: written?.capacityType ?? null,
  };
}
