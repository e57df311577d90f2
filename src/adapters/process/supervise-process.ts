import { err, ok, type Result } from "../../base/result.ts";
import type { MonotonicMs } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Random } from "../../ports/random.ts";
import { endProcess } from "./end-process.ts";
import { adoptRecorded, startRecorded, type RecordedProcess } from "./recorded-process.ts";
import { formerOf } from "./record-successor.ts";
import { readRunRecord, readRunRecordNow, removeRunRecord } from "./run-record.ts";

const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5_000;
/** Up for so long, a process has shown that it can run: the next restart is quick again. */
const SETTLED_AFTER_MS = 5_000;
/** An adopted process that was started in another way is asked to end before the new one starts. */
const REPLACE_GRACE_MS = 5_000;
/** How soon one that another process has taken the place of is let go, and the other is looked after. */
const SUCCESSOR_LOOK_EACH_MS = 100;

/** Marks the helpers of one platform; engines carry another variable. */
export const MARK_NAME = "TIDEGATE_PROCESS";

export interface Supervision {
  /** Of the process, such as `gateway-0`. */
  readonly name: string;
  readonly stateId: string;
  readonly recordPath: string;
  readonly logPath: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Each end that nobody asked for, with the wait before the next start. */
  readonly onExit: (exit: { readonly reason: string; readonly lastLog: string | null; readonly restartAfterMs: number }) => void;
  /** Each start after the first. */
  readonly onRestart?: (pid: number) => void;
  /** Another process took its place by itself, as its record says. */
  readonly onTakeOver?: (pid: number) => void;
}

export interface SupervisedProcess {
  /** true = it ran already, from before this control plane. */
  readonly isAdopted: boolean;
  /** null = between an end and the next start. */
  pid(): number | null;
  /** Ends it for good: TERM, KILL after the grace; resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
  /** Looks after it no longer and lets it run. */
  release(): void;
}

/** Keeps one helper process running: adopts the recorded one when its command is the same, else starts it; restarts it when it ends. */
export async function superviseProcess(
  supervision: Supervision,
): Promise<Result<SupervisedProcess, { readonly code: "NOT_STARTED"; readonly reason: string }>> {
  const adopted = await adoptOrEnd(supervision);
  const first = adopted === null ? await start(supervision) : ok(adopted);
  if (!first.ok) return err({ code: "NOT_STARTED", reason: first.error });
  const keeper = new Keeper(supervision);
  keeper.keep(first.value);
  return ok({
    isAdopted: adopted !== null,
    pid: () => keeper.current?.identity.pid ?? null,
    stop: (graceMs) => keeper.stop(graceMs),
    release: () => keeper.release(),
  });
}

class Keeper {
  current: RecordedProcess | null = null;
  readonly #supervision: Supervision;
  #backoffMs = BACKOFF_FIRST_MS;
  #isReleased = false;
  #waiting: Timer | null = null;
  #looking: Timer | null = null;
  #starting: Promise<void> = Promise.resolve();

  constructor(supervision: Supervision) {
    this.#supervision = supervision;
  }

