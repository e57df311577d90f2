import { isJsonObject } from "../base/json.ts";
import { isBrokenOff } from "./parse-responses-event.ts";
import { isAborted, parseUsage } from "./parse-sse-event.ts";

/** What a complete answer without streaming is. */
export type WholeAnswer =
  | { readonly kind: "answer"; readonly tokens: { readonly promptTokens: number; readonly outputTokens: number } }
  /** Some engines report a failure inside a 200. */
  | { readonly kind: "error" }
  | { readonly kind: "garbage" };

// Building larger answers would hold up everybody else; their edges are looked at only.
const PARSED_BYTES_MAX = 1_048_576;

export function parseWholeAnswer(body: Buffer): WholeAnswer {
  if (body.length > PARSED_BYTES_MAX) {
    const edges = body.subarray(0, 64).toString("latin1").trimStart().charAt(0) + body.subarray(-64).toString("latin1").trimEnd().slice(-1);
    return edges === "{}" ? { kind: "answer", tokens: usageAtEnd(body) } : { kind: "garbage" };
  }
  try {
    const value = JSON.parse(body.toString("utf8")) as unknown;
    if (!isJsonObject(value)) return { kind: "garbage" };
    if ((value["error"] !== undefined && value["error"] !== null) || isAborted(value)) return { kind: "error" };
    if (value["object"] === "response" && isBrokenOff(value)) return { kind: "error" };
    return { kind: "answer", tokens: parseUsage(value["usage"]) ?? { promptTokens: 0, outputTokens: 0 } };
  } catch (cause) {
    if (cause instanceof SyntaxError) return { kind: "garbage" };
    throw cause;
  }
}

/** Engines write usage last: vectors of many inputs make a long answer. */
const USAGE_BYTES_MAX = 1_024;

function usageAtEnd(body: Buffer): { readonly promptTokens: number; readonly outputTokens: number } {
  const end = body.subarray(-USAGE_BYTES_MAX).toString("latin1");
  const usage = end.slice(Math.max(0, end.lastIndexOf('"usage"')));
  const count = (name: string): number => Number(new RegExp(`"${name}"\\s*:\\s*(\\d{1,15})`).exec(usage)?.[1] ?? 0);
  return {
    promptTokens: count("prompt_tokens") || count("input_tokens"),
    outputTokens: count("completion_tokens") || count("output_tokens"),
  };
}
