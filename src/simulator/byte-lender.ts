/** What lent bytes hold after their callback. */
const OVERWRITTEN = 0xdb;
const PLACE_BYTES = 65_536;

/** Lends copies of bytes from one place, and writes over them when the borrower's call is over: who keeps what it was lent keeps garbage. */
export class ByteLender {
  readonly #place = new Uint8Array(PLACE_BYTES);
  #isLent = false;

  lend(bytes: Uint8Array, to: (lent: Uint8Array) => void): void {
    const isRoom = !this.#isLent && bytes.byteLength <= PLACE_BYTES;
    const lent = isRoom ? this.#place.subarray(0, bytes.byteLength) : new Uint8Array(bytes.byteLength);
    lent.set(bytes);
    if (isRoom) this.#isLent = true;
    try {
      to(lent);
    } finally {
      lent.fill(OVERWRITTEN);
      if (isRoom) this.#isLent = false;
    }
  }
}
