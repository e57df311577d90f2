/** The newest leader that a receiver of orders has heard of: what an older one orders is refused. */
export class HeardLeaders {
  #newest = 0;

  get newest(): number {
    return this.#newest;
  }

  /** null = who speaks is no leader. */
  heard(term: number | null): void {
    if (term !== null) this.#newest = Math.max(this.#newest, term);
  }

  isOld(term: number | null): boolean {
    return term !== null && term < this.#newest;
  }
}
