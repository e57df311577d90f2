/**
 * Another engine makes again what was shown. @param owed shown, and not made again yet. @returns what of it is owed still, and what of `text` is
 * new. null = it says something else than was shown.
 */
export function settleOwed(owed: string, text: string): { readonly owed: string; readonly fresh: string } | null {
  const same = Math.min(owed.length, text.length);
  if (owed.slice(0, same) !== text.slice(0, same)) return null;
  return { owed: owed.slice(same), fresh: text.slice(same) };
}