  keep(started: RecordedProcess): void {
    this.current = started;
    const startedAt = this.#supervision.clock.monotonicMs();
    void started.ended.then((reason) => this.#ended(started, startedAt, reason));
    this.#lookLater();
  }

  #lookLater(): void {
    this.#looking?.cancel();
    this.#looking = this.#supervision.clock.after(SUCCESSOR_LOOK_EACH_MS, () => {
      const pid = readRunRecordNow(this.#supervision.recordPath)?.pid ?? null;
      if (pid === null || pid === this.current?.identity.pid) this.#lookLater();
      else void this.#keepSuccessor().then((isKept) => !isKept && !this.#isReleased && this.current !== null && this.#lookLater());
    });
  }

  /** Takes over who is on record, if it runs and is another one. */
  async #keepSuccessor(): Promise<boolean> {
    const { clock, onTakeOver } = this.#supervision;
    const before = this.current;
    const recorded = await adoptRecorded({ ...this.#supervision, mark: markOf(this.#supervision) }, clock);
    if (recorded === null || this.#isReleased || this.current !== before || recorded.identity.pid === before?.identity.pid) return false;
    this.keep(recorded);
    onTakeOver?.(recorded.identity.pid);
    return true;
  }

  async #ended(was: RecordedProcess, startedAt: MonotonicMs, reason: string): Promise<void> {
    // One whose place was taken ends when it likes.
    if (this.current !== was) return;
    this.current = null;
    this.#looking?.cancel();
    if (this.#isReleased || (await this.#keepSuccessor()) || this.#isReleased) return;
    const upMs = this.#supervision.clock.monotonicMs() - startedAt;
    if (upMs >= SETTLED_AFTER_MS) this.#backoffMs = BACKOFF_FIRST_MS;
    const restartAfterMs = this.#nextBackoff();
    this.#waiting = this.#supervision.clock.after(restartAfterMs, () => this.#restart());
    this.#supervision.onExit({ reason, lastLog: await was.lastLog(), restartAfterMs });
  }

  #restart(): void {
    this.#starting = this.#startAgain();
  }

  async #startAgain(): Promise<void> {
    const { clock, onExit, onRestart } = this.#supervision;
    if (await this.#keepSuccessor()) return;
    const started = await start(this.#supervision);
    if (started.ok) {
      this.keep(started.value);
      onRestart?.(started.value.identity.pid);
      return;
    }
    const restartAfterMs = this.#nextBackoff();
    if (!this.#isReleased) this.#waiting = clock.after(restartAfterMs, () => this.#restart());
    onExit({ reason: started.error, lastLog: null, restartAfterMs });
  }

  /** A successor that was not noticed yet, and those before the present one that still have open streams. */
  async #endOthers(graceMs: number): Promise<void> {
    const { recordPath, clock } = this.#supervision;
    const { name, owner } = markOf(this.#supervision);
    const record = await readRunRecord(recordPath);
    const recorded = await adoptRecorded({ ...this.#supervision, mark: { name, owner } }, clock);
    const former = record === null ? [] : formerOf(record);
    await Promise.all([
      recorded?.identity.pid === this.current?.identity.pid ? null : recorded?.end(graceMs),
      ...former.map((one) => endProcess(one, { graceMs, mark: { name, value: `${owner}/${one.nonce}` }, clock })),
    ]);
  }

  #nextBackoff(): number {
    const backoffMs = this.#backoffMs;
    this.#backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
    return backoffMs;
  }

  release(): void {
    this.#isReleased = true;
    this.#waiting?.cancel();
    this.#looking?.cancel();
  }

  async stop(graceMs: number): Promise<void> {
    this.release();
    await this.#starting;
    await Promise.all([this.current?.end(graceMs), this.#endOthers(graceMs)]);
    await removeRunRecord(this.#supervision.recordPath);
  }
}

async function adoptOrEnd(supervision: Supervision): Promise<RecordedProcess | null> {
  const adopted = await adoptRecorded({ ...supervision, mark: markOf(supervision) }, supervision.clock);
  if (adopted === null || adopted.about["command"] === commandLine(supervision)) return adopted;
  await adopted.end(REPLACE_GRACE_MS);
  return null;
}

const start = (supervision: Supervision): Promise<Result<RecordedProcess, string>> =>
  startRecorded(
    { ...supervision, mark: markOf(supervision), about: { name: supervision.name, command: commandLine(supervision) } },
    supervision,
  );

const markOf = ({ stateId, name }: Supervision): { readonly name: string; readonly owner: string } => ({
  name: MARK_NAME,
  owner: `${stateId}/${name}`,
});
const commandLine = ({ command }: Supervision): string => JSON.stringify(command);
