import type { Problem, Warning } from "../api/problem.ts";
import { isJsonObject, type JsonValue } from "../base/json.ts";

interface AppliedLine {
  readonly kind: string;
  readonly name: string;
  readonly action: string;
}

/** `details.problems` of a refusal of ours, or the `warnings` of an answer. */
export const parseProblems = (value: JsonValue | undefined): readonly Problem[] => findingsOf(value) as readonly Problem[];
export const parseWarnings = (value: JsonValue | undefined): readonly Warning[] => findingsOf(value) as readonly Warning[];

export function parseAppliedLines(value: JsonValue | undefined): readonly AppliedLine[] {
  return Array.isArray(value)
    ? (value.filter((line) => isJsonObject(line) && typeof line["name"] === "string") as readonly AppliedLine[])
    : [];
}

// The codes belong to the server, which may be newer; everything that is printed is checked to be text.
function findingsOf(value: JsonValue | undefined): unknown {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (finding) => isJsonObject(finding) && ["code", "path", "what", "why", "next"].every((field) => typeof finding[field] === "string"),
  );
}
