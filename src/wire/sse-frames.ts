/** A frame longer than this is no event of an engine. */
export const FRAME_BYTES_MAX = 1_048_576;
/** The first is small: most answers are short, and it comes out of a pool. */
const FIRST_SLAB_BYTES = 2_048;
const SLAB_BYTES = 16_384;

/**
 * Cuts a byte stream into whole events at blank lines (LF, CR or CRLF). Lent bytes are copied once into a slab;
 * the frames are parts of it, never changed afterwards, so that they can be given on and kept.
 */
export class SseFrames {
  #slab: Buffer = Buffer.allocUnsafe(FIRST_SLAB_BYTES);
  /** Start of the open frame, scan position, and end of what is written, all in the slab. */
  #start = 0;
  #scanned = 0;
  #end = 0;
  #isAtLineStart = false;
  #wasReturn = false;

  /** Bytes of a frame that is not complete. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /** @returns the frames that these bytes complete, separators included; null = a frame is too long. */
  push(lent: Uint8Array): readonly Buffer[] | null {
    if (this.pendingBytes + lent.length > FRAME_BYTES_MAX) return null;
    this.#append(lent);
    const frames: Buffer[] = [];
    for (let at = this.#scanned; at < this.#end; at += 1) {
      if (!this.#endsFrame(this.#slab[at], at)) continue;
      // CR LF CR LF: the frame is over at the second CR, its LF belongs to it when it is here already.
      if (this.#wasReturn && this.#slab[at + 1] === 0x0a && at + 1 < this.#end) {
        at += 1;
        this.#wasReturn = false;
      }
      frames.push(this.#slab.subarray(this.#start, at + 1));
      this.#start = at + 1;
    }
    this.#scanned = this.#end;
    return frames;
  }

  #endsFrame(byte: number | undefined, at: number): boolean {
    if (byte === 0x0a) {
      if (this.#wasReturn) {
        this.#wasReturn = false;
        return false;
      }
      return this.#endsLine(at);
    }
    if (byte === 0x0d) {
      this.#wasReturn = true;
      return this.#endsLine(at);
    }
    this.#wasReturn = false;
    this.#isAtLineStart = false;
    return false;
  }

  #endsLine(at: number): boolean {
    const isBlank = this.#isAtLineStart && at >= this.#start;
    this.#isAtLineStart = !isBlank;
    return isBlank;
  }

  #append(lent: Uint8Array): void {
    if (this.#end + lent.length > this.#slab.length) {
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
