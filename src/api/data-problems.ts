import type { z } from "zod";
import { formatPath } from "./finding.ts";
import type { Problem } from "./problem.ts";

/** For data that programs wrote: what it is and where it broke is enough. */
export function dataProblems(of: string, issues: readonly z.core.$ZodIssue[]): readonly Problem[] {
  return issues.slice(0, PROBLEMS_MAX).map((issue) => ({
    code: "WRONG_VALUE",
    file: null,
    line: null,
    column: null,
    path: formatPath(issue.path.map((step) => (typeof step === "symbol" ? String(step) : step))),
    what: `${of} is not readable.`,
    why: issue.message,
    next: "It was written by another version or by hand: delete it, and it is made anew.",
  }));
}

const PROBLEMS_MAX = 20;
