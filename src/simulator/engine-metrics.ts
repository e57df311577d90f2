import { createRegistry, type MetricRegistry } from "../base/metric.ts";
import type { BatchScheduler } from "../engine-model/batch-scheduler.ts";
import { KV_BLOCK_TOKENS } from "../engine-model/memory-plan.ts";
import { renderPrometheus } from "../wire/prometheus-text.ts";

const TTFT_BUCKETS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const GAP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const LONG_BUCKETS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60];
const STEP_TOKEN_BUCKETS = [1, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384];
const LABELS = ["engine", "model_name"] as const;

/** What the engine counts, under vLLM's names. */
export interface EngineMetrics {
  stepped(tokens: number): void;
  prompted(tokens: number): void;
  firstToken(ttftMs: number): void;
  nextToken(gapMs: number): void;
  generated(tokens: number): void;
  finished(reason: string, durationMs: number): void;
  /** Prometheus text. */
  render(batch: Pick<BatchScheduler<unknown>, "runningCount" | "waitingCount" | "kvUsageRatio" | "preemptionCount">): string;
}

export function createEngineMetrics(model: string, kvBlocks: number): EngineMetrics {
  const registry = createRegistry();
  const counter = counters(registry, model);
  const histogram = (name: string, help: string, buckets: readonly number[]) =>
    registry.histogram(name, help, LABELS, buckets).with("0", model);
  const gauge = (name: string, help: string) => registry.gauge(name, help, LABELS).with("0", model);
  const running = gauge("vllm:num_requests_running", "Requests in the model's batch.");
  const waiting = gauge("vllm:num_requests_waiting", "Requests that wait for a place in the batch.");
  const kvUsage = gauge("vllm:kv_cache_usage_perc", "KV memory in use; 1 = all of it.");
  const stepTokens = histogram("vllm:iteration_tokens_total", "Tokens of each engine step.", STEP_TOKEN_BUCKETS);
  const ttft = histogram("vllm:time_to_first_token_seconds", "Time to the first token.", TTFT_BUCKETS);
  const gaps = histogram("vllm:inter_token_latency_seconds", "Time between two tokens of one answer.", GAP_BUCKETS);
  const endToEnd = histogram("vllm:e2e_request_latency_seconds", "Time of whole requests.", LONG_BUCKETS);
  const success = registry.counter("vllm:request_success_total", "Requests that ended, by reason.", [...LABELS, "finished_reason"]);
  registry
    .gauge("vllm:cache_config_info", "Geometry of the KV memory.", ["engine", "block_size", "num_gpu_blocks"])
    .with("0", String(KV_BLOCK_TOKENS), String(kvBlocks))
    .set(1);
  let preemptionsCounted = 0;

  return {
    stepped: (tokens) => stepTokens.observe(tokens),
    prompted: (tokens) => counter.prompt.add(tokens),
    firstToken: (ttftMs) => ttft.observe(ttftMs / 1_000),
    nextToken: (gapMs) => gaps.observe(gapMs / 1_000),
    generated: (tokens) => counter.generated.add(tokens),
    finished: (reason, durationMs) => {
      success.with("0", model, reason).add(1);
      endToEnd.observe(durationMs / 1_000);
    },
    render: ({ runningCount, waitingCount, kvUsageRatio, preemptionCount }) => {
      running.set(runningCount);
      waiting.set(waitingCount);
      kvUsage.set(kvUsageRatio);
      counter.preemptions.add(preemptionCount - preemptionsCounted);
      preemptionsCounted = preemptionCount;
      return renderPrometheus(registry);
    },
  };
}

function counters(registry: MetricRegistry, model: string) {
  const counter = (name: string, help: string) => registry.counter(name, help, LABELS).with("0", model);
  return {
    prompt: counter("vllm:prompt_tokens_total", "Prompt tokens of the requests taken."),
    generated: counter("vllm:generation_tokens_total", "Tokens generated."),
    preemptions: counter("vllm:num_preemptions_total", "Sequences that lost their KV memory to older ones."),
  };
}
