import { isJsonObject, type JsonObject } from "../../base/json.ts";
import { identify, isAlive } from "./process-identity.ts";
import { readRunRecord, writeRunRecord, type RunRecord } from "./run-record.ts";

/** A process that gave its place away and still runs: it has open streams. */
export interface FormerProcess {
  readonly pid: number;
  readonly startTicks: string;
  readonly nonce: string;
}

/**
 * Makes `pid` the process on record in place of `ownPid`, so that whoever looks after the one looks after the other.
 * @returns what makes the old record true again; null = `ownPid` is not on record, and nobody looks after it.
 */
export async function recordSuccessor(
  recordPath: string,
  of: { readonly ownPid: number; readonly pid: number; readonly nonce: string },
): Promise<(() => Promise<void>) | null> {
  const record = await readRunRecord(recordPath);
  const identity = identify(of.pid);
  if (record === null || record.pid !== of.ownPid || record.startTicks === null || identity === null) return null;
  const former: FormerProcess = { pid: record.pid, startTicks: record.startTicks, nonce: record.nonce };
  const about: JsonObject = { ...record.about, former: [...formerOf(record), former].map((one) => ({ ...one })) };
  await writeRunRecord(recordPath, { ...record, ...identity, nonce: of.nonce, about });
  return () => writeRunRecord(recordPath, record);
}

/** Those before the process on record that still run. */
export function formerOf(record: RunRecord): readonly FormerProcess[] {
  const { former } = record.about;
  if (!Array.isArray(former)) return [];
  return former.flatMap((one) => {
    if (!isJsonObject(one)) return [];
    const { pid, startTicks, nonce } = one;
    if (typeof pid !== "number" || typeof startTicks !== "string" || typeof nonce !== "string") return [];
    return isAlive({ pid, startTicks }) ? [{ pid, startTicks, nonce }] : [];
  });
}
