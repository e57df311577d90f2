import { nodeName, wallMs, type NodeName } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
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
  lose(at: GpuPlace, forMs: number): void;
  restore(at: GpuPlace): void;
  has(at: GpuPlace): boolean;
  list(): readonly LostGpu[];
  /** Calls `lost` once, later than this call. @returns an end of the watch. */
  watch(gpus: readonly GpuPlace[], lost: (at: GpuPlace) => void): () => void;
}

interface Watch {
  readonly gpus: readonly GpuPlace[];
  readonly lost: (at: GpuPlace) => void;
}

/** @param cameBack called when a lost GPU is back, by an order or by its time. */
export function createGpuLosses(clock: Clock, cameBack: (at: GpuPlace) => void): GpuLosses {
  const losses = new Map<string, { readonly entry: LostGpu; readonly timer: Timer }>();
  const watches = new Set<Watch>();
  const has = ({ node, gpu }: GpuPlace): boolean => losses.has(gpuKey(node, gpu));

  function restore(at: GpuPlace): void {
    const known = losses.get(gpuKey(at.node, at.gpu));
    if (known === undefined) return;
    known.timer.cancel();
    losses.delete(gpuKey(at.node, at.gpu));
    cameBack(at);
  }
  function tell(watch: Watch): void {
    const at = watch.gpus.find(has);
    if (at !== undefined && watches.delete(watch)) watch.lost(at);
  }

  return {
    lose: ({ node, gpu }, forMs) => {
      const at = { node, gpu };
      losses.get(gpuKey(node, gpu))?.timer.cancel();
      const entry = { ...at, untilWallMs: wallMs(Math.ceil(clock.wallMs() + Math.max(0, forMs))) };
      losses.set(gpuKey(node, gpu), { entry, timer: clock.after(Math.max(0, forMs), () => restore(at)) });
      for (const watch of Array.from(watches)) tell(watch);
    },
    restore,
    has,
    list: () => [...losses.values()].map(({ entry }) => entry),
    watch: (gpus, lost) => {
      const watch = { gpus, lost };
      watches.add(watch);
      if (gpus.some(has)) void Promise.resolve().then(() => tell(watch));
      return () => void watches.delete(watch);
    },
  };
}
