import { parseArgs } from "node:util";
import { nodeName } from "../base/ids.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { ENGINE_DEFAULTS, type EngineOptions } from "../simulator/engine-options.ts";

/** The command line of one engine, understood. */
export interface EngineArguments {
  readonly options: EngineOptions;
  readonly address: EndpointAddress;
  /** null = no account: memory and links are nobody's affair. */
  readonly gpuAccountSocket: string | null;
}

const { profile } = ENGINE_DEFAULTS;

export const ENGINE_HELP = `Usage: tidegate engine [options]

One simulated engine: speaks vLLM's HTTP dialect, streams as SGLang's /generate and llama.cpp's /completion do, generates
text that depends on its whole context, and behaves in time and memory as an engine on a GPU does. SIGTERM lets running answers end for 1 s.

Options:
  --instance NAME                     what it is called in logs and accounts (default ${ENGINE_DEFAULTS.instance})
  --model NAME                        model that it serves (default ${ENGINE_DEFAULTS.model})
  --revision R                        another revision gives other answers (default ${ENGINE_DEFAULTS.revision})
  --adapter NAME                      further model name, as of a LoRA adapter; repeatable
  --host HOST, --port PORT            address to listen on; port 0 picks a free one (default 127.0.0.1, 8000)
  --weights-bytes N                   size of the weights (default ${ENGINE_DEFAULTS.weightsBytes})
  --context-length N                  tokens of prompt and answer together (default ${ENGINE_DEFAULTS.contextLength})
  --gpu NODE/INDEX                    GPU that it stands on; repeatable
  --memory-bytes N                    all that it may hold on each GPU (default ${ENGINE_DEFAULTS.memoryBytesPerGpu})
  --gpu-account SOCKET                take memory and links from this account (default: none)
  --load-link disk|network            link that the weights come over (default ${ENGINE_DEFAULTS.load.link})
  --load-bytes-per-second N           rate of that link, without an account (default ${ENGINE_DEFAULTS.load.bytesPerSecond})
  --wake-bytes-per-second N           host memory to GPU, without an account (default ${ENGINE_DEFAULTS.wakeBytesPerSecond})
  --claim STATE_ID                    end when no probe carried this claim for 30 s (default: live on)
  --max-num-seqs N                    answers generated together (default ${profile.maxBatch})
  --step-base-ms MS                   time of a step (default ${profile.stepBaseMs})
  --step-per-sequence-ms MS           more for each answer in it (default ${profile.stepPerSequenceMs})
  --prefill-tokens-per-second N       rate of reading prompts (default ${profile.prefillTokensPerSecond})
  --prefill-chunk-tokens N            prompt tokens of one step at most (default ${profile.prefillChunkTokens})
  --demand-ratio R                    share of a shared GPU that it takes while alone, up to 1 (default ${ENGINE_DEFAULTS.demandRatio})
  --sleep-enabled                     serve /sleep and /wake_up; keeps the weights' copy in host memory
  --refuse-when-asleep                answer 503 to a request while asleep, instead of ending as vLLM did
  --reasoning-tokens N                tell so many first tokens of a chat's answer as reasoning (default ${ENGINE_DEFAULTS.reasoningTokens})
  --enable-faults                     serve POST and DELETE /tidegate/faults
  --help                              this text

Example:
  tidegate engine --model tide-8b --port 8000 --memory-bytes 40000000000 --max-num-seqs 32
  curl -s http://127.0.0.1:8000/v1/completions -d '{"prompt": "The tide", "max_tokens": 16}'
`;

