import { err, ok, type Result } from "../base/result.ts";
import type { EngineKind } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { progressOf, sleepStateRequest, type Progress } from "../wire/dialect.ts";
import { parseSleepState } from "../wire/parse-known-answer.ts";
import { callEngine, type EngineAnswer, type EngineCallError, type EnginePorts } from "./call-engine.ts";

export type ProbeError = EngineCallError | { readonly code: "BAD_STATUS"; readonly status: number };

/** `GET /health` says 200. Of a hung engine it may say so too. */
export async function askHealth(
  ports: EnginePorts,
  to: EndpointAddress,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result<null, ProbeError>> {
  const answer = await get(ports, to, "/health", timeoutMs, signal);
  return answer.ok ? ok(null) : answer;
}

/** @returns null inside when the page has no progress counter of that engine. */
export async function readProgress(
  ports: EnginePorts,
  at: { readonly address: EndpointAddress; readonly engine: EngineKind },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result<Progress | null, ProbeError>> {
  const answer = await get(ports, at.address, "/metrics", timeoutMs, signal);
  return answer.ok ? ok(progressOf(at.engine, answer.value.text)) : answer;
}

/** Does it sleep? null inside when the engine has no such question; an answer that does not tell is an error. */
export async function readSleepState(
  ports: EnginePorts,
  of: { readonly address: EndpointAddress; readonly engine: EngineKind },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result<boolean | null, ProbeError>> {
  const question = sleepStateRequest(of.engine);
  if (question === null) return ok(null);
  const answer = await callEngine(ports, of.address, question, { timeoutMs }, signal);
  if (!answer.ok) return answer;
  if (answer.value.status !== 200) return err({ code: "BAD_STATUS", status: answer.value.status });
  const isAsleep = parseSleepState(answer.value.text);
  return isAsleep === null ? err({ code: "MALFORMED" }) : ok(isAsleep);
}

/** For people: `refused`, `no answer`, `status 503`. */
export function explainProbe(error: ProbeError): string {
  switch (error.code) {
    case "BAD_STATUS":
      return `it answers ${error.status}`;
    case "TIMEOUT":
    case "CONNECT_TIMEOUT":
      return "it does not answer";
    case "REFUSED":
      return "it refuses connections";
    case "RESET":
    case "CUT":
      return "it cuts the connection";
    case "MALFORMED":
    case "TOO_LARGE":
      return "it answers something that is no engine's";
    case "CANCELLED":
      return "the probe was cancelled";
  }
}

/** One GET that must answer 200. */
export async function get(
  ports: EnginePorts,
  to: EndpointAddress,
  target: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result<EngineAnswer, ProbeError>> {
  const answer = await callEngine(ports, to, { method: "GET", target, headers: [], body: null }, { timeoutMs }, signal);
  if (!answer.ok) return answer;
  return answer.value.status === 200 ? answer : err({ code: "BAD_STATUS", status: answer.value.status });
}
