import type { Explanation } from "../base/result.ts";

/** 0 = done, 1 = refused or failed, 2 = the command line was wrong. */
export type ExitCode = 0 | 1 | 2;

/** Texts from engines, manifests and other hosts must not steer the terminal. */
export const withoutControls = (text: string): string => text.replaceAll(/\p{Cc}/gu, "?");

export const formatExplanation = ({ what, why, next }: Explanation): string =>
  `${withoutControls(what)}\n  why:  ${withoutControls(why)}\n  next: ${withoutControls(next)}\n`;

/** What, why and what next on the error stream; the caller ends with 1. */
export function refuse(explanation: Explanation): 1 {
  process.stderr.write(formatExplanation(explanation));
  return 1;
}
