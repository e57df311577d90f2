import type { z } from "zod";
import { isJsonObject } from "../base/json.ts";
import { fieldAt, namesBelow, ROOTS, type WrittenKind } from "./field-catalogue.ts";
import { LABEL_FORM } from "./field.ts";
import { formatPath, type Path, type ProblemFinding } from "./finding.ts";
import { nearestLabel, nearestName } from "./nearest-name.ts";
import { PROBLEM_CODES } from "./problem.ts";

type Issue = z.core.$ZodIssue;

/** What the schema found, in the words of the field catalogue. `raw` is what was checked; paths start with the kind's root. */
export function shapeFindings(kind: WrittenKind, raw: unknown, issues: readonly Issue[]): readonly ProblemFinding[] {
  return issues.flatMap((issue) => findingsOf(kind, raw, issue));
}

function findingsOf(kind: WrittenKind, raw: unknown, issue: Issue): readonly ProblemFinding[] {
  const root = ROOTS[kind];
  const at: Path = [...root, ...issue.path.map((step) => (typeof step === "symbol" ? String(step) : step))];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownField(kind, at, key));
  const value = valueAt(raw, at.slice(root.length));
  const expected = expectedAt(kind, at);
  const base = { at, why: expected.meaning, mark: "value" as const };
  const path = formatPath(at);
  if (value === undefined)
    return [{ ...base, code: "MISSING_FIELD", what: `${path} is missing.`, next: `Write ${expected.form}, such as ${expected.example}.` }];
  const what = `${path} is ${shown(value)}, not ${expected.form}.`;
  const next = `Write it as ${expected.example}.`;
  if (issue.code === "custom") return [customFinding(issue, { ...base, what, next })];
  if (issue.code === "too_small" && typeof value === "number" && value < 0) return [{ ...base, code: "NEGATIVE", what, next }];
  if (issue.code === "too_small" || issue.code === "too_big") return [{ ...base, code: "OUT_OF_RANGE", what, next }];
  if (isWrongType(issue, value)) return [{ ...base, code: "WRONG_TYPE", what, next }];
  const nearest = typeof value === "string" ? nearestValue(value, expected.form) : null;
  return [{ ...base, code: "WRONG_VALUE", what, next: nearest === null ? next : `Did you mean ${nearest}?` }];
}

function unknownField(kind: WrittenKind, parent: Path, key: string): ProblemFinding {
  const known = namesBelow(kind, parent);
  const nearest = nearestName(key, known);
  const path = formatPath([...parent, key.slice(0, 100)]);
  return {
    code: "UNKNOWN_FIELD",
    at: [...parent, key],
    mark: "key",
    what: `${path} is no field.`,
    why: `${formatPath(parent)} may hold ${known.join(", ")}.`,
    next: nearest === null ? "Remove it." : `Did you mean ${nearest}?`,
  };
}

/** Issues of our own text parsers carry their code and advice. */
function customFinding(issue: Extract<Issue, { code: "custom" }>, base: Omit<ProblemFinding, "code">): ProblemFinding {
  const code = PROBLEM_CODES.find((known) => known === issue.params?.["code"]) ?? "WRONG_VALUE";
  const next: unknown = issue.params?.["next"];
  return { ...base, code, why: `${issue.message} ${base.why}`, next: typeof next === "string" ? next : base.next };
}

function isWrongType(issue: Issue, value: unknown): boolean {
  if (issue.code === "invalid_type") return true;
  if (issue.code === "invalid_value") return !issue.values.some((known) => typeof known === typeof value);
  return issue.code === "invalid_union" && typeof value !== "string";
}

function expectedAt(kind: WrittenKind, at: Path): { readonly form: string; readonly example: string; readonly meaning: string } {
  const found = fieldAt(kind, at);
  if (found === null) {
    const names = namesBelow(kind, at);
    const isList = names.length === 0;
    const form = isList ? "a list" : "a group of fields";
    return {
      form,
      example: isList ? "- { ... }" : `{ ${names[0]}: ... }`,
      meaning: isList ? "It holds several items." : `It may hold ${names.join(", ")}.`,
    };
  }
  const { field, isItem } = found;
  return { form: isItem ? (field.itemForm ?? field.form) : field.form, example: field.example, meaning: field.meaning };
}

const nearestValue = (value: string, form: string): string | null =>
  form === LABEL_FORM ? nearestLabel(value) : nearestName(value, wordsOf(form));
const wordsOf = (form: string): readonly string[] => form.replace(/^one of /, "").split(/, | or /);

function valueAt(raw: unknown, at: Path): unknown {
  let value = raw;
  for (const step of at) {
    if (Array.isArray(value) && typeof step === "number") value = value[step];
    else if (isJsonObject(value) && typeof step === "string" && Object.hasOwn(value, step)) value = value[step];
    else return undefined;
  }
  return value;
}

const SHOWN_LENGTH_MAX = 60;

/** A value as a message may show it: short, one line, never the whole of a large text. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (isJsonObject(value)) return "a group of fields";
  if (value === null) return "empty";
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}
