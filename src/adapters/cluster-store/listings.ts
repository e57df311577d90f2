import type { Kind, Resource } from "../../api/resource.ts";
import type { Listing } from "../../ports/cluster-store.ts";

/** The stored objects of each kind by name, kept up to date write by write: a listing is one object until one of its kind is written. */
export interface Listings {
  /** null = nothing is known of that kind yet. */
  of(kind: Kind): Listing | null;
  /** @param listing everything of that kind, sorted by name. @returns the same. */
  replace(kind: Kind, listing: Listing): Listing;
  /** null = it is gone. Of a kind of which nothing is known, nothing is kept. */
  changed(of: { readonly kind: Kind; readonly name: string }, to: Resource | null): void;
  /** Nothing is known any more. */
  forgetAll(): void;
}

interface Kept {
  listing: Listing;
  /** What was written since it was made. */
  readonly written: Map<string, Resource | null>;
}

/** null = it is not in the list. */
export function findIn({ items }: Listing, name: string): Resource | null {
  const there = items[placeOf(name, items)];
  return there?.name === name ? there : null;
}

export function createListings(): Listings {
  const kinds = new Map<Kind, Kept>();
  return {
    of(kind) {
      const kept = kinds.get(kind);
      if (kept === undefined) return null;
      if (kept.written.size > 0) {
        kept.listing = { items: Object.freeze(after(kept.listing.items, kept.written)), ageMs: kept.listing.ageMs };
        kept.written.clear();
      }
      return kept.listing;
    },
    replace(kind, listing) {
      kinds.set(kind, { listing, written: new Map() });
      return listing;
    },
    changed: ({ kind, name }, to) => void kinds.get(kind)?.written.set(name, to),
    forgetAll: () => kinds.clear(),
  };
}

function after(items: readonly Resource[], written: ReadonlyMap<string, Resource | null>): readonly Resource[] {
  const next = items.slice();
  for (const [name, resource] of written) {
    const at = placeOf(name, next);
    const isThere = next[at]?.name === name;
    if (resource !== null) next.splice(at, isThere ? 1 : 0, resource);
    else if (isThere) next.splice(at, 1);
  }
  return next;
}

/** Where the name is, or belongs. */
function placeOf(name: string, sorted: readonly Resource[]): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const there = sorted[middle];
    if (there !== undefined && there.name < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
