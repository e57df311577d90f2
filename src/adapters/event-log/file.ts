import { closeSync, fstatSync, openSync, renameSync, write } from "node:fs";
import { wallMs } from "../../base/ids.ts";
import type { EventLog } from "../../ports/event-log.ts";
import { renderEvent } from "./render-event.ts";

/** Then the file becomes `<path>.1`, over the one before. */
const FILE_BYTES_MAX = 32 * 1_048_576;
/** Lines that wait for the disk; more are dropped, and the next line that is written says how many. */
const PENDING_CHARACTERS_MAX = 4 * 1_048_576;
const STANDARD_ERROR = 2;

/**
 * JSON lines, written one batch at a time and never waited for.
 * @param path null = standard error, which is never rotated.
 */
export function createFileEventLog(path: string | null, fileBytesMax: number = FILE_BYTES_MAX): EventLog {
  const file = path === null ? null : new RotatedFile(path, fileBytesMax);
  let pending = "";
  let droppedCount = 0;
  let isWriting = false;

  function flush(): void {
    if (isWriting || pending === "") return;
    const batch = Buffer.from(pending);
    pending = "";
    isWriting = true;
    write(file?.descriptorFor(batch.byteLength) ?? STANDARD_ERROR, batch, () => {
      // A full disk loses lines; it must not lose the process, and there is nowhere left to say so.
      isWriting = false;
      flush();
    });
  }

  return {
    record: (event) => {
      if (pending.length > PENDING_CHARACTERS_MAX) {
        droppedCount += 1;
        return;
      }
      const at = wallMs(Date.now());
      if (droppedCount > 0) {
        pending += `${renderEvent({ level: "warn", event: "log.dropped", fields: { count: droppedCount } }, at)}\n`;
        droppedCount = 0;
      }
      pending += `${renderEvent(event, at)}\n`;
      flush();
    },
  };
}

class RotatedFile {
  readonly #path: string;
  readonly #bytesMax: number;
  #descriptor: number;
  #bytes: number;

  constructor(path: string, bytesMax: number) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#descriptor = openSync(path, "a", 0o600);
    this.#bytes = fstatSync(this.#descriptor).size;
  }

  descriptorFor(byteLength: number): number {
    if (this.#bytes > 0 && this.#bytes + byteLength > this.#bytesMax) this.#rotate();
    this.#bytes += byteLength;
    return this.#descriptor;
  }

  #rotate(): void {
    closeSync(this.#descriptor);
    renameSync(this.#path, `${this.#path}.1`);
    this.#descriptor = openSync(this.#path, "a", 0o600);
    this.#bytes = 0;
  }
}