/** @returns what is wrong, as text. */
export function parseEngineArguments(args: readonly string[]): Result<EngineArguments, string> {
  const values = readFlags(args);
  if (typeof values === "string") return err(values);
  const wrong: string[] = [];
  const integer = (name: NumberFlag, low: number, high: number = Number.MAX_SAFE_INTEGER): number => {
    const value = number(name, low, high);
    if (!Number.isInteger(value)) wrong.push(`--${name} must be a whole number.`);
    return value;
  };
  const number = (name: NumberFlag, low: number, high: number = Number.MAX_SAFE_INTEGER): number => {
    const text = values[name];
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!(value >= low && value <= high)) wrong.push(`--${name} must be a number of at least ${low}, not ${JSON.stringify(text)}.`);
    return value;
  };
  const link = values["load-link"];
  if (link !== "disk" && link !== "network") wrong.push("--load-link must be disk or network.");
  const gpus = (values.gpu ?? []).map((text) => parseGpu(text, wrong));
  if (new Set(gpus.map(({ node }) => node)).size > 1) wrong.push("All --gpu must be of one node.");
  const parsed: EngineArguments = {
    address: { host: values.host, port: integer("port", 0, 65_535) },
    gpuAccountSocket: values["gpu-account"] ?? null,
    options: {
      instance: values.instance,
      model: values.model,
      revision: values.revision,
      adapters: values.adapter ?? [],
      weightsBytes: integer("weights-bytes", 1),
      contextLength: integer("context-length", 2),
      gpus,
      memoryBytesPerGpu: integer("memory-bytes", 1),
      load: { link: link === "network" ? "network" : "disk", bytesPerSecond: number("load-bytes-per-second", 1) },
      wakeBytesPerSecond: number("wake-bytes-per-second", 1),
      demandRatio: number("demand-ratio", 0.01, 1),
      profile: {
        maxBatch: integer("max-num-seqs", 1),
        stepBaseMs: number("step-base-ms", 0.1),
        stepPerSequenceMs: number("step-per-sequence-ms", 0),
        prefillTokensPerSecond: number("prefill-tokens-per-second", 1),
        prefillChunkTokens: integer("prefill-chunk-tokens", 1),
      },
      areFaultsEnabled: values["enable-faults"],
      isSleepEnabled: values["sleep-enabled"],
      diesOfRequestsAsleep: !values["refuse-when-asleep"],
      reasoningTokens: integer("reasoning-tokens", 0),
      tokensPerChunk: ENGINE_DEFAULTS.tokensPerChunk,
      claim: values.claim ?? null,
    },
  };
  const [first] = wrong;
  return first === undefined ? ok(parsed) : err(first);
}

type NumberFlag =
  | "port"
  | "weights-bytes"
  | "context-length"
  | "memory-bytes"
  | "load-bytes-per-second"
  | "wake-bytes-per-second"
  | "max-num-seqs"
  | "step-base-ms"
  | "step-per-sequence-ms"
  | "prefill-tokens-per-second"
  | "prefill-chunk-tokens"
  | "demand-ratio"
  | "reasoning-tokens";

function readFlags(args: readonly string[]) {
  const text = (value: string | number) => ({ type: "string", default: String(value) }) as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        instance: text(ENGINE_DEFAULTS.instance),
        model: text(ENGINE_DEFAULTS.model),
        revision: text(ENGINE_DEFAULTS.revision),
        adapter: { type: "string", multiple: true },
        host: text("127.0.0.1"),
        port: text(8_000),
        "weights-bytes": text(ENGINE_DEFAULTS.weightsBytes),
        "context-length": text(ENGINE_DEFAULTS.contextLength),
        gpu: { type: "string", multiple: true },
        "memory-bytes": text(ENGINE_DEFAULTS.memoryBytesPerGpu),
        "gpu-account": { type: "string" },
        "load-link": text(ENGINE_DEFAULTS.load.link),
        "load-bytes-per-second": text(ENGINE_DEFAULTS.load.bytesPerSecond),
        "wake-bytes-per-second": text(ENGINE_DEFAULTS.wakeBytesPerSecond),
        claim: { type: "string" },
        "max-num-seqs": text(profile.maxBatch),
        "step-base-ms": text(profile.stepBaseMs),
        "step-per-sequence-ms": text(profile.stepPerSequenceMs),
        "prefill-tokens-per-second": text(profile.prefillTokensPerSecond),
        "prefill-chunk-tokens": text(profile.prefillChunkTokens),
        "demand-ratio": text(ENGINE_DEFAULTS.demandRatio),
        "sleep-enabled": flag,
        "refuse-when-asleep": flag,
        "reasoning-tokens": text(ENGINE_DEFAULTS.reasoningTokens),
        "enable-faults": flag,
      },
    }).values;
  } catch (cause) {
    // What parseArgs says of an unknown or misused flag.
    if (cause instanceof TypeError) return cause.message;
    throw cause;
  }
}

function parseGpu(text: string, wrong: string[]): EngineOptions["gpus"][number] {
  const [node = "", index = "", ...rest] = text.split("/");
  if (node === "" || !/^\d+$/.test(index) || rest.length > 0) wrong.push(`--gpu must be NODE/INDEX, not ${JSON.stringify(text)}.`);
  return { node: nodeName(node), gpu: Number(index) };
}
