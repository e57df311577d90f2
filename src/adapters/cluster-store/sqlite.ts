import { randomUUID } from "node:crypto";
import { getCompileCacheDir } from "node:module";
import { Worker } from "node:worker_threads";
import type { Kind, Resource } from "../../api/resource.ts";
import { assert } from "../../base/assert.ts";
import { uid } from "../../base/ids.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ClusterStore, Listing, StoreError } from "../../ports/cluster-store.ts";
import { changeOf, only, targetOf, type Change } from "./decide-change.ts";
import { createObjectKeeper, type ObjectKeeper } from "./keep-objects.ts";
import { createListings, findIn, type Listings } from "./listings.ts";
import { createStoreAsker, type StoreAsker } from "./store-asker.ts";
import type { Applied, FromStoreWorker, StoreOpenError } from "./sqlite-messages.ts";
import { createWatchers } from "./watchers.ts";

/**
 * The state in one SQLite file (mode 0600), held by this process alone until `close` or its death.
 * An acknowledged write survives `kill -9` and power loss. A damaged file is refused, never recreated.
 */
export async function openSqliteStore(path: string, clock: Pick<Clock, "wallMs">): Promise<Result<ClusterStore, StoreOpenError>> {
  const worker = new Worker(new URL("./sqlite-worker.ts", import.meta.url), {
    workerData: { path, cacheDir: getCompileCacheDir() ?? null },
    name: "store",
    execArgv: [],
  });
  const asker = createStoreAsker({
    post: (message) => worker.postMessage(message),
    // An idle store must not keep a process alive that has nothing else to do.
    setBusy: (isBusy) => (isBusy ? worker.ref() : worker.unref()),
  });
  const opening = new Promise<Result<ClusterStore, StoreOpenError>>((resolve) => {
    worker.on("message", (message: FromStoreWorker) => {
      switch (message.type) {
        case "opened":
          return resolve(ok(createSqliteStore(asker, clock)));
        case "refused":
          return resolve(err(message.error));
        case "answered":
          return asker.answered(message);
      }
    });
    const lost = (reason: string): void => {
      asker.lost(reason);
      resolve(err({ code: "UNUSABLE", path, reason }));
    };
    worker.on("error", (cause) => lost(`the store's thread failed: ${String(cause)}`));
    worker.on("exit", (code) => lost(`the store's thread ended with code ${code}`));
  });
  const opened = await opening;
  worker.unref();
  return opened;
}

function createSqliteStore(asker: StoreAsker, clock: Pick<Clock, "wallMs">): ClusterStore {
  const watchers = createWatchers();
  const keeper = createObjectKeeper();
  // Nobody else writes to the file, so what was read once is known until this process writes it again.
  const listings = createListings();

  async function apply(changes: readonly Change[]): Promise<Result<Applied, StoreError>> {
    const uids = changes.map(() => uid(randomUUID()));
    const asked = await asker.ask({ ask: "apply", changes, uids, at: clock.wallMs() });
    if (!asked.ok) return asked;
    assert(asked.value.answer === "apply", "the store answers what it was asked");
    const { result } = asked.value;
    // It may be there or not: the file is asked again.
    if (!result.ok && result.error.code === "UNAVAILABLE") listings.forgetAll();
    if (!result.ok) return result;
    const { changed } = result.value;
    for (const target of changed) keeper.forget(target);
    const written = result.value.written.map((resource) => keeper.one(resource));
    for (const target of changed) listings.changed(target, outcomeOf(target, changes, written));
    watchers.tell(changed);
    return ok({ written, changed });
  }
  async function single(change: Change): Promise<Result<Resource, StoreError>> {
    const applied = await apply([change]);
    return applied.ok ? only(ok(applied.value.written)) : applied;
  }
  return {
    ...createReads(asker, keeper, listings),
    create: (draft) => single({ verb: "create", draft }),
    writeSpec: (draft, version) => single({ verb: "write-spec", draft, version }),
    writeStatus: ({ kind, name }, status, version) => single({ verb: "write-status", kind, name, status, version }),
    async remove(kind, name) {
      const applied = await apply([{ verb: "remove", kind, name }]);
      return applied.ok ? ok(null) : applied;
    },
    async applyAll(changes) {
      const applied = await apply(changes.map(changeOf));
      return applied.ok ? ok(applied.value.written) : applied;
    },
    watch: (listener) => watchers.watch(listener),
    async close() {
      watchers.stopAll();
      await asker.ask({ ask: "close" });
      asker.lost("the store is closed");
    },
  };
}

/** Of a kind that was listed once the thread is asked no more. */
function createReads(asker: StoreAsker, keeper: ObjectKeeper, listings: Listings): Pick<ClusterStore, "get" | "list"> {
  const knownOf = (kind: Kind): Listing | null => (asker.isLost() ? null : listings.of(kind));
  return {
    async get(kind, name) {
      const listed = knownOf(kind);
      if (listed !== null) return foundIn(listed, { kind, name });
      const asked = await asker.ask({ ask: "get", kind, name });
      if (!asked.ok) return asked;
      assert(asked.value.answer === "get", "the store answers what it was asked");
      const { result } = asked.value;
      return result.ok ? ok(keeper.one(result.value)) : result;
    },
    async list(kind) {
      const known = knownOf(kind);
      if (known !== null) return ok(known);
      const asked = await asker.ask({ ask: "list", kind });
      if (!asked.ok) return asked;
      assert(asked.value.answer === "list", "the store answers what it was asked");
      const { result } = asked.value;
      return result.ok ? ok(listings.replace(kind, keeper.all(kind, result.value))) : result;
    },
  };
}

function foundIn(listed: Listing, { kind, name }: Target): Result<Resource, StoreError> {
  const found = findIn(listed, name);
  return found === null ? err({ code: "NOT_FOUND", kind, name }) : ok(found);
}

type Target = Applied["changed"][number];

/** What a batch left of one object; null = removed. */
function outcomeOf({ kind, name }: Target, changes: readonly Change[], written: readonly Resource[]): Resource | null {
  const isIt = (other: Target): boolean => other.kind === kind && other.name === name;
  const last = changes.findLast((change) => isIt(targetOf(change)));
  return last === undefined || last.verb === "remove" ? null : (written.findLast(isIt) ?? null);
}
