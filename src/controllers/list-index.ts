import type { Resource } from "../api/resource.ts";

/** What is made of the objects of one kind, grouped; of each listing only that is looked at which differs from the one before. */
export interface ListIndex<Key, Value> {
  /**
   * One group of a listing, in its order.
   * @param items a store's: sorted by name, an object that was not written is the same one. @returns one object until something of the group changes.
   */
  group(items: readonly Resource[], key: Key): readonly Value[];
}

interface Entry<Key, Value> {
  readonly key: Key;
  readonly value: Value;
}

/** @param read null = it belongs nowhere. */
export function createListIndex<Key, Value>(read: (resource: Resource) => Entry<Key, Value> | null): ListIndex<Key, Value> {
  let last: readonly Resource[] = [];
  const entries = new Map<string, Entry<Key, Value>>();
  const names = new Map<Key, Set<string>>();
  const groups = new Map<Key, readonly Value[]>();

  function remove(name: string): void {
    const entry = entries.get(name);
    if (entry === undefined) return;
    entries.delete(name);
    groups.delete(entry.key);
    const own = names.get(entry.key);
    own?.delete(name);
    if (own?.size === 0) names.delete(entry.key);
  }
  function put(resource: Resource): void {
    remove(resource.name);
    const entry = read(resource);
    if (entry === null) return;
    entries.set(resource.name, entry);
    groups.delete(entry.key);
    const own = names.get(entry.key);
    if (own === undefined) names.set(entry.key, new Set([resource.name]));
    else own.add(resource.name);
  }
  function follow(items: readonly Resource[]): void {
    let before = 0;
    for (const item of items) {
      for (let old = last[before]; old !== undefined && old.name < item.name; old = last[before]) {
        remove(old.name);
        before += 1;
      }
      const known = last[before];
      if (known?.name === item.name) before += 1;
      if (known !== item) put(item);
    }
    for (const gone of last.slice(before)) remove(gone.name);
    last = items;
  }
  return {
    group(items, key) {
      if (items !== last) follow(items);
      const known = groups.get(key);
      if (known !== undefined) return known;
      const made = [...(names.get(key) ?? [])].toSorted().flatMap((name) => entries.get(name)?.value ?? []);
      if (names.has(key)) groups.set(key, made);
      return made;
    },
  };
}
