import { assert } from "../base/assert.ts";

// For tests: as much of Prometheus 2 as the alert rules' text asks for, written from its documentation and apart from the evaluation
// that it checks. It reads the text, so text and data of a rule are compared too.

type Labels = Readonly<Record<string, string>>;
export interface FakeSample {
  readonly atMs: number;
  /** null = the target is gone: what Prometheus marks as stale. */
  readonly value: number | null;
}
export interface FakeSeries {
  readonly name: string;
  readonly labels: Labels;
  /** Oldest first. */
  readonly samples: readonly FakeSample[];
}
interface Element {
  readonly labels: Labels;
  readonly value: number;
}
type Vector = readonly Element[];
type Query = (series: readonly FakeSeries[], atMs: number) => Vector;

const TOKEN = /[A-Z_a-z][\w:]*|"[^"]*"|\d+(?:\.\d+)?[a-z]*|=~|==|[(),/=>[\]{}]/g;
const UNIT_MS = new Map([
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** @returns what the expression is at a time. A word that it does not know fails the test. */
export function parseQuery(text: string): Query {
  const tokens = new Tokens(text);
  const query = readAnd(tokens);
  assert(tokens.peek() === undefined, `the expression ends before ${tokens.peek()}`);
  return query;
}

class Tokens {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(TOKEN) ?? [];
    assert(this.#tokens.join("") === text.replaceAll(/\s/g, ""), `every sign of ${text} is known`);
  }

  peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  next(): string {
    const token = this.peek();
    assert(token !== undefined, "the expression goes on");
    this.#at += 1;
    return token;
  }

  take(token: string): boolean {
    const isNext = this.peek() === token;
    if (isNext) this.#at += 1;
    return isNext;
  }

  expect(...tokens: readonly string[]): void {
    for (const token of tokens) assert(this.take(token), `${token} follows, not ${this.peek()}`);
  }

  /** Up to `end`, with commas between. */
  list<Item>(end: string, read: () => Item): readonly Item[] {
    const items: Item[] = [];
    while (!this.take(end)) {
      items.push(read());
      if (this.peek() !== end) this.expect(",");
    }
    return items;
  }
}

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1)));

function readAnd(tokens: Tokens): Query {
  let left = readComparison(tokens);
  while (tokens.take("and")) {
    const [both, right] = [left, readComparison(tokens)];
    left = (series, atMs) => {
      const there = new Set(right(series, atMs).map(({ labels }) => keyOf(labels)));
      return both(series, atMs).filter(({ labels }) => there.has(keyOf(labels)));
    };
  }
  return left;
}

function readComparison(tokens: Tokens): Query {
  const left = readQuotient(tokens);
  const sign = tokens.peek();
  if (sign !== ">" && sign !== "==") return left;
  tokens.next();
  const bound = Number(tokens.next());
  return (series, atMs) => left(series, atMs).filter(({ value }) => (sign === ">" ? value > bound : value === bound));
}

function readQuotient(tokens: Tokens): Query {
  const over = readTerm(tokens);
  if (!tokens.take("/")) return over;
  const under = readTerm(tokens);
  return (series, atMs) => {
    const divisors = new Map(under(series, atMs).map(({ labels, value }) => [keyOf(labels), value]));
    return over(series, atMs).flatMap(({ labels, value }) => {
      const divisor = divisors.get(keyOf(labels));
      return divisor === undefined ? [] : [{ labels, value: value / divisor }];
    });
  };
}

function readTerm(tokens: Tokens): Query {
  const word = tokens.next();
  switch (word) {
    case "sum":
      return readAggregate(tokens, (one, other) => one + other);
    case "max":
      return readAggregate(tokens, Math.max);
    case "rate":
      return readRate(tokens);
    case "histogram_quantile":
      return readQuantile(tokens);
    case "absent": {
      tokens.expect("(");
      const of = readAnd(tokens);
      tokens.expect(")");
      return (series, atMs) => (of(series, atMs).length === 0 ? [{ labels: {}, value: 1 }] : []);
    }
    default: {
      const select = readSelector(tokens, word);
      return (series, atMs) =>
        select(series).flatMap(({ labels, samples }) => {
          const newest = samples.filter((sample) => sample.atMs <= atMs).at(-1);
          if (newest === undefined || newest.value === null || atMs - newest.atMs > 300_000) return [];
          return [{ labels, value: newest.value }];
        });
    }
  }
}

function readSelector(tokens: Tokens, name: string): (series: readonly FakeSeries[]) => readonly FakeSeries[] {
  const matchers = !tokens.take("{")
    ? []
    : tokens.list("}", () => {
        const label = tokens.next();
        tokens.expect("=~");
        return { label, pattern: new RegExp(`^(?:${tokens.next().slice(1, -1)})$`) };
      });
  return (series) =>
    series.filter((one) => one.name === name && matchers.every(({ label, pattern }) => pattern.test(one.labels[label] ?? "")));
}

