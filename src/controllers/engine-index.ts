import type { InstanceName } from "../base/ids.ts";
import type { RunningView } from "../failover/instance-look.ts";
import type { RunningEngine } from "../ports/engine-launcher.ts";
import { urlOf } from "../routing/build-table.ts";

/** Engines by whose they are; of each observation only those are looked at that came or went since the one before. */
export interface EngineIndex {
  /** @param engines all that run, as a launcher observed them: the object of an engine stays the same as long as that runs. */
  of(engines: readonly RunningEngine[], owner: string): ReadonlyMap<InstanceName, RunningView>;
}

export function createEngineIndex(ownerOf: (engine: RunningEngine) => string): EngineIndex {
  let last: readonly RunningEngine[] = [];
  const known = new Set<RunningEngine>();
  const owned = new Map<string, Set<RunningEngine>>();
  const views = new Map<string, ReadonlyMap<InstanceName, RunningView>>();

  function put(engine: RunningEngine): void {
    const owner = ownerOf(engine);
    const own = owned.get(owner) ?? new Set();
    owned.set(owner, own.add(engine));
    known.add(engine);
    views.delete(owner);
  }
  function remove(engine: RunningEngine): void {
    const owner = ownerOf(engine);
    const own = owned.get(owner);
    own?.delete(engine);
    if (own?.size === 0) owned.delete(owner);
    known.delete(engine);
    views.delete(owner);
  }
  function follow(engines: readonly RunningEngine[]): void {
    // Most of it is as it was, up to whoever went first.
    let before = sameFrom(engines, last);
    for (let index = before; index < engines.length; index += 1) {
      const engine = engines[index];
      if (engine === undefined) continue;
      if (last[before] === engine) {
        before += 1;
        continue;
      }
      const at = known.has(engine) ? last.indexOf(engine, before) : -1;
      if (at < 0) put(engine);
      else {
        for (; before < at; before += 1) removeAt(before);
        before = at + 1;
      }
    }
    for (; before < last.length; before += 1) removeAt(before);
    last = engines;
  }
  function removeAt(index: number): void {
    const gone = last[index];
    if (gone !== undefined) remove(gone);
  }
  return {
    of(engines, owner) {
      if (engines !== last) follow(engines);
      const seen = views.get(owner);
      if (seen !== undefined) return seen;
      const own = owned.get(owner);
      const made = new Map([...(own ?? [])].map((engine) => [engine.instance, viewOf(engine)] as const));
      if (own !== undefined) views.set(owner, made);
      return made;
    },
  };
}

/** How many stand in the same places from the first one on. */
function sameFrom(one: readonly RunningEngine[], other: readonly RunningEngine[]): number {
  const length = Math.min(one.length, other.length);
  let count = 0;
  while (count < length && one[count] === other[count]) count += 1;
  return count;
}

const viewOf = ({ uid, generation, address, pid }: RunningEngine): RunningView => ({ uid, generation, endpoint: urlOf(address), pid });
