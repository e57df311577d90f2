import type { Fault } from "../../src/api/fault.ts";

const REQUEST_LIMIT_MS = 5_000;

/** Through the engine's own control port, which only `--enable-faults` opens. */
export async function injectFault(endpoint: string, fault: Fault, forMs: number): Promise<void> {
  const answer = await fetch(`${endpoint}/tidegate/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ fault, forMs }),
    signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
  });
  if (!answer.ok) throw new Error(`${endpoint} takes no fault: ${answer.status} ${await answer.text()}`);
}

/** Nothing to do when the engine is gone. */
export async function removeFaults(endpoint: string): Promise<void> {
  const signal = AbortSignal.timeout(REQUEST_LIMIT_MS);
  await fetch(`${endpoint}/tidegate/faults`, { method: "DELETE", signal }).catch(() => null);
}