function readAggregate(tokens: Tokens, add: (one: number, other: number) => number): Query {
  tokens.expect("by", "(");
  const kept = tokens.list(")", () => tokens.next());
  tokens.expect("(");
  const of = readAnd(tokens);
  tokens.expect(")");
  return (series, atMs) => {
    const groups = new Map<string, Element>();
    for (const { labels, value } of of(series, atMs)) {
      const shared = Object.fromEntries(
        kept.flatMap((label) => {
          const name = labels[label];
          return name === undefined ? [] : [[label, name] as const];
        }),
      );
      const known = groups.get(keyOf(shared));
      groups.set(keyOf(shared), { labels: shared, value: known === undefined ? value : add(known.value, value) });
    }
    return [...groups.values()];
  };
}

function readRate(tokens: Tokens): Query {
  tokens.expect("(");
  const select = readSelector(tokens, tokens.next());
  tokens.expect("[");
  const [, count = "", unit = ""] = /^(\d+)([a-z])$/.exec(tokens.next()) ?? [];
  tokens.expect("]", ")");
  const rangeMs = Number(count) * (UNIT_MS.get(unit) ?? Number.NaN);
  return (series, atMs) =>
    select(series).flatMap(({ labels, samples }) => {
      const value = rateOver(samples, atMs, rangeMs);
      return value === null ? [] : [{ labels, value }];
    });
}

function rateOver(samples: readonly FakeSample[], atMs: number, rangeMs: number): number | null {
  const fromMs = atMs - rangeMs;
  let [fallen, top] = [0, 0];
  // A line that only rises: what was lost at each fall is put under what follows.
  const line = samples.flatMap((sample) => {
    if (sample.value === null || sample.atMs < fromMs || sample.atMs > atMs) return [];
    if (sample.value < top) fallen += top;
    top = sample.value;
    return [{ atMs: sample.atMs, height: fallen + sample.value }];
  });
  const [start, end] = [line[0], line.at(-1)];
  if (start === undefined || end === undefined || line.length < 2) return null;
  const rise = end.height - start.height;
  const spanSeconds = (end.atMs - start.atMs) / 1_000;
  const meanSeconds = spanSeconds / (line.length - 1);
  const drawnOut = (gapSeconds: number): number => (gapSeconds < meanSeconds * 1.1 ? gapSeconds : meanSeconds / 2);
  const headSeconds = (start.atMs - fromMs) / 1_000;
  const sinceZeroSeconds = rise > 0 ? spanSeconds * (start.height / rise) : Number.POSITIVE_INFINITY;
  const coveredSeconds = spanSeconds + drawnOut(Math.min(headSeconds, sinceZeroSeconds)) + drawnOut((atMs - end.atMs) / 1_000);
  return rise * (coveredSeconds / spanSeconds / (rangeMs / 1_000));
}

function readQuantile(tokens: Tokens): Query {
  tokens.expect("(");
  const quantile = Number(tokens.next());
  tokens.expect(",");
  const of = readAnd(tokens);
  tokens.expect(")");
  return (series, atMs) => {
    const histograms = Map.groupBy(of(series, atMs), ({ labels: { le: _le, ...others } }) => keyOf(others));
    return [...histograms.values()].flatMap((buckets) => {
      const { le: _le, ...labels } = buckets[0]?.labels ?? {};
      const value = quantileOf(quantile, buckets);
      return Number.isNaN(value) ? [] : [{ labels, value }];
    });
  };
}

function quantileOf(quantile: number, buckets: Vector): number {
  const bound = ({ labels }: Element): number => (labels["le"] === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels["le"]));
  const sorted = buckets.toSorted((one, other) => bound(one) - bound(other));
  const wanted = quantile * Math.max(...sorted.map(({ value }) => value));
  let [lowerBound, belowCount] = [0, 0];
  for (const bucket of sorted) {
    const count = Math.max(belowCount, bucket.value);
    if (wanted > 0 && count >= wanted) {
      if (bound(bucket) === Number.POSITIVE_INFINITY) return lowerBound;
      return lowerBound + (bound(bucket) - lowerBound) * ((wanted - belowCount) / (count - belowCount));
    }
    [lowerBound, belowCount] = [bound(bucket), count];
  }
  return Number.NaN;
}

/** What Prometheus makes of a rule's results: only its newest unbroken run matters. `history` has one entry for each evaluation. */
export function alertOfRuns(history: readonly { readonly atMs: number; readonly isActive: boolean }[], forMs: number) {
  const last = history.at(-1);
  const lastActive = history.findLastIndex(({ isActive }) => isActive);
  if (last === undefined || lastActive < 0) return { state: "inactive" };
  const before = history.slice(0, lastActive).findLastIndex(({ isActive }) => !isActive);
  const run = history.slice(before + 1, lastActive + 1);
  const activeSinceMs = run[0]?.atMs ?? last.atMs;
  const firedAtMs = run.find(({ atMs }) => atMs - activeSinceMs >= forMs)?.atMs;
  if (last.isActive) return firedAtMs === undefined ? { state: "pending", activeSinceMs } : { state: "firing", activeSinceMs, firedAtMs };
  const resolvedAtMs = history[lastActive + 1]?.atMs ?? last.atMs;
  if (firedAtMs === undefined || last.atMs - resolvedAtMs > 900_000) return { state: "inactive" };
  return { state: "resolved", firedAtMs, resolvedAtMs };
}
