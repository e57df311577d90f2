import type { Kind, Resource } from "../../api/resource.ts";
import type { Listing } from "../../ports/cluster-store.ts";
import { copyJson } from "./copy-json.ts";

/** Gives out one frozen object for each version of a stored one, however often it is read: what was made of it once holds for all reads. */
export interface ObjectKeeper {
  one(read: Resource): Resource;
  /** Everything of that kind. Equal listings are one object too. */
  all(kind: Kind, read: Listing): Listing;
  /** It may be gone. */
  forget(of: { readonly kind: Kind; readonly name: string }): void;
}

/** Holds no more than is stored. Answers must come in the order in which the store gave them. */
export function createObjectKeeper(): ObjectKeeper {
  const objects = new Map<Kind, Map<string, Resource>>();
  const listings = new Map<Kind, Listing>();
  const ofKind = (kind: Kind): Map<string, Resource> => {
    const known = objects.get(kind) ?? new Map<string, Resource>();
    objects.set(kind, known);
    return known;
  };
  const one = (read: Resource): Resource => {
    const kept = ofKind(read.kind);
    const known = kept.get(read.name);
    if (known !== undefined && known.uid === read.uid && known.version === read.version) return known;
    const frozen = frozenCopy(read);
    kept.set(read.name, frozen);
    return frozen;
  };
  return {
    one,
    all(kind, { items, ageMs }) {
      const known = listings.get(kind);
      const now = items.map(one);
      if (known !== undefined && known.ageMs === ageMs && isSameList(known.items, now)) return known;
      objects.set(kind, new Map(now.map((resource) => [resource.name, resource])));
      const listing = { items: Object.freeze(now), ageMs };
      listings.set(kind, listing);
      return listing;
    },
    forget: ({ kind, name }) => void objects.get(kind)?.delete(name),
  };
}

const isSameList = (one: readonly Resource[], other: readonly Resource[]): boolean =>
  one.length === other.length && one.every((resource, index) => resource === other[index]);

const frozenCopy = (read: Resource): Resource =>
  Object.freeze({
    ...read,
    labels: Object.freeze(read.labels),
    annotations: Object.freeze(read.annotations),
    spec: copyJson(read.spec),
    status: read.status === null ? null : copyJson(read.status),
  });
