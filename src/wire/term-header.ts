/** On every call of a control plane to an engine: the term of its lease, in decimal. A gateway's calls have none. */
export const TERM_HEADER = "x-tidegate-term";

/** @returns the term that these raw header pairs name; null = none, or none that can be read. */
export function termOf(headers: readonly string[]): number | null {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() !== TERM_HEADER) continue;
    const term = Number(headers[at + 1]);
    return Number.isSafeInteger(term) && term > 0 ? term : null;
  }
  return null;
}
