import type { JsonObject } from "../base/json.ts";
import { unreachable } from "../base/assert.ts";
import type { StoreError } from "../ports/cluster-store.ts";
import { PLURALS } from "../api/resource.ts";
import type { AdminAnswer } from "./route.ts";

/** Kubernetes' `reason` with its HTTP status: the one table of this surface. */
export const STATUS_OF_REASON = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  Conflict: 409,
  AlreadyExists: 409,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  MisdirectedRequest: 421,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
} as const;
type StatusReason = keyof typeof STATUS_OF_REASON;

export interface Refusal {
  readonly reason: StatusReason;
  readonly message: string;
  /** Kubernetes' `details`: kind, name, causes. */
  readonly details?: JsonObject;
}

export const JSON_TYPE = "application/json";

export function answerJson(status: number, value: JsonObject): AdminAnswer {
  return { form: "whole", status, headers: ["content-type", JSON_TYPE, "cache-control", "no-store"], body: `${JSON.stringify(value)}\n` };
}

/** An error as Kubernetes says it: an object of kind `Status`. */
export function answerRefusal(refusal: Refusal): AdminAnswer {
  const code = STATUS_OF_REASON[refusal.reason];
  return answerJson(code, {
    apiVersion: "v1",
    kind: "Status",
    metadata: {},
    status: "Failure",
    message: refusal.message,
    reason: refusal.reason,
    ...(refusal.details === undefined ? {} : { details: refusal.details }),
    code,
  });
}

export function refusalOfStore(error: StoreError): Refusal {
  switch (error.code) {
    case "NOT_FOUND":
      return { reason: "NotFound", message: `${PLURALS[error.kind]} "${error.name}" not found`, details: detailsOf(error) };
    case "ALREADY_EXISTS":
      return { reason: "AlreadyExists", message: `${PLURALS[error.kind]} "${error.name}" already exists`, details: detailsOf(error) };
    case "CONFLICT":
      return {
        reason: "Conflict",
        message: `${PLURALS[error.kind]} "${error.name}" was changed meanwhile: read it again, apply the change to what you read, and send that`,
        details: detailsOf(error),
      };
    case "UNAVAILABLE":
      return {
        reason: "ServiceUnavailable",
        message: `The store does not answer (${error.reason}). ${error.applied === "no" ? "Nothing was changed." : "The change may or may not be there: look before you repeat it."}`,
      };
    default:
      return unreachable(error, "refusalOfStore");
  }
}

const detailsOf = (error: Extract<StoreError, { kind: unknown }>): JsonObject => ({ kind: error.kind, name: error.name });
