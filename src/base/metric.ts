import { assert } from "./assert.ts";

/** Most label sets of one metric; what comes later is added up in one series whose labels all say `overflow`. */
export const LABEL_SETS_MAX = 1_000;

export type MetricType = "counter" | "gauge" | "histogram";

/**
 * One label set of a metric. `cells` holds the value; of a histogram: the count of each bucket (not cumulative, the last one
 * without bound), then the sum. Doubles in a typed array: an observation allocates nothing.
 */
export interface MetricSeries {
  readonly labels: readonly string[];
  readonly cells: Float64Array;
}

/** One metric with all its label sets, as a renderer reads it. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly labelNames: readonly string[];
  /** Upper bounds of a histogram's buckets, ascending, without the infinite one; else empty. */
  readonly buckets: readonly number[];
  series(): Iterable<MetricSeries>;
}

export interface CounterHandle {
  /** `n` >= 0. */
  add(n: number): void;
}
export interface GaugeHandle {
  set(n: number): void;
}
export interface HistogramHandle {
  observe(x: number): void;
}
/** Handles are meant to be kept: `with` looks a label set up, the handle's call is one array store. */
export interface Metric<Handle> {
  with(...labels: readonly string[]): Handle;
  /** Forgets one label set, such as that of an instance that is gone; a handle that is still held writes nowhere. */
  remove(...labels: readonly string[]): void;
}

export interface MetricRegistry {
  counter(name: string, help: string, labelNames?: readonly string[]): Metric<CounterHandle>;
  gauge(name: string, help: string, labelNames?: readonly string[]): Metric<GaugeHandle>;
  histogram(name: string, help: string, labelNames: readonly string[], buckets: readonly number[]): Metric<HistogramHandle>;
  families(): readonly MetricFamily[];
}

/**
 * Metrics of one process, to be rendered by `wire/prometheus-text.ts`. Label values must come from closed sets, never from a request.
 * @param labelSetsMax of each metric; label sets beyond it are counted in `tidegate_metric_label_overflow_total`.
 */
export function createRegistry(labelSetsMax: number = LABEL_SETS_MAX): MetricRegistry {
  const families = new Map<string, MetricFamily>();
  const overflows = new SeriesTable({
    name: "tidegate_metric_label_overflow_total",
    help: "Label sets that were added up in one series because their metric has too many.",
    type: "counter",
    labelNames: ["metric"],
    buckets: [],
  });
  families.set(overflows.name, overflows);

  function define<Handle>(definition: Definition, handleOf: (cells: Float64Array) => Handle): Metric<Handle> {
    checkDefinition(definition);
    assert(!families.has(definition.name), `the metric ${definition.name} is defined once`);
    const table = new SeriesTable(definition);
    families.set(definition.name, table);
    return {
      with: (...labels) => {
        const isFull = table.size >= labelSetsMax && !table.has(labels);
        if (!isFull) return handleOf(table.cellsOf(labels));
        const counted = overflows.cellsOf([definition.name]);
        counted[0] = (counted[0] ?? 0) + 1;
        return handleOf(table.cellsOf(definition.labelNames.map(() => "overflow")));
      },
      remove: (...labels) => table.remove(labels),
    };
  }

  return {
    counter: (name, help, labelNames = []) => define({ name, help, type: "counter", labelNames, buckets: [] }, counterOf),
    gauge: (name, help, labelNames = []) => define({ name, help, type: "gauge", labelNames, buckets: [] }, gaugeOf),
    histogram: (name, help, labelNames, buckets) =>
      define({ name, help, type: "histogram", labelNames, buckets }, (cells) => histogramOf(cells, buckets)),
    families: () => [...families.values()],
  };
}

type Definition = Omit<MetricFamily, "series">;

function checkDefinition({ name, labelNames, buckets }: Definition): void {
  assert(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name), `${name} can be the name of a metric`);
  for (const label of labelNames) assert(/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) && label !== "le", `${name} can have the label ${label}`);
  for (const [index, bound] of buckets.entries()) {
    assert(Number.isFinite(bound) && bound > (buckets[index - 1] ?? Number.NEGATIVE_INFINITY), `the buckets of ${name} ascend`);
  }
}

function counterOf(cells: Float64Array): CounterHandle {
  return {
    add: (n) => {
      assert(n >= 0, "a counter never falls");
      cells[0] = (cells[0] ?? 0) + n;
    },
  };
}

function gaugeOf(cells: Float64Array): GaugeHandle {
  return {
    set: (n) => {
      cells[0] = n;
    },
  };
}

function histogramOf(cells: Float64Array, buckets: readonly number[]): HistogramHandle {
  const sumAt = buckets.length + 1;
  return {
    observe: (x) => {
      let at = 0;
      while (at < buckets.length && x > (buckets[at] ?? 0)) at += 1;
      cells[at] = (cells[at] ?? 0) + 1;
      cells[sumAt] = (cells[sumAt] ?? 0) + x;
    },
  };
}

/** The label sets of one metric, in the order of their first use. */
class SeriesTable implements MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly labelNames: readonly string[];
  readonly buckets: readonly number[];
  readonly #series = new Map<string, MetricSeries>();

  constructor(definition: Definition) {
    this.name = definition.name;
    this.help = definition.help;
    this.type = definition.type;
    this.labelNames = definition.labelNames;
    this.buckets = definition.buckets;
    // A metric without labels is there from the start, as zero: an alert on its absence would be wrong.
    if (definition.labelNames.length === 0) this.cellsOf([]);
  }

  get size(): number {
    return this.#series.size;
  }

  has(labels: readonly string[]): boolean {
    return this.#series.has(keyOf(labels));
  }

  cellsOf(labels: readonly string[]): Float64Array {
    assert(labels.length === this.labelNames.length, `${this.name} takes ${this.labelNames.length} label values`);
    const key = keyOf(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known.cells;
    const cells = new Float64Array(this.type === "histogram" ? this.buckets.length + 2 : 1);
    this.#series.set(key, { labels, cells });
    return cells;
  }

  remove(labels: readonly string[]): void {
    this.#series.delete(keyOf(labels));
  }

  series(): Iterable<MetricSeries> {
    return this.#series.values();
  }
}

// No label value holds NUL unless somebody wants to confuse two sets, and values come from closed sets.
const keyOf = (labels: readonly string[]): string => labels.join("\u0000");
