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

interface PoolWorker {
  readonly thread: Worker;
  tasks: number;
}

/** A thread keeps about half a megabyte of each world: after so many another takes its place. */
const TASKS_MAX = 250;

const startWorker = (): PoolWorker => ({ thread: new Worker(new URL("./campaign-worker.ts", import.meta.url)), tasks: 0 });

/** @param jobs threads, at least 1; with 1 worlds run in the caller's. */
export function createTaskPool(jobs: number): TaskPool {
  if (jobs === 1) return { jobs, run: performTask, close: () => Promise.resolve() };
  const workers = new Set(Array.from({ length: jobs }, startWorker));
  const free = [...workers];
  const waiting: ((worker: PoolWorker) => void)[] = [];
  const take = (): Promise<PoolWorker> => {
    const worker = free.pop();
    return worker === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(worker);
  };
  const renew = (worn: PoolWorker): PoolWorker => {
    void worn.thread.terminate();
    const worker = startWorker();
    workers.delete(worn);
    workers.add(worker);
    return worker;
  };
  const giveBack = (worker: PoolWorker): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(worker);
    else next(worker);
  };
  return {
    jobs,
    run: async (task) => {
      const worker = await take();
      const answer = await ask(worker.thread, task);
      worker.tasks += 1;
      giveBack(worker.tasks < TASKS_MAX ? worker : renew(worker));
      return answer;
    },
    close: async () => {
      await Promise.all([...workers].map(({ thread }) => thread.terminate()));
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
