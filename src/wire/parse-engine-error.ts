import { isJsonObject } from "../base/json.ts";
import type { OpenAiError } from "./openai-error.ts";

// The only words of an engine that a client may see: its texts can leak addresses (CVE-2026-22778).
const CODES: ReadonlySet<string> = new Set([
  "context_length_exceeded",
  "invalid_value",
  "invalid_type",
  "missing_required_parameter",
  "unknown_parameter",
  "unsupported_parameter",
  "unsupported_value",
  "model_not_found",
  "string_above_max_length",
  "array_above_max_length",
]);
const PARAMS: ReadonlySet<string> = new Set([
  "messages",
  "prompt",
  "model",
  "max_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "n",
  "stop",
  "stream",
  "stream_options",
  "tools",
  "tool_choice",
  "response_format",
  "logprobs",
  "top_logprobs",
  "seed",
  "presence_penalty",
  "frequency_penalty",
  "logit_bias",
  "input",
  "instructions",
  "max_output_tokens",
  "dimensions",
  "encoding_format",
]);

/** What a client is told when an engine refuses its request: our own words around a code and a parameter from closed lists. */
export function parseEngineError(status: number, body: string, contextLength: number): OpenAiError {
  const { code, param, message } = readError(body);
  const isTooLong = code === "context_length_exceeded" || /maximum context length|max_model_len|context (?:size|length)/i.test(message);
  const shown = isTooLong ? "context_length_exceeded" : CODES.has(code) ? code : "invalid_request";
  return {
    status: status === 404 || status === 422 ? status : 400,
    type: status === 404 ? "not_found_error" : "invalid_request_error",
    code: shown,
    message: isTooLong
      ? `The prompt and the answer together exceed the model's context of ${contextLength} tokens.`
      : `The engine refused the request${PARAMS.has(param) ? ` because of '${param}'` : ""}.`,
    param: PARAMS.has(param) ? param : null,
    retry: { kind: "never" },
  };
}

function readError(body: string): { code: string; param: string; message: string } {
  const error = parseObject(body);
  const text = (key: string): string => {
    const value = error?.[key];
    return typeof value === "string" ? value : "";
  };
  return { code: text("code"), param: text("param"), message: text("message") };
}

/** OpenAI's form has the error inside `error`; older vLLM sends it bare. */
function parseObject(body: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(body) as unknown;
    if (!isJsonObject(value)) return null;
    return isJsonObject(value["error"]) ? value["error"] : value;
  } catch (cause) {
    if (cause instanceof SyntaxError) return null;
    throw cause;
  }
}
