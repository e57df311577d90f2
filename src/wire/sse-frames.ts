/** A frame longer than this is no event of an engine. */
export const FRAME_BYTES_MAX = 1_048_576;
/** The first is small: most answers are short, and it comes out of a pool. */
const FIRST_SLAB_BYTES = 2_048;
const SLAB_BYTES = 16_384;
const LF = 0x0a;
const CR = 0x0d;

/**
 * Cuts a byte stream into whole events at blank lines (LF, CR or CRLF). Lent bytes are copied once into a slab;
 * the frames are parts of it, never changed afterwards, so that they can be given on and kept.
 */
export class SseFrames {
  readonly #frameBytesMax: number;
  #slab: Buffer = Buffer.allocUnsafe(FIRST_SLAB_BYTES);
  /** Start of the open frame, scan position, and end of what is written, all in the slab. */
  #start = 0;
  #scanned = 0;
  #end = 0;
  #isAtLineStart = false;
  #wasReturn = false;
  /** The last byte was the CR of a blank line: whether an LF belongs to it, the next byte tells. No engine ends its lines by CR alone. */
  #isAtBlankReturn = false;

  constructor(frameBytesMax: number = FRAME_BYTES_MAX) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Bytes of a frame that is not complete. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /** @returns the frames that these bytes complete, separators included; null = a frame is too long. */
  push(lent: Uint8Array): readonly Buffer[] | null {
    if (this.pendingBytes + lent.length > this.#frameBytesMax) return null;
    this.#append(lent);
    const frames: Buffer[] = [];
    const slab = this.#slab;
    const end = this.#end;
    let isAtLineStart = this.#isAtLineStart;
    let wasReturn = this.#wasReturn;
    if (this.#isAtBlankReturn && this.#scanned < end) {
      this.#isAtBlankReturn = false;
      if (slab[this.#scanned] === LF) {
        this.#scanned += 1;
        wasReturn = false;
      }
      frames.push(slab.subarray(this.#start, this.#scanned));
      this.#start = this.#scanned;
    }
    for (let at = this.#scanned; at < end; at += 1) {
      const byte = slab[at];
      if (byte !== LF && byte !== CR) {
        isAtLineStart = false;
        wasReturn = false;
        continue;
      }
      const isSecondHalf = byte === LF && wasReturn;
      wasReturn = byte === CR;
      if (isSecondHalf) continue;
      const isBlank = isAtLineStart;
      isAtLineStart = !isBlank;
      if (!isBlank) continue;
      if (wasReturn && at + 1 === end) {
        this.#isAtBlankReturn = true;
        continue;
      }
      if (wasReturn && slab[at + 1] === LF) {
        at += 1;
        wasReturn = false;
      }
      frames.push(slab.subarray(this.#start, at + 1));
      this.#start = at + 1;
    }
    this.#isAtLineStart = isAtLineStart;
    this.#wasReturn = wasReturn;
    this.#scanned = end;
    return frames;
  }

  #append(lent: Uint8Array): void {
    // A frame keeps the memory of its slab: one that grew for a long event is not used on for short ones.
    const isOutgrown = this.#slab.length > SLAB_BYTES && this.pendingBytes === 0;
    if (isOutgrown || this.#end + lent.length > this.#slab.length) {
      const open = this.#slab.subarray(this.#start, this.#end);
      const slab = Buffer.allocUnsafe(Math.max(SLAB_BYTES, 2 * (open.length + lent.length)));
      slab.set(open, 0);
      this.#scanned -= this.#start;
      this.#end = open.length;
      this.#start = 0;
      this.#slab = slab;
    }
    this.#slab.set(lent, this.#end);
    this.#end += lent.length;
  }
}
