import { explainGpuFault } from "../api/fault.ts";
import { formatBytes } from "../base/bytes.ts";
import { ok, type Explanation, type Result } from "../base/result.ts";
import { planMemory, type WeightsDoNotFit } from "../engine-model/memory-plan.ts";
import type { AccountError } from "../ports/gpu-account.ts";
import type { Exchange, ExchangeEvents, Handler } from "../ports/http-front.ts";
import { PROMETHEUS_TEXT_TYPE } from "../wire/prometheus-text.ts";
import { termOf } from "../wire/term-header.ts";
import type { EngineAnswer } from "./engine-answer.ts";
import { watchClaim, type ClaimWatch } from "./engine-claim.ts";
import { clearRoute, injectRoute, rpcRoute, sleepRoute, wakeRoute } from "./engine-control.ts";
import { EngineCore, type EngineEvents, type EnginePorts } from "./engine-core.ts";
import { answerError, answerJson, answerText, serverError } from "./engine-error.ts";
import { generate } from "./engine-generate.ts";
import type { EngineOptions } from "./engine-options.ts";
import { explainAccountError } from "./engine-residence.ts";
import { detokenizeRoute, tokenizeRoute } from "./engine-tokenize.ts";

export type EngineStartError = AccountError | WeightsDoNotFit;

/** One simulated engine: vLLM's HTTP surface over the engine model. */
export interface Engine {
  readonly handler: Handler;
  /** The context that fits its memory: the asked one, or less. */
  readonly contextLength: number;
  /** Takes its memory and loads its weights; `/health` is 503 until then. An engine that failed to start stays so. */
  start(): Promise<Result<null, EngineStartError>>;
  /** No timer runs afterwards, and what was running is cut. */
  stop(): void;
}

const BODY_BYTES_MAX = 32 * 1_024 * 1_024;

/** @errors WEIGHTS_DO_NOT_FIT at once; all others from `start`. */
export function createEngine(options: EngineOptions, ports: EnginePorts, events: EngineEvents): Result<Engine, WeightsDoNotFit> {
  const plan = planMemory({
    weightsBytes: options.weightsBytes,
    gpuCount: Math.max(1, options.gpus.length),
    memoryBytesPerGpu: options.memoryBytesPerGpu,
    contextLength: options.contextLength,
  });
  if (!plan.ok) return plan;
  const core = new EngineCore(options, plan.value, ports, events);
  let endWatch = (): void => undefined;
  const claim = options.claim === null ? null : watchClaim(options.claim, ports.clock, () => events.unclaimed());
  return ok({
    handler: (exchange) => serve(core, claim, exchange),
    contextLength: plan.value.contextLength,
    start: () => {
      // From the first byte on, awake or asleep: a context that a fault has hit is gone for good.
      endWatch = ports.account?.watchLoss(options.gpus, (end) => events.gpuEnded(explainGpuFault(end), end.mode)) ?? endWatch;
      core.compute.join();
      return core.residence.load();
    },
    stop: () => {
      endWatch();
      claim?.stop();
      core.stop();
      core.loop.abortAll();
      core.compute.stop();
    },
  });
}

export function explainStartError(error: EngineStartError): Explanation {
  if (error.code !== "WEIGHTS_DO_NOT_FIT") return explainAccountError(error);
  return {
    what: "The model does not fit the memory of this instance.",
    why: `Weights, overhead and one block of KV memory need ${formatBytes(error.neededBytesPerGpu)} on each GPU; the instance has ${formatBytes(error.memoryBytesPerGpu)}.`,
    next: "Raise memoryReserved, or spread the model over more GPUs.",
  };
}

/** Every route runs when its body is complete. */
function serve(core: EngineCore, claim: ClaimWatch | null, exchange: Exchange): ExchangeEvents {
  const queryAt = exchange.target.indexOf("?");
  const path = queryAt < 0 ? exchange.target : exchange.target.slice(0, queryAt);
  if (path === "/health" || path === "/metrics") claim?.saw(exchange.headers);
  core.leaders.heard(termOf(exchange.headers));
  const parts: Uint8Array[] = [];
  let bodyBytes = 0;
  let answer: EngineAnswer | null = null;
  return {
    body: (given) => {
      bodyBytes += given.byteLength;
      if (bodyBytes <= BODY_BYTES_MAX) parts.push(given);
    },
    bodyEnd: () => {
      if (bodyBytes > BODY_BYTES_MAX) return answerError(exchange, serverError(413, "The body is too large.", "body_too_large"));
      const query = new URLSearchParams(queryAt < 0 ? "" : exchange.target.slice(queryAt + 1));
      answer = route(core, exchange, { path, query, body: join(parts, bodyBytes) });
    },
    drained: () => answer?.drained(),
    gone: () => answer?.gone(),
  };
}

interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
}

/** @returns an answer that goes on after this call; null where none does. */
function route(core: EngineCore, exchange: Exchange, asked: Asked): EngineAnswer | null {
  // Its check of an answer, too: by now the engine may sleep, and would die of it.
  if (exchange.method !== "GET" && core.leaders.isOld(termOf(exchange.headers))) {
    answerError(exchange, serverError(409, "A newer leader has spoken to this engine: an order of an older one is refused.", "old_term"));
    return null;
  }
  switch (`${exchange.method} ${asked.path}`) {
    case "POST /v1/chat/completions":
      return generate(core, exchange, { kind: "chat", dialect: null, body: asked.body });
    case "POST /v1/completions":
      return generate(core, exchange, { kind: "completion", dialect: null, body: asked.body });
    case "POST /v1/embeddings":
      return generate(core, exchange, { kind: "embedding", dialect: null, body: asked.body });
    case "POST /v1/responses":
      return generate(core, exchange, { kind: "response", dialect: null, body: asked.body });
    case "POST /generate":
      return generate(core, exchange, { kind: "completion", dialect: "sglang", body: asked.body });
    case "POST /completion":
      return generate(core, exchange, { kind: "completion", dialect: "llama.cpp", body: asked.body });
    default:
      if (!answerQuestion(core, exchange, asked) && !answerOrder(core, exchange, asked)) {
        answerError(exchange, {
          ...serverError(404, `There is no ${exchange.method} ${asked.path.slice(0, 100)} here.`, "not_found"),
          type: "invalid_request_error",
        });
      }
      return null;
  }
}

/** Routes that change nothing. @returns false when the route is none of them. */
function answerQuestion(core: EngineCore, exchange: Exchange, asked: Asked): boolean {
  switch (`${exchange.method} ${asked.path}`) {
    case "GET /health":
      if (core.residence.isLoaded) answerText(exchange, 200, "", "text/plain");
      else answerError(exchange, serverError(503, "The model is loading.", "model_loading"));
      return true;
    case "GET /metrics":
      answerText(exchange, 200, core.metrics.render(core.loop.batch), PROMETHEUS_TEXT_TYPE);
      return true;
    case "GET /v1/models":
      answerJson(exchange, 200, { object: "list", data: core.limits.models.map((id) => modelEntry(core, id)) });
      return true;
    case "GET /version":
      answerJson(exchange, 200, { version: "tidegate-simulated" });
      return true;
    case "GET /is_sleeping":
      answerJson(exchange, 200, { is_sleeping: core.residence.isAsleep });
      return true;
    case "POST /tokenize":
      tokenizeRoute(core, exchange, asked.body);
      return true;
    case "POST /detokenize":
      detokenizeRoute(exchange, asked.body);
      return true;
    default:
      return false;
  }
}

/** Routes that change the engine; those that were not enabled do not exist. @returns false when the route is none of them. */
function answerOrder(core: EngineCore, exchange: Exchange, { path, query, body }: Asked): boolean {
  const { areFaultsEnabled, isSleepEnabled } = core.options;
  const order = `${exchange.method} ${path}`;
  if (areFaultsEnabled && order === "POST /tidegate/faults") injectRoute(core, exchange, body);
  else if (areFaultsEnabled && order === "DELETE /tidegate/faults") clearRoute(core, exchange);
  else if (isSleepEnabled && order === "POST /sleep") void sleepRoute(core, exchange, query);
  else if (isSleepEnabled && order === "POST /wake_up") void wakeRoute(core, exchange, query);
  else if (isSleepEnabled && order === "POST /collective_rpc") void rpcRoute(core, exchange, body);
  else if (isSleepEnabled && order === "POST /reset_prefix_cache") answerText(exchange, 200, "", "text/plain");
  else return false;
  return true;
}

const modelEntry = (core: EngineCore, id: string): object => ({
  id,
  object: "model",
  created: core.createdSeconds,
  owned_by: "tidegate",
  root: core.options.model,
  parent: id === core.options.model ? null : core.options.model,
  max_model_len: core.limits.contextLength,
});

function join(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
