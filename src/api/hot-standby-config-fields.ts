import {
  BOOLEAN_FORM,
  DURATION_FORM,
  fieldOf,
  LABEL_FORM,
  oneOf,
  QUANTITY_FORM,
  TEXT_FORM,
  whole,
  type Field,
  type FieldRow,
} from "./field.ts";

const MODEL_NAME_FORM = "a model name of letters, digits and . _ : / @ + -";
const TIER_ROW = "the tier's";

function levelRows(level: "hotStandby" | "warmStandby" | "coldStandby"): readonly FieldRow[] {
  const isCold = level === "coldStandby";
  const least = level === "hotStandby" ? 1 : 0;
  return [
    {
      path: `${level}.gpuCount`,
      form: whole(least, 1_024),
      example: "2",
      meaning: `GPUs of this level, a multiple of tensorParallelSize.${least === 0 ? " 0 = no such level, whatever the tier says." : ""}`,
      fallback: "one instance where the level is written; an absent level takes the tier's row",
    },
    {
      path: `${level}.memoryReserved`,
      form: QUANTITY_FORM,
      example: "40GB",
      meaning: isCold
        ? "Bytes that are held free for a cold start, in all, over the GPUs of the level."
        : "Least that the level's instances may hold, in all, over its GPUs; on a shared GPU also the most.",
      fallback: isCold ? "nothing is held" : "weights + 25 % for each instance",
    },
    {
      path: `${level}.nodeSelector`,
      form: "a map of label names to texts",
      itemForm: TEXT_FORM,
      example: "{ topology.kubernetes.io/zone: az-1 }",
      meaning: "Labels that a node must carry.",
      fallback: "any node",
    },
    {
      path: `${level}.gpuMemoryShare`,
      form: BOOLEAN_FORM,
      example: "false",
      meaning: "true = the GPU may be shared with other instances; false = it is this instance's alone.",
      fallback: isCold ? "true: bytes are reserved, not whole cards" : TIER_ROW,
    },
    {
      path: `${level}.capacityType`,
      form: oneOf("on-demand", "spot"),
      example: "on-demand",
      meaning: "Which kind of node the level may stand on.",
      fallback: level === "hotStandby" ? "any, on-demand preferred" : "any",
    },
  ];
}

const modelRows: readonly FieldRow[] = [
  { path: "model.name", form: MODEL_NAME_FORM, example: "tide-8b", meaning: "What clients write into `model`.", fallback: null },
  {
    path: "model.engine",
    form: oneOf("simulated", "vllm", "sglang", "llama.cpp"),
    example: "simulated",
    meaning: "The program that generates tokens. This version starts simulated engines; the others are fronted by --attach.",
    fallback: "simulated",
  },
  {
    path: "model.revision",
    form: TEXT_FORM,
    example: "r1",
    meaning: "Part of the fingerprint: another revision is another model.",
    fallback: "r1",
  },
  {
    path: "model.weights",
    form: QUANTITY_FORM,
    example: "16GB",
    meaning: "Bytes of the weights: load time and least memory follow from it.",
    fallback: "16GB for a simulated engine; another engine must say it",
  },
  {
    path: "model.contextLength",
    form: whole(1, 100_000_000),
    example: "8192",
    meaning: "Tokens of prompt and answer together.",
    fallback: "8192",
  },
  { path: "model.tensorParallelSize", form: whole(1, 64), example: "1", meaning: "GPUs of one instance, all of one node.", fallback: "1" },
  {
    path: "model.image",
    form: TEXT_FORM,
    example: "example/engine:1",
    meaning: "Container image of the engine.",
    fallback: "none",
    isBuilt: false,
  },
  {
    path: "model.command",
    form: "a list of texts",
    itemForm: TEXT_FORM,
    example: "[serve]",
    meaning: "Command of the engine.",
    fallback: "the engine's own",
    isBuilt: false,
  },
  {
    path: "model.args",
    form: "a list of texts",
    itemForm: TEXT_FORM,
    example: '["--max-num-seqs", "64"]',
    meaning: "Arguments that are handed to the engine as they stand.",
    fallback: "none",
  },
  {
    path: "model.adapters",
    form: "a list of model names",
    itemForm: MODEL_NAME_FORM,
    example: "[tide-8b-law]",
    meaning: "Adapters that the engine serves beside the model: listed as models of their own.",
    fallback: "none",
  },
];

