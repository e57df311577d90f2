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
  const begun: LeaseAsk[] = [...holding];
  const granted: number[] = [];
  // One that waits for several GPUs keeps them for itself against all that come after it: else it might wait for ever.
  const kept = new Set<string>();
  const isHeld = (gpu: string): boolean => kept.has(gpu) || begun.some((holder) => holder.gpus.includes(gpu));
  const ordered = [...waiting.entries()].toSorted(([, left], [, right]) => compareAsks(left, right));
  const waitingUrgent: LeaseAsk[] = [];
  for (const [index, ask] of ordered) {
    const ahead = ask.link === null ? null : (waitingUrgent.find(({ link }) => link === ask.link) ?? dearestOver(ask.link, begun));
    const isFree = !ask.gpus.some(isHeld) && !(ahead !== null && yieldsTo(ask, ahead)) && !bootsLater(ask, [...begun, ...waitingUrgent]);
    if (isFree) {
      begun.push(ask);
      granted.push(index);
      continue;
    }
    for (const gpu of ask.gpus) kept.add(gpu);
    if (ask.isUrgent) waitingUrgent.push(ask);
  }
  return granted;
}

function dearestOver(link: string, holding: readonly LeaseAsk[]): LeaseAsk | null {
  return holding.filter((holder) => holder.isUrgent && holder.link === link).toSorted(compareAsks)[0] ?? null;
}

const bootsLater = (ask: LeaseAsk, others: readonly LeaseAsk[]): boolean =>
  ask.bootsOn !== null && others.some((other) => other.isUrgent && other.bootsOn === ask.bootsOn && yieldsTo(ask, other));

/** Equally dear ones share the link: one after another they would take as long in all. */
const yieldsTo = (ask: LeaseAsk, urgent: LeaseAsk): boolean => compareAsks(ask, urgent) > 0;

const compareAsks = (left: LeaseAsk, right: LeaseAsk): number =>
  Number(right.isUrgent) - Number(left.isUrgent) || left.tierRank - right.tierRank || right.priority - left.priority;
