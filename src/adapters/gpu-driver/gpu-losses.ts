import type { GpuLostMode } from "../../api/fault.ts";
import { nodeName, wallMs, type NodeName } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { GpuEnd } from "../../ports/gpu-account.ts";
import type { LostGpu } from "./account-state.ts";

export interface GpuPlace {
  readonly node: NodeName;
  readonly gpu: number;
}
export const gpuKey = (node: string, gpu: number): string => `${node}/${gpu}`;
export function gpuOf(key: string): GpuPlace {
  const cut = key.lastIndexOf("/");
  return { node: nodeName(key.slice(0, cut)), gpu: Number(key.slice(cut + 1)) };
}

/** Which GPUs are lost, until when, and who must know of it. */
export interface GpuLosses {
  lose(at: GpuPlace, mode: GpuLostMode, forMs: number): void;
  restore(at: GpuPlace): void;
  /** null = it is not lost. */
  modeOf(at: GpuPlace): GpuLostMode | null;
  list(): readonly LostGpu[];
  /** Calls `lost` once, later than this call. @returns an end of the watch. */
  watch(gpus: readonly GpuPlace[], lost: (end: GpuEnd) => void): () => void;
}

interface Watch {
  readonly gpus: readonly GpuPlace[];
  readonly lost: (end: GpuEnd) => void;
}

/** @param cameBack called when a lost GPU is back, by an order or by its time. */
export function createGpuLosses(clock: Clock, cameBack: (at: GpuPlace) => void): GpuLosses {
  const losses = new Map<string, { readonly entry: LostGpu; readonly timer: Timer }>();
  const watches = new Set<Watch>();
  const modeOf = ({ node, gpu }: GpuPlace): GpuLostMode | null => losses.get(gpuKey(node, gpu))?.entry.mode ?? null;

  function restore(at: GpuPlace): void {
    const known = losses.get(gpuKey(at.node, at.gpu));
    if (known === undefined) return;
    known.timer.cancel();
    losses.delete(gpuKey(at.node, at.gpu));
    cameBack(at);
  }
  function tell(watch: Watch): void {
    const at = watch.gpus.find((gpu) => modeOf(gpu) !== null);
    const mode = at === undefined ? null : modeOf(at);
    if (at !== undefined && mode !== null && watches.delete(watch)) watch.lost({ ...at, mode });
  }

  return {
    lose: ({ node, gpu }, mode, forMs) => {
      const at = { node, gpu };
      losses.get(gpuKey(node, gpu))?.timer.cancel();
      const entry = { ...at, mode, untilWallMs: wallMs(Math.ceil(clock.wallMs() + Math.max(0, forMs))) };
      losses.set(gpuKey(node, gpu), { entry, timer: clock.after(Math.max(0, forMs), () => restore(at)) });
      for (const watch of Array.from(watches)) tell(watch);
    },
    restore,
    modeOf,
    list: () => [...losses.values()].map(({ entry }) => entry),
    watch: (gpus, lost) => {
      const watch = { gpus, lost };
      watches.add(watch);
      if (gpus.some((gpu) => modeOf(gpu) !== null)) void Promise.resolve().then(() => tell(watch));
      return () => void watches.delete(watch);
    },
  };
}
