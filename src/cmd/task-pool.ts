import { Worker } from "node:worker_threads";
import { performTask, type CampaignTask, type TaskAnswer } from "./campaign-task.ts";

/** Runs simulated worlds, each in one of its threads, or in this one. */
export interface TaskPool {
  /** How many may run at once. */
  readonly jobs: number;
  /** Rejects with what the world threw; the pool is of no use then. */
  run<Task extends CampaignTask>(task: Task): Promise<TaskAnswer<Task>>;
  close(): Promise<void>;
}

/** @param jobs threads, at least 1; with 1 worlds run in the caller's. */
export function createTaskPool(jobs: number): TaskPool {
  if (jobs === 1) return { jobs, run: performTask, close: () => Promise.resolve() };
  const workers = Array.from({ length: jobs }, () => new Worker(new URL("./campaign-worker.ts", import.meta.url)));
  const free = [...workers];
  const waiting: ((worker: Worker) => void)[] = [];
  const take = (): Promise<Worker> => {
    const worker = free.pop();
    return worker === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(worker);
  };
  const giveBack = (worker: Worker): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(worker);
    else next(worker);
  };
  return {
    jobs,
    run: async (task) => {
      const worker = await take();
      const answer = await ask(worker, task);
      giveBack(worker);
      return answer;
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** The thread's answer is of the task's kind: both ends are this program's (`campaign-worker.ts`). */
function ask<Task extends CampaignTask>(worker: Worker, task: Task): Promise<TaskAnswer<Task>> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => reject(cause);
    worker.once("error", failed);
    worker.once("message", (answer: TaskAnswer<Task>) => {
      worker.off("error", failed);
      resolve(answer);
    });
    worker.postMessage(task);
  });
}
