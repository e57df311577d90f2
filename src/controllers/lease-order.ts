/** What one task needs before it may move memory. */
export interface LeaseAsk {
  /** `node/gpu` of each; all or none of them are given. */
  readonly gpus: readonly string[];
  /** `node/link` that its bytes go over; null = it moves none. */
  readonly link: string | null;
  /** The machine on which an engine boots, with all the processors that it can get; null = it boots none, or has done so. */
  readonly bootsOn: string | null;
  /** Its service has nobody to serve it. */
  readonly isUrgent: boolean;
  /** 0 = the dearest promise. */
  readonly tierRank: number;
  /** Larger goes first inside a tier. */
  readonly priority: number;
}

/**
 * Which of the waiting may begin now; gives indexes into `waiting`. One holder a GPU; over one link nothing that only restores
 * redundancy begins while something urgent runs or waits there, and urgent ones begin in tier, then priority order. Nobody boots on a
 * machine beside an urgent boot that is dearer.
 * @param waiting in order of arrival.
 */
export function grantable(holding: readonly LeaseAsk[], waiting: readonly LeaseAsk[]): readonly number[] {
  const granted: number[] = [];
  const ahead = new Ahead();
  for (const ask of holding) ahead.begins(ask);
  const ordered = [...waiting.entries()].toSorted(([, left], [, right]) => compareAsks(left, right));
  for (const [index, ask] of ordered) {
    if (ahead.isInTheWay(ask)) {
      ahead.waits(ask);
      continue;
    }
    ahead.begins(ask);
    granted.push(index);
  }
  return granted;
}

/** What stands before the next one: who holds, and who waits before it. Of those that are urgent, the dearest on each link and machine. */
class Ahead {
  readonly #gpus = new Set<string>();
  readonly #onLinks = new Map<string, LeaseAsk>();
  readonly #waitingForLinks = new Map<string, LeaseAsk>();
  readonly #booting = new Map<string, LeaseAsk>();

  isInTheWay(ask: LeaseAsk): boolean {
    if (ask.gpus.some((gpu) => this.#gpus.has(gpu))) return true;
    const overLink = ask.link === null ? undefined : (this.#waitingForLinks.get(ask.link) ?? this.#onLinks.get(ask.link));
    if (overLink !== undefined && yieldsTo(ask, overLink)) return true;
    const boots = ask.bootsOn === null ? undefined : this.#booting.get(ask.bootsOn);
    return boots !== undefined && yieldsTo(ask, boots);
  }

  begins(ask: LeaseAsk): void {
    this.#keep(ask, this.#onLinks);
  }

  waits(ask: LeaseAsk): void {
    this.#keep(ask, this.#waitingForLinks);
  }

  // One that waits for several GPUs keeps them for itself against all that come after it: else it might wait for ever.
  #keep(ask: LeaseAsk, links: Map<string, LeaseAsk>): void {
    for (const gpu of ask.gpus) this.#gpus.add(gpu);
    if (!ask.isUrgent) return;
    if (ask.link !== null) keepDearest(links, ask.link, ask);
    if (ask.bootsOn !== null) keepDearest(this.#booting, ask.bootsOn, ask);
  }
}

function keepDearest(into: Map<string, LeaseAsk>, key: string, ask: LeaseAsk): void {
  const known = into.get(key);
  if (known === undefined || compareAsks(ask, known) < 0) into.set(key, ask);
}

/** Equally dear ones share the link: one after another they would take as long in all. */
const yieldsTo = (ask: LeaseAsk, urgent: LeaseAsk): boolean => compareAsks(ask, urgent) > 0;

const compareAsks = (left: LeaseAsk, right: LeaseAsk): number =>
  Number(right.isUrgent) - Number(left.isUrgent) || left.tierRank - right.tierRank || right.priority - left.priority;
