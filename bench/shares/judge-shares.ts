export interface SharesRow {
  readonly name: string;
  /** null = void: what the row stands on did not hold. */
  readonly value: number | null;
  readonly unit: string;
  readonly must: string;
  readonly pass: boolean;
}

/** How far a class may be from what was asked for it. */
const SHARE_OFF_MAX_PERCENT = 2;
/** A published figure is one measurement of another machine. */
const PUBLISHED_OFF_MAX_PERCENT = 5;
/** An engine alone that is slower than its profile by more was short of processor: what it got of a GPU cannot be told. */
const PROFILE_OFF_MAX_PERCENT = 2;
const CONTAINED_WITHIN_MS = 2_000;

const offPercent = (value: number, asked: number): number => Math.abs(value / asked - 1) * 100;

/** One engine beside others. Rates are its own clients', tokens a second; `profile` is what its options make of it, alone. */
export interface MeasuredShare {
  readonly name: string;
  readonly asked: number;
  readonly alone: number | null;
  readonly beside: number | null;
  readonly profile: number;
}

/** Whether an engine alone was as fast as its profile: null, or why it was not. */
export function voidBy({ alone, profile }: Pick<MeasuredShare, "alone" | "profile">): string | null {
  if (alone === null) return "void: no answers alone";
  const off = offPercent(alone, profile);
  return off <= PROFILE_OFF_MAX_PERCENT ? null : `void: alone ${alone.toFixed(1)} tokens/s, by its profile ${profile.toFixed(1)}`;
}

export function shareRow(measured: MeasuredShare): SharesRow {
  const { name, asked, alone, beside } = measured;
  const row = { name: `share off asked, ${name}`, unit: "%" };
  const reason = voidBy(measured);
  if (reason !== null || alone === null) return { ...row, value: null, must: reason ?? "void", pass: false };
  const off = beside === null ? Number.POSITIVE_INFINITY : offPercent(beside / alone, asked);
  const achieved = beside === null ? "nothing" : (beside / alone).toFixed(4);
  return {
    ...row,
    value: off,
    must: `<= ${SHARE_OFF_MAX_PERCENT} (asked ${asked.toFixed(4)}, got ${achieved})`,
    pass: off <= SHARE_OFF_MAX_PERCENT,
  };
}

/** @param published how many times as slow the published detector was among so many. */
export function interferenceRow(name: string, measured: Omit<MeasuredShare, "name" | "asked">, published: number): SharesRow {
  const row = { name: `slowdown, ${name}`, unit: "times" };
  const reason = voidBy(measured);
  const { alone, beside } = measured;
  if (reason !== null || alone === null || beside === null) return { ...row, value: null, must: reason ?? "void: no answers", pass: false };
  const slowdown = alone / beside;
  return {
    ...row,
    value: slowdown,
    must: `${published.toFixed(2)} published, within ${PUBLISHED_OFF_MAX_PERCENT} %`,
    pass: offPercent(slowdown, published) <= PUBLISHED_OFF_MAX_PERCENT,
  };
}

/** @param tookMs null = it was never ended. */
export function containmentRow(name: string, tookMs: number | null): SharesRow {
  return {
    name: `containment, ${name}`,
    value: tookMs,
    unit: "ms",
    must: `<= ${CONTAINED_WITHIN_MS}`,
    pass: tookMs !== null && tookMs <= CONTAINED_WITHIN_MS,
  };
}

/** Who kept to its share, before a neighbour cheated and after that one was ended. */
export function returnedRow(rates: {
  readonly before: number | null;
  readonly during: number | null;
  readonly after: number | null;
}): readonly SharesRow[] {
  const { before, during, after } = rates;
  const percentOf = (rate: number | null): number | null => (rate === null || before === null ? null : (rate / before) * 100);
  const returned = percentOf(after);
  return [
    { name: "neighbour's rate while cheated, of before", value: percentOf(during), unit: "%", must: "reported", pass: true },
    {
      name: "neighbour's rate after containment, of before",
      value: returned,
      unit: "%",
      must: ">= 98",
      pass: returned !== null && returned >= 98,
    },
  ];
}
