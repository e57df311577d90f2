// Shares such as 0.1 do not add up exactly in binary: a choice that is due by this much is made.
const TOLERANCE = 1e-9;

/**
 * Picks a share of a sequence evenly and without chance: after any number of questions the picked ones are within 1 of the exact share.
 * What a pick is too much or too little is carried on to the next question (error diffusion).
 */
export class LowDiscrepancy {
  readonly #carried = new Map<string, number>();

  /** @param share 0..1. @returns true = this one is picked. The carried part is kept per `sequence`. */
  take(sequence: string, share: number): boolean {
    const due = (this.#carried.get(sequence) ?? 0) + Math.min(1, Math.max(0, share));
    const isTaken = due >= 1 - TOLERANCE;
    this.#carried.set(sequence, isTaken ? due - 1 : due);
    return isTaken;
  }

  /** Forgets the sequences that are not named. */
  retain(named: ReadonlySet<string>): void {
    for (const sequence of this.#carried.keys()) if (!named.has(sequence)) this.#carried.delete(sequence);
  }
}
