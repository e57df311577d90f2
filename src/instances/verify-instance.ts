import { err, ok, type Result } from "../base/result.ts";
import type { ModelSpec } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { knownAnswerRequest } from "../wire/dialect.ts";
import { parseKnownAnswer } from "../wire/parse-known-answer.ts";
import { callEngine, type EnginePorts } from "./call-engine.ts";
import { explainProbe, type ProbeError } from "./probe-instance.ts";

export type VerifyError = ProbeError | { readonly code: "NO_ANSWER" } | { readonly code: "WRONG_ANSWER" };

/**
 * Asks for the known answer: the only proof that an engine generates what it should.
 * @param expected null = whatever comes is right, and is to be recorded.
 */
export async function verifyInstance(
  ports: EnginePorts,
  at: { readonly address: EndpointAddress; readonly model: Pick<ModelSpec, "name">; readonly expected: string | null },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result<string, VerifyError>> {
  const answer = await callEngine(ports, at.address, knownAnswerRequest(at.model), { timeoutMs }, signal);
  if (!answer.ok) return answer;
  if (answer.value.status !== 200) return err({ code: "BAD_STATUS", status: answer.value.status });
  const text = parseKnownAnswer(answer.value.text);
  if (text === null) return err({ code: "NO_ANSWER" });
  return at.expected === null || at.expected === text ? ok(text) : err({ code: "WRONG_ANSWER" });
}

export function explainVerify(error: VerifyError): string {
  if (error.code === "NO_ANSWER") return "its known answer has no text";
  if (error.code === "WRONG_ANSWER") return "its known answer is wrong";
  return `asked for the known answer, ${explainProbe(error)}`;
}
