import { moveOf, onChange } from "./check-moves.ts";
import type { LadderChecker } from "./checker.ts";

/** Traffic returns by the configured steps, one after the other, and all of it belongs to hot only after the last one; an operator, a rollout and a lost rung need none. */
export const checkFailback = (): LadderChecker =>
  onChange("failback", (change) => {
    const { service, before, after } = change;
    const { stepsPercent } = service.config.failoverPolicy.failback;
    const [was, is] = [before.failback.step?.percent ?? null, after.failback.step?.percent ?? null];
    const wrongs: string[] = [];
    if (is !== null && after.level !== "warm" && after.level !== "cold") wrongs.push(`is on ${after.level}, and at a step of ${is} %`);
    if (is !== null && is !== was) {
      const next = stepsPercent.find((percent) => was === null || percent > was);
      if (is !== next) wrongs.push(`goes from ${was ?? 0} % to ${is} %, and not to ${next ?? 0} %`);
    }
    const move = moveOf(change);
    const isFailback = move !== null && move.requestedBy === "automatic" && move.cause === "failback";
    if (isFailback && was !== stepsPercent.at(-1) && before.openMove?.cause !== "rollout")
      wrongs.push(`fails back to hot from a step of ${was ?? 0} %`);
    return wrongs.map((what) => ({ whom: service.name, what }));
  });
