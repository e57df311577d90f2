import assert from "node:assert/strict";
import { test } from "node:test";
import type { Resource, ResourceDraft } from "../api/resource.ts";
import type { JsonObject } from "../base/json.ts";
import type { Result } from "../base/result.ts";
import type { ClusterStore, StoreError } from "./cluster-store.ts";

/** What every ClusterStore promises. `open` gives an empty store; the contract closes it. */
export function clusterStoreContract(adapter: string, open: () => Promise<ClusterStore>): void {
  const fact = (name: string, check: (store: ClusterStore) => Promise<void>): void => {
    test(`${adapter}: ${name}`, async () => {
      const store = await open();
      try {
        await check(store);
      } finally {
        await store.close();
      }
    });
  };
  creations(fact);
  writesOfSpecs(fact);
  identities(fact);
  listings(fact);
  writesOfStatus(fact);
  batches(fact);
  watches(fact);
}

type Fact = (name: string, check: (store: ClusterStore) => Promise<void>) => void;

const NAME = "tenant-gold";
const draft = (name: string, spec: JsonObject = { gpuCount: 1 }): ResourceDraft => ({
  kind: "HotStandbyConfig",
  name,
  labels: { team: "a" },
  annotations: {},
  spec,
});
const existing = async (store: ClusterStore, name = NAME): Promise<Resource> => taken(await store.create(draft(name)));

function creations(fact: Fact): void {
  fact("a created object has generation 1, a uid, no status, and reads back as written", async (store) => {
    const created = taken(await store.create(draft(NAME, { list: [1, { a: null }], absent: undefined })));
    assert.equal(created.generation, 1);
    assert.equal(created.status, null);
    assert.notEqual(created.uid, "");
    assert.deepEqual({ ...created.spec }, { list: [1, { a: null }] });
    assert.deepEqual(taken(await store.get("HotStandbyConfig", NAME)), created);
  });
  fact("an absent object is NOT_FOUND for reading, writing and removing", async (store) => {
    const at = { kind: "HotStandbyConfig", name: NAME } as const;
    const missing = { code: "NOT_FOUND", ...at };
    assert.deepEqual(refused(await store.get(at.kind, NAME)), missing);
    assert.deepEqual(refused(await store.writeSpec(draft(NAME), "1")), missing);
    assert.deepEqual(refused(await store.writeStatus(at, {}, "1")), missing);
    assert.deepEqual(refused(await store.remove(at.kind, NAME)), missing);
  });
  fact("a second create of one name is ALREADY_EXISTS and leaves the first", async (store) => {
    const first = await existing(store);
    assert.equal(refused(await store.create(draft(NAME, { gpuCount: 9 }))).code, "ALREADY_EXISTS");
    assert.deepEqual(taken(await store.get("HotStandbyConfig", NAME)), first);
  });
  fact("one name may stand for objects of two kinds", async (store) => {
    await existing(store);
    const other = taken(await store.create({ ...draft(NAME), kind: "GPUNode" }));
    assert.equal(other.kind, "GPUNode");
    assert.equal(taken(await store.list("HotStandbyConfig")).items.length, 1);
  });
}

function writesOfSpecs(fact: Fact): void {
  fact("a changed spec raises the generation by one and keeps uid and creation time", async (store) => {
    const first = await existing(store);
    const second = taken(await store.writeSpec(draft(NAME, { gpuCount: 2 }), first.version));
    assert.deepEqual([second.generation, second.uid, second.createdAt, second.spec["gpuCount"]], [2, first.uid, first.createdAt, 2]);
    assert.notEqual(second.version, first.version);
  });
  fact("changed labels alone change the version and not the generation", async (store) => {
    const first = await existing(store);
    const second = taken(await store.writeSpec({ ...draft(NAME), labels: { team: "b" } }, first.version));
    assert.deepEqual([second.generation, second.labels], [1, { team: "b" }]);
    assert.notEqual(second.version, first.version);
  });
  fact("a write of an equal spec, its members in another order, changes nothing", async (store) => {
    const first = taken(await store.create(draft(NAME, { a: 1, b: { c: 2, d: 3 } })));
    const second = taken(await store.writeSpec(draft(NAME, { b: { d: 3, c: 2 }, a: 1 }), first.version));
    assert.deepEqual(second, first);
  });
  fact("a write with an old version is CONFLICT and changes nothing", async (store) => {
    const first = await existing(store);
    const second = taken(await store.writeSpec(draft(NAME, { gpuCount: 2 }), first.version));
    assert.equal(refused(await store.writeSpec(draft(NAME, { gpuCount: 3 }), first.version)).code, "CONFLICT");
    assert.deepEqual(taken(await store.get("HotStandbyConfig", NAME)), second);
  });
  fact("of ten writers with one version exactly one wins", async (store) => {
    const first = await existing(store);
    const writes = Array.from({ length: 10 }, (_, index) => store.writeSpec(draft(NAME, { gpuCount: 100 + index }), first.version));
    const results = await Promise.all(writes);
    assert.equal(results.filter((result) => result.ok).length, 1);
    assert.equal(taken(await store.get("HotStandbyConfig", NAME)).generation, 2);
  });
}

