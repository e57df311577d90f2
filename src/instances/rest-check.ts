import type { EngineKind } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { EnginePorts } from "./call-engine.ts";
import { askHealth, explainProbe, readSleepState } from "./probe-instance.ts";

const REST_TIMEOUT_MS = 3_000;

/** Is a sleeping engine there, and does it sleep? The question is its claim too, and no work: a request would crash it. */
export async function restCheck(
  ports: EnginePorts,
  of: { readonly address: EndpointAddress; readonly engine: EngineKind },
  signal: AbortSignal,
): Promise<{ readonly verdict: "alive" | "asleep" | "dead" | "unsure"; readonly detail: string }> {
  const state = await readSleepState(ports, of, REST_TIMEOUT_MS, signal);
  // An engine without that question tells only that it is there; nothing woke it that we know of.
  const told = state.ok && state.value === null ? await askHealth(ports, of.address, REST_TIMEOUT_MS, signal) : state;
  if (told.ok) return told.value === false ? { verdict: "alive", detail: "it is awake" } : { verdict: "asleep", detail: "it sleeps" };
  const isUnsure = told.error.code === "CANCELLED" || (told.error.code === "TIMEOUT" && told.error.isLate);
  return { verdict: isUnsure ? "unsure" : "dead", detail: explainProbe(told.error) };
}
