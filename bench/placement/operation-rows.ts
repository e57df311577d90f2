import { seeded } from "../failover/seeded.ts";
import type { Progress } from "../failover/progress.ts";
import { fleetLedger, migLedger, partitionLedger, type Ledger } from "./operation-ledgers.ts";
import type { PlacementRow } from "./rows.ts";

const OPERATIONS = 1_000_000;
const TOLD_EACH = 100_000;
/** Each with its share of the operations. The fleet is small enough to be full most of the time. */
const PARTS: readonly { readonly open: () => Ledger; readonly ratio: number }[] = [
  { open: () => fleetLedger(64), ratio: 0.5 },
  { open: () => partitionLedger(512), ratio: 0.2 },
  { open: () => migLedger(64), ratio: 0.3 },
];

export interface Operated {
  readonly name: string;
  readonly operations: number;
  readonly wrong: number;
  /** Of all that was decided, in order. */
  readonly hash: number;
  /** Steps that found no place. */
  readonly refused: number;
}

/** @param tell hears of every hundred thousandth operation. */
export function operate(
  ledger: Ledger,
  of: { readonly operations: number; readonly seed: number },
  tell: () => void = () => undefined,
): Operated {
  const chance = seeded(of.seed);
  let hash = 0x811c9dc5;
  let refused = 0;
  for (let at = 1; at <= of.operations; at++) {
    const decided = ledger.step(chance);
    if (decided === 0) refused++;
    hash = Math.imul(hash ^ decided, 0x01000193) >>> 0;
    if (at % TOLD_EACH === 0) tell();
  }
  return { name: ledger.name, operations: of.operations, wrong: ledger.wrongCount(), hash, refused };
}

/** A million operations by chance, checked by books that know nothing of the code under test; then all of them once more. */
export function operationRows(progress: Progress, seed: number): readonly PlacementRow[] {
  const once = (): readonly Operated[] =>
    PARTS.map(({ open, ratio }) => {
      const ledger = open();
      return operate(ledger, { operations: Math.round(OPERATIONS * ratio), seed }, () => progress.update(`operations: ${ledger.name}`));
    });
  const first = once();
  const second = once();
  for (const { name, operations, refused } of first) progress.line(`${name}: ${operations} operations, ${refused} found no place`);
  const differing = first.filter(({ hash }, index) => hash !== second[index]?.hash).length;
  const total = first.reduce((sum, { operations }) => sum + operations, 0);
  const none = (name: string, value: number, unit: string): PlacementRow => ({ name, value, unit, must: "<= 0", pass: value === 0 });
  return [
    { name: "operations by chance", value: total, unit: "operations", must: `>= ${OPERATIONS}`, pass: total >= OPERATIONS },
    ...first.map(({ name, wrong }) => none(`over-commits and illegal layouts, ${name}`, wrong, "times")),
    none("parts that decide otherwise the second time", differing, "parts"),
  ];
}
