import type { Explanation } from "../base/result.ts";

/** Everything that can be wrong with a manifest. Stable: programs compare these. */
export const PROBLEM_CODES = [
  "INVALID_YAML",
  "DUPLICATE_KEY",
  "YAML_BOMB",
  "TOO_LARGE",
  "TOO_DEEP",
  "UNKNOWN_KIND",
  "NOT_WRITABLE_KIND",
  "UNKNOWN_API_VERSION",
  "INVALID_NAME",
  "UNKNOWN_FIELD",
  "MISSING_FIELD",
  "WRONG_TYPE",
  "WRONG_VALUE",
  "WRONG_UNIT",
  "WRONG_FORMAT",
  "NEGATIVE",
  "OUT_OF_RANGE",
  "REMAINDER",
  "MIN_ABOVE_MAX",
  "WEIGHTS_MISMATCH",
  "ABOVE_QOS_CAP",
  "BELOW_WEIGHTS",
  "UNREACHABLE_STEP",
  "DUPLICATE_RESOURCE",
  "DUPLICATE_SERVICE",
  "NO_MATCHING_NODE",
  "LARGER_THAN_GPU",
  "UNSERVED_MODEL",
  "FORBIDDEN_ADDRESS",
  "PROMISE_IMPOSSIBLE",
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

/** What is accepted, and still worth knowing. */
export const WARNING_CODES = [
  "WEAKER_THAN_TIER",
  "ONE_ZONE",
  "HOT_ON_SPOT",
  "ADVISE_MODE",
  "NO_EFFECT",
  "NOT_YET",
  "TIER_INFERRED",
  "RESERVATION_CONFLICT",
  "RESERVATION_DERIVED",
  "RESERVATION_AMBIGUOUS",
  "PROMISE_AT_RISK",
] as const;
export type WarningCode = (typeof WARNING_CODES)[number];

/** One thing with its place. Lines and columns count from 1; null where there is no text, as over the admin API. */
interface Placed<Code extends string> extends Explanation {
  readonly code: Code;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** From the top of the resource: `spec.hotStandby.memoryReserved`, `spec.degraded[0].upTo`. */
  readonly path: string;
}
export type Problem = Placed<ProblemCode>;
export type Warning = Placed<WarningCode>;

/** Three lines for a terminal: where and what, then why, then what next. */
export function formatProblem(problem: Problem | Warning): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== null).join(":");
  return `${place === "" ? "" : `${place}: `}${problem.code}: ${problem.what}\n  ${problem.why}\n  ${problem.next}`;
}
