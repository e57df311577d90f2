import { ok } from "../../base/result.ts";
import type { ComputeTerms, GpuAccount } from "../../ports/gpu-account.ts";
import type { ComputeQuestion, TermsAnswer } from "./parse-compute-message.ts";

/** The compute of one connection: terms go over when they change, one answer at a time. */
export interface ServedCompute {
  answer(own: Pick<GpuAccount, "shareCompute">, question: ComputeQuestion): Promise<TermsAnswer>;
}

export function serveCompute(): ServedCompute {
  let share: ReturnType<GpuAccount["shareCompute"]> | null = null;
  let terms: ComputeTerms | null = null;
  let wake = (): void => undefined;

  const isKnown = (known: ComputeTerms | null): boolean =>
    known === terms || (known?.slowdown === terms?.slowdown && known?.isEnforced === terms?.isEnforced);

  return {
    async answer(own, question) {
      if (question.ask === "tell-use") {
        share?.tell(question);
        return ok(null);
      }
      share ??= own.shareCompute(question.gpus, (next) => {
        terms = next;
        wake();
      });
      // Ends with the connection: nobody hears an answer then.
      while (isKnown(question.known)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
      return ok(terms);
    },
  };
}
