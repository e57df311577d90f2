import { test } from "node:test";
import assert from "node:assert/strict";
import type { EngineKind, ModelSpec } from "../api/hot-standby-config.ts";
import { maxBatchOf, simulatedEngineArguments, type SimulatedEnginePlan } from "./dialect-simulated.ts";

const model: ModelSpec = {
  name: "tide-8b",
  engine: "simulated",
  revision: "r1",
  weightsBytes: 16e9,
  contextLength: 8192,
  tensorParallelSize: 2,
  image: null,
  command: [],
  args: ["--max-num-seqs", "8", "--enable-faults"],
  adapters: ["tide-lora"],
};
const plan: SimulatedEnginePlan = {
  instance: "gold-hot-1",
  model,
  members: [
    { node: "gpu-a", gpu: 0 },
    { node: "gpu-a", gpu: 1 },
  ],
  memoryBytesPerGpu: 40e9,
  load: { link: "disk", bytesPerSecond: 12e9 },
  hostToGpuBytesPerSecond: 54e9,
  isSleepable: true,
};

test("the simulated engine's arguments say the whole plan, the manifest's last", () => {
  const address = { host: "127.0.0.1", port: 40_001 };
  assert.equal(
    simulatedEngineArguments(plan, { address, gpuAccountSocket: "/state/gpu.sock", stateId: "s1" }).join(" "),
    "--instance gold-hot-1 --model tide-8b --revision r1 --host 127.0.0.1 --port 40001 --weights-bytes 16000000000 --context-length 8192 --adapter tide-lora" +
      " --gpu gpu-a/0 --gpu gpu-a/1 --memory-bytes 40000000000 --load-link disk --load-bytes-per-second 12000000000" +
      " --wake-bytes-per-second 54000000000 --gpu-account /state/gpu.sock --claim s1 --sleep-enabled --max-num-seqs 8 --enable-faults",
  );
});

test("an engine without account, claim or sleep gets no such flag", () => {
  const address = { host: "127.0.0.1", port: 1 };
  const line = simulatedEngineArguments({ ...plan, isSleepable: false }, { address, gpuAccountSocket: null, stateId: null });
  for (const flag of ["--gpu-account", "--claim", "--sleep-enabled"]) assert.ok(!line.includes(flag), flag);
});

const batchCases: readonly { readonly engine: EngineKind; readonly args: readonly string[]; readonly expected: number }[] = [
  { engine: "simulated", args: [], expected: 64 },
  { engine: "simulated", args: ["--max-num-seqs", "8", "--max-num-seqs", "16"], expected: 16 },
  { engine: "vllm", args: ["--max-num-seqs=256"], expected: 256 },
  { engine: "sglang", args: ["--max-running-requests", "32"], expected: 32 },
  { engine: "llama.cpp", args: ["-np", "4"], expected: 4 },
  { engine: "vllm", args: ["--max-num-seqs", "many"], expected: 64 },
  { engine: "vllm", args: ["--max-num-seqs"], expected: 64 },
];
for (const { engine, args, expected } of batchCases) {
  test(`the batch of ${engine} with ${JSON.stringify(args)} is ${expected}`, () => assert.equal(maxBatchOf({ engine, args }), expected));
}
