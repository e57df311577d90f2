import { formatBytes } from "../base/bytes.ts";
import type { ProblemFinding } from "./finding.ts";
import type { ColdSpec, HotStandbyConfig, LevelSpec } from "./hot-standby-config.ts";
import type { HotStandbyConfigSpec } from "./hot-standby-config-schema.ts";
import { QOS_TABLE } from "./qos-table.ts";

type LevelKey = "hotStandby" | "warmStandby" | "coldStandby";

/** What no single field shows: fields that contradict each other. */
export function checkConfig(config: HotStandbyConfig, written: HotStandbyConfigSpec): readonly ProblemFinding[] {
  const { hot, warm, cold } = config;
  return [
    ...checkWeightsKnown(config, written),
    ...levelFindings(config, "hotStandby", hot),
    ...(warm === null ? [] : levelFindings(config, "warmStandby", warm)),
    ...(cold === null ? [] : levelFindings(config, "coldStandby", cold)),
    ...checkScale(config),
    ...checkTraffic(config),
    ...checkDegraded(config),
    ...checkFailbackSteps(config),
  ];
}

function problem(
  code: ProblemFinding["code"],
  at: ProblemFinding["at"],
  text: Pick<ProblemFinding, "what" | "why" | "next">,
): ProblemFinding {
  return { code, at, mark: "value", ...text };
}

function checkWeightsKnown({ model }: HotStandbyConfig, written: HotStandbyConfigSpec): readonly ProblemFinding[] {
  if (model.engine === "simulated" || written.model?.weights !== undefined) return [];
  return [
    problem("MISSING_FIELD", ["spec", "model", "weights"], {
      what: "spec.model.weights is missing.",
      why: `Load time and least memory follow from it, and nothing is known of a model of ${model.engine}.`,
      next: "Write the size of the weights, such as 16GB.",
    }),
  ];
}

function levelFindings(config: HotStandbyConfig, key: LevelKey, level: LevelSpec | ColdSpec): readonly ProblemFinding[] {
  const found: ProblemFinding[] = [];
  const { tensorParallelSize: size } = config.model;
  if (level.gpuCount % size !== 0) {
    found.push(remainder(`${key}.gpuCount`, level.gpuCount, size));
    return found;
  }
  if (key === "coldStandby" && level.memoryReservedBytes === 0) return found;
  const instanceCount = level.gpuCount / size;
  const neededBytes = instanceCount * config.model.weightsBytes;
  if (level.memoryReservedBytes < neededBytes) {
    found.push(
      problem("BELOW_WEIGHTS", ["spec", key, "memoryReserved"], {
        what: `spec.${key}.memoryReserved is ${formatBytes(level.memoryReservedBytes)} in all, less than the weights need.`,
        why: `${instanceCount} x ${formatBytes(config.model.weightsBytes)} of weights of ${config.model.name} are ${formatBytes(neededBytes)}.`,
        next: `Write at least ${formatBytes(neededBytes + Math.ceil(neededBytes / 4)).replace(" ", "")}, or remove it: weights + 25 % is the default.`,
      }),
    );
  }
  found.push(...sharedFindings(config, key, level));
  return found;
}

function sharedFindings(config: HotStandbyConfig, key: LevelKey, level: LevelSpec | ColdSpec): readonly ProblemFinding[] {
  if (!level.isShared) return [];
  const found: ProblemFinding[] = [];
  const { memoryCapBytes } = QOS_TABLE[config.qosClass];
  const perGpuBytes = Math.ceil(level.memoryReservedBytes / level.gpuCount);
  if (config.isQosClassExplicit && perGpuBytes > memoryCapBytes) {
    found.push(
      problem("ABOVE_QOS_CAP", ["spec", key, "memoryReserved"], {
        what: `spec.${key}.memoryReserved is ${formatBytes(perGpuBytes)} a GPU, more than qosClass ${config.qosClass} allows on a shared GPU.`,
        why: `The class caps it at ${memoryCapBytes / 2 ** 30} GiB (${formatBytes(memoryCapBytes)}).`,
        next: "Reserve less, choose a higher class, leave qosClass out, or set gpuMemoryShare: false.",
      }),
    );
  }
  return found;
}

function remainder(field: string, gpuCount: number, size: number): ProblemFinding {
  const below = Math.floor(gpuCount / size) * size;
  return problem("REMAINDER", ["spec", ...field.split(".")], {
    what: `spec.${field} is ${gpuCount}, no multiple of model.tensorParallelSize ${size}.`,
    why: `An instance takes ${size} whole GPUs of one node, so ${gpuCount - below} would stay unused.`,
    next: `Write ${below === 0 ? size : `${below} or ${below + size}`}.`,
  });
}

