import type { LadderView } from "./ladder-view.ts";

/** Something that must never be. */
export interface Wrong {
  /** The service, instance, GPU, record or request. */
  readonly whom: string;
  readonly what: string;
}

export interface Violation extends Wrong {
  /** Virtual time. */
  readonly atMs: number;
  readonly checker: string;
}

/** Looks at the world from outside, after every step and every stored change; remembers what it needs of the views before. */
export interface LadderChecker {
  readonly name: string;
  look(view: LadderView): readonly Wrong[];
}

export const formatViolation = ({ atMs, checker, whom, what }: Violation): string =>
  `${(atMs / 1_000).toFixed(3)} s, ${checker}, ${whom}: ${what}`;
