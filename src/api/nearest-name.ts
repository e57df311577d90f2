/** The known name that `name` most likely means; null when none is near enough to be a slip. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const wanted = name.slice(0, NAME_LENGTH_MAX).toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? known.find((candidate) => isPartOf(wanted, candidate.toLowerCase())) ?? null;
}

/** `soakTime` for `soak`, `conc` for `concurrency`: a word too many or cut short. */
const isPartOf = (left: string, right: string): boolean =>
  Math.min(left.length, right.length) >= 3 && (left.startsWith(right) || right.startsWith(left));

/** The text with what a DNS label cannot hold replaced; null when nothing is left. */
export function nearestLabel(text: string): string | null {
  const repaired = text
    .slice(0, 63)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return repaired === "" ? null : repaired;
}

// Keeps the quadratic comparison small whatever the manifest says.
const NAME_LENGTH_MAX = 64;

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const replaced = (last[column - 1] ?? 0) + (isSame ? 0 : 1);
      let cost = Math.min(replaced, (last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}
