import type { JsonObject } from "../../base/json.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Random } from "../../ports/random.ts";
import { endProcess } from "./end-process.ts";
import {
  canIdentify,
  CANNOT_IDENTIFY,
  environmentOf,
  findByEnvironment,
  identify,
  isAlive,
  type ProcessIdentity,
} from "./process-identity.ts";
import { logTail, prepareLog } from "./process-log.ts";
import { readRunRecord, removeRunRecord, writeRunRecord, type RunRecord } from "./run-record.ts";
import { spawnDetached } from "./spawn-detached.ts";

const ADOPTED_LOOK_EACH_MS = 100;
const NONCE_BYTES = 12;

/** How processes of one sort are marked, so that each is found again: variable `name` with `<state id>/<process>/<nonce>`. */
interface ProcessMark {
  readonly name: string;
  /** `<state id>/<process>`. */
  readonly owner: string;
}

/** A process that is known by a record on disk, ours by birth or adopted after a restart. */
export interface RecordedProcess {
  readonly identity: ProcessIdentity;
  readonly about: JsonObject;
  /** What it carries in its environment. */
  readonly markValue: string;
  /** Why it ended, for people; an adopted one tells no reason. */
  readonly ended: Promise<string>;
  isAlive(): boolean;
  lastLog(): Promise<string | null>;
  /** TERM, KILL after the grace (0 = KILL at once); resolves when it and what it started are gone. */
  end(graceMs: number): Promise<void>;
}

export interface RecordedStart {
  readonly mark: ProcessMark;
  readonly recordPath: string;
  readonly logPath: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What a later adopter has to know. */
  readonly about: JsonObject;
}

/** Records the intent, starts, completes the record. Resolves when the process exists. */
export async function startRecorded(
  start: RecordedStart,
  ports: { readonly clock: Clock; readonly random: Random },
): Promise<Result<RecordedProcess, string>> {
  if (!canIdentify()) return err(CANNOT_IDENTIFY);
  const { recordPath, logPath, mark, about } = start;
  const nonce = ports.random.token(NONCE_BYTES);
  const value = `${mark.owner}/${nonce}`;
  try {
    const logOffset = await prepareLog(logPath);
    const intent: RunRecord = { nonce, pid: null, startTicks: null, logOffset, about };
    await writeRunRecord(recordPath, intent);
    const spawned = await spawnDetached({ command: start.command, env: { ...start.env, [mark.name]: value }, logPath });
    if (!spawned.ok) {
      await removeRunRecord(recordPath);
      return spawned;
    }
    // Gone already: its exit event comes; a start of zero ticks fits no living process.
    const identity = identify(spawned.value.pid) ?? { pid: spawned.value.pid, startTicks: "0" };
    await completeOrEnd(recordPath, { ...intent, ...identity }, () =>
      endProcess(identity, { graceMs: 0, mark: { name: mark.name, value }, clock: ports.clock }),
    );
    return ok(
      recorded({ identity, about, logPath, logOffset, mark: { name: mark.name, value }, ended: spawned.value.ended, clock: ports.clock }),
    );
  } catch (cause) {
    return err(cause instanceof Error ? cause.message : String(cause));
  }
}

/** A process that cannot be recorded, as on a full disk, must not stay: its starter is told that there is none. */
async function completeOrEnd(path: string, record: RunRecord, end: () => Promise<void>): Promise<void> {
  try {
    await writeRunRecord(path, record);
  } catch (cause) {
    await end();
    throw cause;
  }
}

/** Finds the process of a record again. null = it does not run; its pid may be somebody else's by now. */
export async function adoptRecorded(
  { recordPath, logPath, mark }: Pick<RecordedStart, "recordPath" | "logPath" | "mark">,
  clock: Clock,
): Promise<RecordedProcess | null> {
  const record = await readRunRecord(recordPath);
  if (record === null) return null;
  const value = `${mark.owner}/${record.nonce}`;
  const identity = await livingOf(record, { name: mark.name, value });
  if (identity === null) return null;
  if (record.pid === null) await writeRunRecord(recordPath, { ...record, ...identity });
  const { about, logOffset } = record;
  return recorded({ identity, about, logPath, logOffset, mark: { name: mark.name, value }, ended: watchAdopted(identity, clock), clock });
}

async function livingOf(record: RunRecord, mark: { readonly name: string; readonly value: string }): Promise<ProcessIdentity | null> {
  if (record.pid === null || record.startTicks === null) {
    // The starter died between intent and completion. What the process started itself carries the mark too: the oldest is the one.
    const carriers = (await findByEnvironment(mark.name, mark.value)).toSorted(
      (left, right) => Number(left.startTicks) - Number(right.startTicks),
    );
    const [oldest] = carriers;
    return oldest === undefined ? null : { pid: oldest.pid, startTicks: oldest.startTicks };
  }
  const identity = { pid: record.pid, startTicks: record.startTicks };
  return isAlive(identity) && environmentOf(record.pid, mark.name) === mark.value ? identity : null;
}

function watchAdopted(identity: ProcessIdentity, clock: Clock): Promise<string> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (isAlive(identity)) clock.after(ADOPTED_LOOK_EACH_MS, look);
      else resolve("ended");
    };
    clock.after(ADOPTED_LOOK_EACH_MS, look);
  });
}

function recorded(of: {
  readonly identity: ProcessIdentity;
  readonly about: JsonObject;
  readonly logPath: string;
  readonly logOffset: number;
  readonly mark: { readonly name: string; readonly value: string };
  readonly ended: Promise<string>;
  readonly clock: Clock;
}): RecordedProcess {
  return {
    identity: of.identity,
    about: of.about,
    markValue: of.mark.value,
    ended: of.ended,
    isAlive: () => isAlive(of.identity),
    lastLog: () => logTail(of.logPath, of.logOffset),
    end: (graceMs) => endProcess(of.identity, { graceMs, mark: of.mark, clock: of.clock }),
  };
}