function checkScale({ hot, model }: HotStandbyConfig): readonly ProblemFinding[] {
  const found: ProblemFinding[] = [];
  const size = model.tensorParallelSize;
  const bounds = [
    { key: "minGpuCount", value: hot.minGpuCount, isWrong: hot.minGpuCount > hot.gpuCount, word: "above" },
    { key: "maxGpuCount", value: hot.maxGpuCount, isWrong: hot.maxGpuCount < hot.gpuCount, word: "below" },
  ];
  for (const bound of bounds) {
    if (bound.isWrong) {
      found.push(
        problem("MIN_ABOVE_MAX", ["spec", "hotStandby", bound.key], {
          what: `spec.hotStandby.${bound.key} is ${bound.value}, ${bound.word} gpuCount ${hot.gpuCount}.`,
          why: "gpuCount is where scaling starts: it lies between minGpuCount and maxGpuCount.",
          next: `Write ${hot.gpuCount}, or remove it.`,
        }),
      );
    } else if (bound.value !== hot.gpuCount && bound.value % size !== 0) {
      found.push(remainder(`hotStandby.${bound.key}`, bound.value, size));
    }
  }
  return found;
}

function checkTraffic({ hot, model, traffic }: HotStandbyConfig): readonly ProblemFinding[] {
  const { weights } = traffic;
  if (weights === null || hot.gpuCount % model.tensorParallelSize !== 0) return [];
  const instanceCount = hot.gpuCount / model.tensorParallelSize;
  const at = ["spec", "traffic", "weights"];
  if (weights.length !== instanceCount) {
    return [
      problem("WEIGHTS_MISMATCH", at, {
        what: `spec.traffic.weights has ${weights.length} ${weights.length === 1 ? "entry" : "entries"}, and the service ${instanceCount} hot ${instanceCount === 1 ? "instance" : "instances"}.`,
        why: `Hot instances = gpuCount ${hot.gpuCount} / tensorParallelSize ${model.tensorParallelSize}; each has one weight.`,
        next: `Write ${instanceCount}, such as [${instanceCount === 2 ? "80, 20" : Array.from({ length: Math.min(instanceCount, 8) }, () => "1").join(", ")}], or remove it.`,
      }),
    ];
  }
  if (weights.some((weight) => weight > 0)) return [];
  return [
    problem("WEIGHTS_MISMATCH", at, {
      what: "spec.traffic.weights are all 0.",
      why: "Weights are shares of the traffic: at least one hot instance must take some.",
      next: "Give one of them a weight above 0.",
    }),
  ];
}

function checkDegraded({ degraded, model }: HotStandbyConfig): readonly ProblemFinding[] {
  const found: ProblemFinding[] = [];
  degraded.forEach((step, index) => {
    if (step.kind === "shed" && index < degraded.length - 1) {
      found.push(
        problem("UNREACHABLE_STEP", ["spec", "degraded", index], {
          what: `spec.degraded[${index}] sheds, and ${degraded.length - 1 - index} more follow.`,
          why: "A shed request is answered: no later step is ever reached.",
          next: "Put `kind: shed` last.",
        }),
      );
    }
    if (step.kind === "model" && step.name === model.name) {
      found.push(
        problem("UNSERVED_MODEL", ["spec", "degraded", index, "name"], {
          what: `spec.degraded[${index}].name is ${model.name}, the service's own model.`,
          why: "The step is for the time when no instance of that model can serve.",
          next: "Name a smaller model that another service of the tenant serves.",
        }),
      );
    }
  });
  return found;
}

function checkFailbackSteps({ failoverPolicy }: HotStandbyConfig): readonly ProblemFinding[] {
  const steps = failoverPolicy.failback.stepsPercent;
  const isGrowing = steps.every((step, index) => index === 0 || step > (steps[index - 1] ?? 0));
  if (isGrowing && steps.at(-1) === 100) return [];
  return [
    problem("OUT_OF_RANGE", ["spec", "failoverPolicy", "failback", "steps"], {
      what: `spec.failoverPolicy.failback.steps is [${steps.join(", ")}].`,
      why: "Each step takes a larger share of the traffic than the one before, and the last takes all.",
      next: "Write growing percentages that end in 100, such as [1, 10, 50, 100].",
    }),
  ];
}
