/**
 * Maps a list that comes again and again with few changes: where the same object stands at the same place as the time before, what was made of
 * it stays, and where that is so everywhere, so does the list. For objects that never change, and results that are values.
 */
export function createKeptMap<From extends object, To extends object>(map: (from: From) => To): (list: readonly From[]) => readonly To[] {
  let last: readonly From[] = [];
  let made: readonly To[] = [];
  return (list) => {
    if (list === last) return made;
    let isSame = list.length === last.length;
    const next = list.map((from, index) => {
      const known = from === last[index] ? made[index] : undefined;
      if (known === undefined) isSame = false;
      return known ?? map(from);
    });
    last = list;
    if (!isSame) made = next;
    return made;
  };
}
