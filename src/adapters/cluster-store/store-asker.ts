import { err, ok, type Result } from "../../base/result.ts";
import type { StoreError } from "../../ports/cluster-store.ts";
import type { FromStoreWorker, StoreAnswer, StoreQuestion, ToStoreWorker } from "./sqlite-messages.ts";

/** Pairs questions to the store's thread with its answers, and answers for it when it is gone. */
export interface StoreAsker {
  ask(question: StoreQuestion): Promise<Result<StoreAnswer, StoreError>>;
  answered(message: Extract<FromStoreWorker, { type: "answered" }>): void;
  /** The thread is gone: a write under way may have been applied, later ones are not. */
  lost(reason: string): void;
  isLost(): boolean;
}

interface Waiting {
  readonly question: StoreQuestion;
  readonly settle: (answer: Result<StoreAnswer, StoreError>) => void;
}

export function createStoreAsker(thread: { post(message: ToStoreWorker): void; setBusy(isBusy: boolean): void }): StoreAsker {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let lostBecause: string | null = null;
  return {
    ask(question) {
      if (lostBecause !== null) return Promise.resolve(err({ code: "UNAVAILABLE", applied: "no", reason: lostBecause }));
      lastId += 1;
      const id = lastId;
      return new Promise((settle) => {
        waiting.set(id, { question, settle });
        if (waiting.size === 1) thread.setBusy(true);
        thread.post({ id, question });
      });
    },
    answered({ id, answer }) {
      waiting.get(id)?.settle(ok(answer));
      waiting.delete(id);
      if (waiting.size === 0) thread.setBusy(false);
    },
    lost(reason) {
      lostBecause ??= reason;
      for (const { question, settle } of waiting.values()) {
        settle(err({ code: "UNAVAILABLE", applied: question.ask === "apply" ? "unknown" : "no", reason }));
      }
      waiting.clear();
    },
    isLost: () => lostBecause !== null,
  };
}
