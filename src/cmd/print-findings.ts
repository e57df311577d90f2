import { formatProblem, type Problem, type Warning } from "../api/problem.ts";
import { withoutControls } from "./explain.ts";

const lines = (finding: Problem | Warning): string => formatProblem(finding).split("\n").map(withoutControls).join("\n");

export const formatProblems = (problems: readonly Problem[]): string => problems.map((problem) => `${lines(problem)}\n`).join("");

export const formatWarnings = (warnings: readonly Warning[]): string => warnings.map((warning) => `warning: ${lines(warning)}\n`).join("");

/** `1 resource`, `2 resources`. */
export const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;