const policyRows: readonly FieldRow[] = [
  {
    path: "failoverPolicy.autoFailover",
    form: BOOLEAN_FORM,
    example: "true",
    meaning:
      "false = advise mode: wakes, cold starts and failback are recorded, not made. Ready endpoints are used and the dead restarted all the same.",
    fallback: "true",
  },
  {
    path: "failoverPolicy.maxFailoverCount",
    form: whole(0, 1_000_000_000),
    example: "3",
    meaning: "Automatic moves in one window; then Hold, in which only Ready endpoints serve.",
    fallback: "3",
  },
  {
    path: "failoverPolicy.window",
    form: DURATION_FORM,
    example: "1h",
    meaning: "The window of maxFailoverCount.",
    fallback: "1h",
  },
  {
    path: "failoverPolicy.rtoTarget",
    form: DURATION_FORM,
    example: "5s",
    meaning: "Promised time from a fault to the next good token of each affected request.",
    fallback: TIER_ROW,
  },
  {
    path: "failoverPolicy.failback.preferred",
    form: oneOf("hot", "none"),
    example: "hot",
    meaning: "Whether traffic goes back up when the hot level is whole again.",
    fallback: "hot",
  },
  {
    path: "failoverPolicy.failback.soak",
    form: DURATION_FORM,
    example: "10m",
    meaning: "How long the hot level must be well before.",
    fallback: "10m",
  },
  {
    path: "failoverPolicy.failback.steps",
    form: "a growing list of percentages that ends in 100",
    itemForm: whole(1, 100),
    example: "[1, 10, 50, 100]",
    meaning: "Shares of the traffic, one after the other, on the way back; each is judged before the next.",
    fallback: "[1, 10, 50, 100]",
  },
];

const trafficRows: readonly FieldRow[] = [
  {
    path: "traffic.weights",
    form: "a list of whole numbers, one for each hot instance",
    itemForm: whole(0, 1_000_000),
    example: "[80, 20]",
    meaning: "Relative share of each hot instance.",
    fallback: "[80, 20] for two, else equal",
  },
  {
    path: "traffic.mirrorPercent",
    form: whole(0, 100),
    example: "10",
    meaning: "Share of requests that a resident warm instance also gets; its answers are thrown away.",
    fallback: "10",
  },
  { path: "traffic.affinity", form: "none", example: "none", meaning: "Stickiness of requests; none is the only value.", fallback: "none" },
  {
    path: "overflow.inFlightRatio",
    form: "a number above 0, at most 10",
    example: "0.9",
    meaning: "An endpoint is full at in flight >= ratio x its largest batch.",
    fallback: "0.9",
  },
  {
    path: "overflow.queuedForMs",
    form: whole(0, 600_000),
    example: "100",
    meaning: "An endpoint is full also when its engine queues for so many milliseconds.",
    fallback: "100",
  },
  {
    path: "degraded[].kind",
    form: oneOf("queue", "model", "shed"),
    example: "queue",
    meaning: "What happens, step by step, when no instance can serve.",
    fallback: null,
  },
  { path: "degraded[].upTo", form: DURATION_FORM, example: "30s", meaning: "Longest wait of the step `queue`.", fallback: null },
  {
    path: "degraded[].name",
    form: MODEL_NAME_FORM,
    example: "tide-1b",
    meaning:
      "The model of another service of the same tenant, for the step `model`: it answers in the free half of that service's batches.",
    fallback: null,
  },
];

