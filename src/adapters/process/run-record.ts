import { readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isJsonObject, type JsonObject } from "../../base/json.ts";

/** Written before a process is started and completed afterwards, so that no crash in between loses the process. */
export interface RunRecord {
  /** Unguessable; the process carries it in its environment. */
  readonly nonce: string;
  /** null = the intent alone: the process may or may not have been started. */
  readonly pid: number | null;
  readonly startTicks: string | null;
  /** Where this start's lines begin in the log. */
  readonly logOffset: number;
  readonly about: JsonObject;
}

/**
 * Atomic: a reader sees the old record or the new one, whoever is killed. Not synced to the disk: a power loss that
 * takes the record takes the process with it.
 */
export async function writeRunRecord(path: string, record: RunRecord): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.new`;
  await writeFile(aside, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  await rename(aside, path);
}

/** @returns null when there is none, or none that can be read. */
export async function readRunRecord(path: string): Promise<RunRecord | null> {
  try {
    return recordOf(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return null;
  }
}

/** As `readRunRecord`, at once: for a question that is asked often and whose file is small and warm. */
export function readRunRecordNow(path: string): RunRecord | null {
  try {
    return recordOf(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
}

export const removeRunRecord = (path: string): Promise<void> => rm(path, { force: true });

function recordOf(raw: unknown): RunRecord | null {
  if (!isJsonObject(raw)) return null;
  const { nonce, pid, startTicks, logOffset, about } = raw;
  if (typeof nonce !== "string" || typeof logOffset !== "number" || about === undefined || !isJsonObject(about)) return null;
  const isWhole = typeof pid === "number" && typeof startTicks === "string";
  return { nonce, pid: isWhole ? pid : null, startTicks: isWhole ? startTicks : null, logOffset, about };
}
