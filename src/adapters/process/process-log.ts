import { mkdir, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MiB } from "../../base/bytes.ts";

/** A log over this size is set aside, in place of the one before it, at the next start. */
const LOG_BYTES_MAX = 4 * MiB;
const TAIL_BYTES_MAX = 2_048;

/** Makes room for one more start. @returns where its lines will begin. */
export async function prepareLog(path: string): Promise<number> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const size = await sizeOf(path);
  if (size <= LOG_BYTES_MAX) return size;
  await rename(path, `${path}.1`);
  return 0;
}

/** The last lines after `offset`, at most 2 KiB, beginning with a whole line; null = none. */
export async function logTail(path: string, offset: number): Promise<string | null> {
  const size = await sizeOf(path);
  const from = Math.max(offset, size - TAIL_BYTES_MAX);
  if (size <= from) return null;
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    const text = buffer.toString("utf8", 0, bytesRead);
    const isCut = from > offset;
    const whole = isCut ? text.slice(text.indexOf("\n") + 1) : text;
    return whole.trim() === "" ? null : whole.trimEnd();
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}
