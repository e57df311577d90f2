import type { MetricFamily, MetricRegistry, MetricSeries } from "../base/metric.ts";

/** Media type of what `renderPrometheus` returns. */
export const PROMETHEUS_TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The whole registry in Prometheus' text format 0.0.4. */
export function renderPrometheus(registry: Pick<MetricRegistry, "families">): string {
  const lines: string[] = [];
  for (const family of registry.families()) {
    lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}`, `# TYPE ${family.name} ${family.type}`);
    for (const series of family.series()) {
      if (family.type === "histogram") renderHistogram(family, series, lines);
      else lines.push(`${family.name}${renderLabels(family, series)} ${formatNumber(series.cells[0] ?? 0)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function renderHistogram(family: MetricFamily, series: MetricSeries, lines: string[]): void {
  let cumulated = 0;
  for (let at = 0; at <= family.buckets.length; at += 1) {
    cumulated += series.cells[at] ?? 0;
    const bound = formatNumber(family.buckets[at] ?? Number.POSITIVE_INFINITY);
    lines.push(`${family.name}_bucket${renderLabels(family, series, bound)} ${cumulated}`);
  }
  const labels = renderLabels(family, series);
  lines.push(`${family.name}_sum${labels} ${formatNumber(series.cells[family.buckets.length + 1] ?? 0)}`);
  lines.push(`${family.name}_count${labels} ${cumulated}`);
}

function renderLabels(family: MetricFamily, series: MetricSeries, le?: string): string {
  const pairs = family.labelNames.map((name, index) => `${name}="${escapeLabel(series.labels[index] ?? "")}"`);
  if (le !== undefined) pairs.push(`le="${le}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

/**
 * One sample name out of anybody's metrics page, such as `vllm:generation_tokens_total`: the sum over its label sets.
 * @returns null when the page has no number of that name.
 */
export function readMetric(text: string, name: string): number | null {
  let sum: number | null = null;
  let from = 0;
  for (;;) {
    const at = text.indexOf(name, from);
    if (at < 0) return sum;
    from = at + name.length;
    const isLineStart = at === 0 || text.charCodeAt(at - 1) === NEWLINE;
    if (!isLineStart) continue;
    const value = readSample(text, from);
    if (value !== null) sum = (sum ?? 0) + value;
  }
}

const NEWLINE = 0x0a;

/** @returns the number after the labels that start at `from`; null when the name goes on there, or no number follows. */
function readSample(text: string, from: number): number | null {
  const next = text[from];
  if (next !== "{" && next !== " " && next !== "\t") return null;
  const valueFrom = next === "{" ? endOfLabels(text, from + 1) : from;
  if (valueFrom === null) return null;
  const lineEnd = text.indexOf("\n", valueFrom);
  const [word = ""] = text
    .slice(valueFrom, lineEnd < 0 ? text.length : lineEnd)
    .trim()
    .split(/[ \t]/, 1);
  return parseNumber(word);
}

/** A closing brace inside a quoted label value closes nothing. */
function endOfLabels(text: string, from: number): number | null {
  let isQuoted = false;
  for (let at = from; at < text.length; at += 1) {
    const character = text[at];
    if (character === "\n") return null;
    if (isQuoted && character === "\\") at += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === "}" && !isQuoted) return at + 1;
  }
  return null;
}

function parseNumber(word: string): number | null {
  if (word === "+Inf" || word === "Inf") return Number.POSITIVE_INFINITY;
  if (word === "-Inf") return Number.NEGATIVE_INFINITY;
  const value = word === "" ? Number.NaN : Number(word);
  return Number.isNaN(value) ? null : value;
}
