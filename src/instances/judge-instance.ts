import type { EngineKind, ModelSpec } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { EnginePorts } from "./call-engine.ts";
import { askHealth, explainProbe, readProgress, type ProbeError } from "./probe-instance.ts";
import { verifyInstance } from "./verify-instance.ts";

export interface Judgement {
  /** unsure = our own timers were late: somebody else, or we later, must judge. */
  readonly verdict: "alive" | "dead" | "unsure";
  /** For people: what was seen. */
  readonly detail: string;
}

const HEARTBEAT_TIMEOUT_MS = 3_000;
export const JUDGE_MS = 1_000;
const JUDGE_POLL_MS = 200;
const PROBE_TIMEOUT_MS = 400;

/** The cheap look at an engine that nobody complains of; also its claim. */
export async function hearInstance(ports: EnginePorts, address: EndpointAddress, signal: AbortSignal): Promise<Judgement> {
  const health = await askHealth(ports, address, HEARTBEAT_TIMEOUT_MS, signal);
  return health.ok ? { verdict: "alive", detail: "it answers" } : judgeError(health.error);
}

/**
 * Is an engine that somebody complains of dead or hung? It has a second to show a step: its counter moves under the load
 * that it has, or it gives the known answer. Answers without a step are no proof: a hung engine gives them.
 */
export async function judgeInstance(
  ports: EnginePorts,
  at: { readonly address: EndpointAddress; readonly engine: EngineKind; readonly model: Pick<ModelSpec, "name"> },
  signal: AbortSignal,
): Promise<Judgement> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  signal.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([watchSteps(ports, at, stop.signal), generates(ports, at, stop.signal)]);
  } finally {
    signal.removeEventListener("abort", end);
    stop.abort();
  }
}

/** Resolves only with a proof of life: everything else is left to the steps. */
function generates(ports: EnginePorts, at: Parameters<typeof judgeInstance>[1], signal: AbortSignal): Promise<Judgement> {
  return new Promise((resolve) => {
    void verifyInstance(ports, { address: at.address, model: at.model, expected: null }, JUDGE_MS, signal).then((answer) => {
      if (answer.ok) resolve({ verdict: "alive", detail: "it generates" });
    });
  });
}

async function watchSteps(ports: EnginePorts, at: Parameters<typeof judgeInstance>[1], signal: AbortSignal): Promise<Judgement> {
  const startedMs = ports.clock.monotonicMs();
  let firstSteps: number | null = null;
  let last: Judgement = { verdict: "unsure", detail: "nothing was seen" };
  while (!signal.aborted) {
    const progress = await readProgress(ports, at, PROBE_TIMEOUT_MS, signal);
    if (!progress.ok) last = judgeError(progress.error);
    else if (progress.value === null) last = { verdict: "dead", detail: "it answers, but generates nothing" };
    else {
      firstSteps ??= progress.value.steps;
      // A counter that went back is a restarted engine: the steps of another life.
      if (progress.value.steps > firstSteps) return { verdict: "alive", detail: "its steps go on" };
      last = { verdict: "dead", detail: "it answers, but makes no step" };
    }
    if (ports.clock.monotonicMs() - startedMs >= JUDGE_MS) return last;
    await ports.clock.sleep(JUDGE_POLL_MS, signal);
  }
  return { verdict: "unsure", detail: "the look was cancelled" };
}

function judgeError(error: ProbeError): Judgement {
  const isUnsure = error.code === "CANCELLED" || (error.code === "TIMEOUT" && error.isLate);
  return { verdict: isUnsure ? "unsure" : "dead", detail: explainProbe(error) };
}