function listings(fact: Fact): void {
  fact("a list that was read before shows every later write, also of a batch that makes and removes", async (store) => {
    const list = async (): Promise<readonly string[]> =>
      taken(await store.list("HotStandbyConfig")).items.map(({ name, version }) => `${name} ${version}`);
    const [a, c] = [await existing(store, "a"), await existing(store, "c")];
    await list();
    const b = await existing(store, "b");
    const written = taken(await store.writeStatus(a, { phase: "Normal" }, a.version));
    assert.deepEqual(await list(), [`a ${written.version}`, `b ${b.version}`, `c ${c.version}`]);
    taken(
      await store.applyAll([
        put("d"),
        { verb: "remove", kind: "HotStandbyConfig", name: "d" },
        { verb: "remove", kind: c.kind, name: "c" },
      ]),
    );
    refused(await store.applyAll([put("e"), { verb: "remove", kind: "GPUNode", name: "never" }]));
    assert.deepEqual(await list(), [`a ${written.version}`, `b ${b.version}`]);
  });
}

function identities(fact: Fact): void {
  fact("an object made again under its name has a new uid and starts at generation 1", async (store) => {
    const first = await existing(store);
    const changed = taken(await store.writeSpec(draft(NAME, { gpuCount: 2 }), first.version));
    taken(await store.remove("HotStandbyConfig", NAME));
    const again = await existing(store);
    assert.notEqual(again.uid, first.uid);
    assert.equal(again.generation, 1);
    assert.equal(refused(await store.writeSpec(draft(NAME), changed.version)).code, "CONFLICT");
  });
  fact("a list is sorted by name, holds one kind, and says how old it is", async (store) => {
    for (const name of ["b", "a", "c"]) await existing(store, name);
    taken(await store.create({ ...draft("z"), kind: "GPUNode" }));
    const listing = taken(await store.list("HotStandbyConfig"));
    assert.deepEqual(
      listing.items.map((item) => item.name),
      ["a", "b", "c"],
    );
    assert.ok(listing.ageMs >= 0);
  });
  fact("an object that was not written is one frozen object at every read, and so is a list of such objects", async (store) => {
    const read = async (name: string): Promise<Resource> => taken(await store.get("HotStandbyConfig", name));
    const list = async (): Promise<readonly Resource[]> => taken(await store.list("HotStandbyConfig")).items;
    const [first] = [await existing(store, "a"), await existing(store, "b")];
    const before = await list();
    assert.equal(before[0], await read("a"));
    assert.equal(await list(), before);
    taken(await store.create({ ...draft("z"), kind: "GPUNode" }));
    assert.equal(await list(), before);
    const written = taken(await store.writeStatus(first, { phase: "Normal", list: [{ at: 1 }] }, first.version));
    const after = await list();
    assert.deepEqual([after[0] === written, after[0] === (await read("a")), after[1] === before[1]], [true, true, true]);
    for (const frozen of [after, written, written.spec, written.status, written.labels]) assert.ok(Object.isFrozen(frozen));
    taken(await store.remove("HotStandbyConfig", "b"));
    assert.deepEqual(await list(), [written]);
    assert.notEqual(await existing(store, "b"), before[1]);
  });
  fact("what a caller does to its own draft afterwards does not reach the store", async (store) => {
    const spec = { nested: { gpuCount: 1 } };
    taken(await store.create(draft(NAME, spec)));
    spec.nested.gpuCount = 7;
    assert.deepEqual(taken(await store.get("HotStandbyConfig", NAME)).spec, { nested: { gpuCount: 1 } });
  });
}

function writesOfStatus(fact: Fact): void {
  const at = { kind: "HotStandbyConfig", name: NAME } as const;
  fact("a status write changes status and version, never spec or generation", async (store) => {
    const first = await existing(store);
    const second = taken(await store.writeStatus(at, { phase: "Normal" }, first.version));
    assert.deepEqual(second, { ...first, status: { phase: "Normal" }, version: second.version });
    assert.notEqual(second.version, first.version);
  });
  fact("a spec write keeps the status", async (store) => {
    const first = await existing(store);
    const second = taken(await store.writeStatus(at, { phase: "Normal" }, first.version));
    const third = taken(await store.writeSpec(draft(NAME, { gpuCount: 2 }), second.version));
    assert.deepEqual(third.status, { phase: "Normal" });
  });
  fact("a status write with the version before a spec write is CONFLICT", async (store) => {
    const first = await existing(store);
    taken(await store.writeSpec(draft(NAME, { gpuCount: 2 }), first.version));
    assert.equal(refused(await store.writeStatus(at, { phase: "Hold" }, first.version)).code, "CONFLICT");
    assert.equal(taken(await store.get(at.kind, at.name)).status, null);
  });
  fact("a write of the status that is there already keeps the version", async (store) => {
    const first = await existing(store);
    const second = taken(await store.writeStatus(at, { phase: "Normal", level: "hot" }, first.version));
    assert.deepEqual(taken(await store.writeStatus(at, { level: "hot", phase: "Normal" }, second.version)), second);
  });
}

