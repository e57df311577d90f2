import { checkParts, type LadderChecker, type Wrong } from "./checker.ts";
import type { LadderView } from "./ladder-view.ts";

/** No GPU has more on it than it holds, and no more of it is promised than it has. */
export const checkGpuMemory = (): LadderChecker => checkParts("gpu-memory", ({ gpus, partitions }) => [gpus, partitions], overfullGpus);

const overfullGpus = ({ gpus, partitions }: LadderView): readonly Wrong[] =>
  gpus.flatMap(({ node, gpu, memoryBytes, holders }) => {
    const usedBytes = sum(holders.map((holder) => holder.usedBytes));
    const promisedBytes = sum(partitions.filter((one) => one.node === node && one.gpu === gpu).map((one) => one.memoryBytes));
    const whom = `${node}/${gpu}`;
    return [
      ...(usedBytes > memoryBytes ? [{ whom, what: `holds ${usedBytes} of ${memoryBytes} bytes` }] : []),
      ...(promisedBytes > memoryBytes ? [{ whom, what: `is promised to ${promisedBytes} of its ${memoryBytes} bytes` }] : []),
    ];
  });

/** Whoever has a GPU to itself shares it with nobody: neither by a promise nor by bytes of a process that lives. */
export const checkExclusiveGpus = (): LadderChecker =>
  checkParts("exclusive-gpu", ({ gpus, partitions, engines }) => [gpus, partitions, engines], sharedGpus);

function sharedGpus({ gpus, partitions, engines }: LadderView): readonly Wrong[] {
  const living = new Set(engines.map(({ pid }) => pid));
  return gpus.flatMap(({ node, gpu, holders }) => {
    const owners = partitions.filter((one) => one.node === node && one.gpu === gpu);
    const sole = owners.find(({ mode }) => mode === "exclusive");
    if (sole === undefined) return [];
    const whom = `${node}/${gpu}`;
    const others = owners.filter(({ name }) => name !== sole.name).map(({ name }) => name);
    const guests = holders.filter(({ instance, pid }) => instance !== sole.instance && living.has(pid)).map(({ instance }) => instance);
    return [
      ...(others.length > 0 ? [{ whom, what: `belongs to ${sole.name} alone, and to ${others.join(", ")}` }] : []),
      ...(guests.length > 0 ? [{ whom, what: `belongs to ${sole.instance} alone, and holds bytes of ${guests.join(", ")}` }] : []),
    ];
  });
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
