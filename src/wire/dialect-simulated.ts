import type { EngineKind, ModelSpec } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";

/** What the simulated engine's command line is made of; every launch plan has this shape. */
export interface SimulatedEnginePlan {
  readonly instance: string;
  readonly model: ModelSpec;
  readonly members: readonly { readonly node: string; readonly gpu: number }[];
  readonly memoryBytesPerGpu: number;
  readonly load: { readonly link: "disk" | "network"; readonly bytesPerSecond: number };
  readonly hostToGpuBytesPerSecond: number;
  readonly isSleepable: boolean;
}

/** Where one process of that plan runs. null = without a memory account; without a claim. */
export interface SimulatedEngineProcess {
  readonly address: EndpointAddress;
  readonly gpuAccountSocket: string | null;
  readonly stateId: string | null;
}

/** Arguments after `tidegate engine`. The manifest's `model.args` come last, so that they win. */
export function simulatedEngineArguments(plan: SimulatedEnginePlan, process: SimulatedEngineProcess): readonly string[] {
  const { model } = plan;
  const pairs: readonly (readonly [flag: string, value: string | number | null])[] = [
    ["--instance", plan.instance],
    ["--model", model.name],
    ["--revision", model.revision],
    ["--host", process.address.host],
    ["--port", process.address.port],
    ["--weights-bytes", model.weightsBytes],
    ["--context-length", model.contextLength],
    ...model.adapters.map((adapter) => ["--adapter", adapter] as const),
    ...plan.members.map(({ node, gpu }) => ["--gpu", `${node}/${gpu}`] as const),
    ["--memory-bytes", plan.memoryBytesPerGpu],
    ["--load-link", plan.load.link],
    ["--load-bytes-per-second", plan.load.bytesPerSecond],
    ["--wake-bytes-per-second", plan.hostToGpuBytesPerSecond],
    ["--gpu-account", process.gpuAccountSocket],
    ["--claim", process.stateId],
  ];
  return [
    ...pairs.flatMap(([flag, value]) => (value === null ? [] : [flag, String(value)])),
    ...(plan.isSleepable ? ["--sleep-enabled"] : []),
    ...model.args,
  ];
}

// Of the engines' own command lines; llama.cpp's short form is a second name.
const BATCH_FLAGS: Readonly<Record<EngineKind, readonly string[]>> = {
  simulated: ["--max-num-seqs"],
  vllm: ["--max-num-seqs"],
  sglang: ["--max-running-requests"],
  "llama.cpp": ["--parallel", "-np"],
};
export const MAX_BATCH_DEFAULT = 64;

/** Sequences that an engine of this model decodes together, from `model.args`; the last mention wins. */
export function maxBatchOf(model: Pick<ModelSpec, "engine" | "args">): number {
  let maxBatch = MAX_BATCH_DEFAULT;
  for (const [index, argument] of model.args.entries()) {
    for (const flag of BATCH_FLAGS[model.engine]) {
      const text =
        argument === flag ? model.args[index + 1] : argument.startsWith(`${flag}=`) ? argument.slice(flag.length + 1) : undefined;
      const count = Number(text ?? Number.NaN);
      if (Number.isInteger(count) && count > 0) maxBatch = count;
    }
  }
  return maxBatch;
}
