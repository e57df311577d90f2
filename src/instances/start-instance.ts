import { err, ok, type Result } from "../base/result.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { EngineLauncher, LaunchPlan } from "../ports/engine-launcher.ts";
import type { EnginePorts } from "./call-engine.ts";
import { askHealth } from "./probe-instance.ts";
import { explainVerify, verifyInstance } from "./verify-instance.ts";

/** booting = its process is there; loading = it answers, though not by 200 yet. */
export type StartStage = "launching" | "booting" | "loading" | "verifying";
export type StartError =
  | { readonly code: "NOT_LAUNCHED"; readonly reason: string }
  | { readonly code: "NOT_READY_IN_TIME"; readonly afterMs: number }
  | { readonly code: "NOT_VERIFIED"; readonly reason: string }
  | { readonly code: "START_CANCELLED" };

const HEALTH_POLL_MS = 50;
const HEALTH_TIMEOUT_MS = 1_000;
const VERIFY_TIMEOUT_MS = 10_000;
/** Beside the load itself: imports, compilation, several loads that share one link. */
const START_FIXED_MS = 60_000;
const LOAD_SHARERS_MAX = 8;

/**
 * Makes the engine of `plan` exist, waits until its health says 200, asks for the known answer. Each step may be repeated:
 * an engine that runs already is only waited for and verified.
 * @param told hears each stage as it begins.
 * @returns the known answer, not yet compared.
 */
export async function startInstance(
  ports: EnginePorts & { readonly launcher: Pick<EngineLauncher, "ensure"> },
  plan: LaunchPlan,
  told: (stage: StartStage) => void,
  signal: AbortSignal,
): Promise<Result<string, StartError>> {
  told("launching");
  const launched = await ports.launcher.ensure(plan);
  if (!launched.ok) return err({ code: "NOT_LAUNCHED", reason: launched.error.reason });
  told("booting");
  const { address } = launched.value;
  const withinMs = startDeadlineMs(plan);
  const healthy = await waitForHealth({ ...ports, booted: () => told("loading") }, address, withinMs, signal);
  if (signal.aborted) return err({ code: "START_CANCELLED" });
  if (!healthy) return err({ code: "NOT_READY_IN_TIME", afterMs: withinMs });
  told("verifying");
  const verified = await verifyInstance(ports, { address, model: plan.model, expected: null }, VERIFY_TIMEOUT_MS, signal);
  if (verified.ok) return ok(verified.value);
  return signal.aborted ? err({ code: "START_CANCELLED" }) : err({ code: "NOT_VERIFIED", reason: explainVerify(verified.error) });
}

/** A start that takes longer has failed: the load at its share of a crowded link, and a fixed part. */
export function startDeadlineMs(plan: Pick<LaunchPlan, "model" | "load">): number {
  const loadMs = (plan.model.weightsBytes / Math.max(1, plan.load.bytesPerSecond)) * 1_000;
  return Math.round(START_FIXED_MS + LOAD_SHARERS_MAX * loadMs);
}

export function explainStart(error: StartError): string {
  switch (error.code) {
    case "NOT_LAUNCHED":
      return error.reason;
    case "NOT_READY_IN_TIME":
      return `its health did not say 200 within ${Math.round(error.afterMs / 1_000)} s`;
    case "NOT_VERIFIED":
      return error.reason;
    case "START_CANCELLED":
      return "the start was cancelled";
  }
}

async function waitForHealth(
  ports: EnginePorts & { readonly booted: () => void },
  address: EndpointAddress,
  withinMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const deadlineMs = ports.clock.monotonicMs() + withinMs;
  let isBooted = false;
  while (!signal.aborted && ports.clock.monotonicMs() < deadlineMs) {
    const health = await askHealth(ports, address, HEALTH_TIMEOUT_MS, signal);
    if (!isBooted && (health.ok || health.error.code === "BAD_STATUS")) {
      isBooted = true;
      ports.booted();
    }
    if (health.ok) return true;
    await ports.clock.sleep(HEALTH_POLL_MS, signal);
  }
  return false;
}
