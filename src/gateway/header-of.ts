/** The first value of a header in raw pairs, or null. @param name in lower case. */
export function headerOf(headers: readonly string[], name: string): string | null {
  for (let at = 0; at < headers.length; at += 2) {
    const found = headers[at];
    if (found !== undefined && found.length === name.length && found.toLowerCase() === name) return headers[at + 1] ?? "";
  }
  return null;
}
