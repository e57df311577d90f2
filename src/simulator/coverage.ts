/** How often each thing was seen, by section and key. */
export type Coverage = Readonly<Record<string, Readonly<Record<string, number>>>>;

export class CoverageCounter {
  readonly #sections = new Map<string, Map<string, number>>();

  count(section: string, key: string, times: number = 1): void {
    const counts = this.#sections.get(section) ?? new Map<string, number>();
    this.#sections.set(section, counts);
    counts.set(key, (counts.get(key) ?? 0) + times);
  }

  add(coverage: Coverage): void {
    for (const [section, counts] of Object.entries(coverage)) {
      for (const [key, times] of Object.entries(counts)) this.count(section, key, times);
    }
  }

  /** Sections and keys in the order of their names. */
  read(): Coverage {
    const byName = <Value>(map: ReadonlyMap<string, Value>): [string, Value][] =>
      [...map].toSorted(([left], [right]) => (left < right ? -1 : 1));
    return Object.fromEntries(byName(this.#sections).map(([section, counts]) => [section, Object.fromEntries(byName(counts))]));
  }
}

/** One section after the other, the most frequent first. `expected` names keys that a section should have: those never seen are listed. */
export function renderCoverage(coverage: Coverage, expected: Readonly<Record<string, readonly string[]>>): string {
  const sections = [...new Set([...Object.keys(coverage), ...Object.keys(expected)])];
  return sections
    .map((section) => {
      const counts = Object.entries(coverage[section] ?? {}).toSorted(([, left], [, right]) => right - left);
      const missing = (expected[section] ?? []).filter((key) => coverage[section]?.[key] === undefined);
      const rows = [...counts, ...missing.map((key) => [key, 0] as const)].map(([key, times]) => `  ${String(times).padStart(9)}  ${key}`);
      return `${section} (${counts.length}${missing.length === 0 ? "" : `, ${missing.length} never seen`})\n${rows.join("\n")}\n`;
    })
    .join("\n");
}