function batches(fact: Fact): void {
  fact("a batch creates, writes and removes together, and gives the written objects in order", async (store) => {
    const [kept, gone] = [await existing(store, "kept"), await existing(store, "gone")];
    const applied = taken(
      await store.applyAll([
        { verb: "put", draft: draft("new"), version: null },
        { verb: "remove", kind: gone.kind, name: gone.name },
        { verb: "put", draft: draft("kept", { gpuCount: 5 }), version: kept.version },
      ]),
    );
    assert.deepEqual(
      applied.map((resource) => [resource.name, resource.generation]),
      [
        ["new", 1],
        ["kept", 2],
      ],
    );
    const names = taken(await store.list("HotStandbyConfig")).items.map((item) => item.name);
    assert.deepEqual(names, ["kept", "new"]);
  });
  fact("a batch with one bad change leaves every object as it was", async (store) => {
    const kept = await existing(store, "kept");
    const before = taken(await store.list("HotStandbyConfig"));
    const good = { verb: "put", draft: draft("new"), version: null } as const;
    const bad = [
      { verb: "put", draft: draft("kept", { gpuCount: 5 }), version: `${kept.version}0` },
      { verb: "put", draft: draft("kept"), version: null },
      { verb: "put", draft: draft("never"), version: "1" },
      { verb: "remove", kind: "HotStandbyConfig", name: "never" },
    ] as const;
    const codes: string[] = [];
    for (const change of bad) codes.push(refused(await store.applyAll([good, change])).code);
    assert.deepEqual(codes, ["CONFLICT", "ALREADY_EXISTS", "NOT_FOUND", "NOT_FOUND"]);
    assert.deepEqual(taken(await store.list("HotStandbyConfig")).items, before.items);
  });
  fact("an empty batch is applied", async (store) => {
    assert.deepEqual(taken(await store.applyAll([])), []);
  });
  fact("a closed store is UNAVAILABLE and says that nothing was applied", async (store) => {
    await store.close();
    const error = refused(await store.create(draft(NAME)));
    assert.ok(error.code === "UNAVAILABLE" && error.applied === "no");
    assert.equal(refused(await store.get("HotStandbyConfig", NAME)).code, "UNAVAILABLE");
  });
}

function watches(fact: Fact): void {
  fact("a watch names every created, changed and removed object at least once", async (store) => {
    const seen = collect(store);
    const created = await existing(store);
    await seen.until(1);
    taken(await store.writeStatus({ kind: created.kind, name: NAME }, { phase: "Normal" }, created.version));
    await seen.until(2);
    taken(await store.remove(created.kind, NAME));
    await seen.until(3);
    assert.deepEqual([...new Set(seen.names)], [`HotStandbyConfig/${NAME}`]);
  });
  fact("a watch names all objects of a batch, and none of a refused one", async (store) => {
    const seen = collect(store);
    refused(await store.applyAll([put("refused"), { verb: "remove", kind: "GPUNode", name: "never" }]));
    taken(await store.applyAll([put("a"), put("b")]));
    await seen.until(2);
    assert.deepEqual(seen.names.toSorted(), ["HotStandbyConfig/a", "HotStandbyConfig/b"]);
  });
  fact("a change is readable when its watcher hears of it", async (store) => {
    const generations: number[] = [];
    const heard = new Promise<void>((resolve) => {
      store.watch(({ kind, name }) => {
        void store.get(kind, name).then((found) => {
          generations.push(taken(found).generation);
          resolve();
        });
      });
    });
    await existing(store);
    await heard;
    assert.deepEqual(generations, [1]);
  });
  fact("a stopped watcher hears nothing, another one goes on", async (store) => {
    const names: string[] = [];
    const stopped = store.watch(({ name }) => void names.push(name));
    stopped.stop();
    const seen = collect(store);
    await existing(store);
    await seen.until(1);
    assert.deepEqual(names, []);
  });
}

const put = (name: string): { readonly verb: "put"; readonly draft: ResourceDraft; readonly version: null } => ({
  verb: "put",
  draft: draft(name),
  version: null,
});

/** Everything that a watch said, and a promise of the first `count` words. */
function collect(store: ClusterStore): { readonly names: readonly string[]; until(count: number): Promise<void> } {
  const names: string[] = [];
  let wake = (): void => undefined;
  store.watch(({ kind, name }) => {
    names.push(`${kind}/${name}`);
    wake();
  });
  return {
    names,
    async until(count) {
      while (names.length < count) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

function taken<Value>(result: Result<Value, StoreError>): Value {
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.error));
  return result.value;
}
function refused<Value>(result: Result<Value, StoreError>): StoreError {
  assert.ok(!result.ok, "the call must be refused");
  return result.error;
}