const limitRows: readonly FieldRow[] = [
  {
    path: "limits.requestsPerMinute",
    form: whole(1, 1_000_000_000),
    example: "600",
    meaning: "Requests a minute.",
    fallback: "no limit",
    isBuilt: false,
  },
  {
    path: "limits.tokensPerMinute",
    form: whole(1, 1_000_000_000_000),
    example: "200000",
    meaning: "Tokens a minute, prompt and answer.",
    fallback: "no limit",
    isBuilt: false,
  },
  { path: "limits.concurrency", form: whole(1, 1_000_000_000), example: "64", meaning: "Requests at one time.", fallback: "no limit" },
  { path: "limits.maxTokens", form: whole(1, 1_000_000_000), example: "4096", meaning: "Tokens of one answer.", fallback: "no limit" },
];

const rows: readonly FieldRow[] = [
  { path: "tenant", form: LABEL_FORM, example: "tenant-gold", meaning: "Who pays, and whose promise it is.", fallback: null },
  {
    path: "priority",
    form: "low, normal, high or a whole number",
    example: "high",
    meaning: "Order inside a tier: of placement, wake and reclaim. low = -100, normal = 0, high = 100.",
    fallback: "normal",
  },
  {
    path: "tier",
    form: oneOf("platinum", "gold", "silver"),
    example: "gold",
    meaning: "The class of the service: what every absent field becomes.",
    fallback: "from rtoTarget: up to 5s platinum, up to 15s gold, else silver",
  },
  ...modelRows,
  {
    path: "qosClass",
    form: oneOf("gold", "silver", "bronze"),
    example: "gold",
    meaning:
      "On shared GPUs: ceiling of memory where it is written out (32, 16, 8 GiB a GPU), and weight and ceiling of compute (80, 50, 20 %) while others want the rest. No label or annotation raises it; an engine that takes more is ended.",
    fallback: "the tier's ceiling without a memory cap: gold for platinum and gold, silver for silver",
  },
  {
    path: "isolation",
    form: oneOf("none", "weak", "medium", "strong"),
    example: "medium",
    meaning:
      "Least that any partition of the service must give. A shared level of strong takes a MIG instance, or a whole GPU where none is to be had.",
    fallback: "none",
  },
  ...levelRows("hotStandby"),
  {
    path: "hotStandby.minGpuCount",
    form: whole(1, 1_024),
    example: "1",
    meaning: "Scaling never goes below.",
    fallback: "gpuCount",
    isBuilt: false,
  },
  {
    path: "hotStandby.maxGpuCount",
    form: whole(1, 1_024),
    example: "4",
    meaning: "Scaling never goes above.",
    fallback: "gpuCount",
    isBuilt: false,
  },
  ...levelRows("warmStandby"),
  {
    path: "warmStandby.rest",
    form: oneOf("resident", "asleep"),
    example: "resident",
    meaning: "resident = awake beside the hot ones; asleep = weights in host memory until needed.",
    fallback: "resident",
  },
  {
    path: "warmStandby.lend",
    form: oneOf("never", "whenIdle"),
    example: "never",
    meaning: "Whether others may use the reserved bytes while they are idle.",
    fallback: "never for platinum, else whenIdle",
    anyway: "never",
    isBuilt: false,
  },
  ...levelRows("coldStandby"),
  {
    path: "coldStandby.imageCache",
    form: BOOLEAN_FORM,
    example: "true",
    meaning: "true = a start loads at the local disk's rate instead of the network's.",
    fallback: "false",
  },
  ...trafficRows,
  ...policyRows,
  ...limitRows,
];

/** Every field of a HotStandbyConfig's `spec`, in the order of the reference. */
export const hotStandbyConfigFields: readonly Field[] = rows.map((row) => fieldOf({ ...row, path: `spec.${row.path}` }));
