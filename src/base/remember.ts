/** How many are kept: those who ask about the same in turn (what is, and what would be) do not drive each other out. */
const KEPT = 2;

/**
 * What `make` made of the same parts lately; the parts are compared one by one, as objects. For results that are values, made of objects that
 * never change: who changed little makes little anew.
 */
export type Remembered<Value> = (parts: readonly unknown[], make: () => Value) => Value;

export function createRemembered<Value>(): Remembered<Value> {
  let kept: readonly { readonly parts: readonly unknown[]; readonly value: Value }[] = [];
  return (parts, make) => {
    const known = kept.find((entry) => isSameList(entry.parts, parts));
    if (known !== undefined) return known.value;
    const value = make();
    // A copy: the asker's list may grow.
    kept = [{ parts: [...parts], value }, ...kept].slice(0, KEPT);
    return value;
  };
}

function isSameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false;
  return true;
}
