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

/**
 * A checker of nothing but what `partsOf` names: what it said of these very objects still holds. Views share what did not change, so that
 * most of them need no look.
 */
export function checkParts(
  name: string,
  partsOf: (view: LadderView) => readonly unknown[],
  judge: (view: LadderView) => readonly Wrong[],
): LadderChecker {
  let judged: { readonly parts: readonly unknown[]; readonly wrongs: readonly Wrong[] } | null = null;
  return {
    name,
    look(view) {
      const parts = partsOf(view);
      if (judged === null || parts.some((part, index) => part !== judged?.parts[index])) judged = { parts, wrongs: judge(view) };
      return judged.wrongs;
    },
  };
}

export const formatViolation = ({ atMs, checker, whom, what }: Violation): string =>
  `${(atMs / 1_000).toFixed(3)} s, ${checker}, ${whom}: ${what}`;
