import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import type { Resource } from "../../api/resource.ts";
import { uid, wallMs } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Result } from "../../base/result.ts";
import type { StoreError } from "../../ports/cluster-store.ts";
import type { Change } from "./decide-change.ts";
import { createMemoryStore } from "./memory.ts";
import { createSqliteTables, MIGRATIONS, type SqliteTables } from "./sqlite-tables.ts";

const clock = { wallMs: () => wallMs(1_000) };

// Few names and few contents, so that changes meet each other often.
const target = fc.record({ kind: fc.constantFrom("GPUNode", "ApiKey"), name: fc.constantFrom("a", "b") });
const content = fc.constantFrom<JsonObject[]>({}, { n: 1 }, { n: 1, list: [{ a: null }] }, { list: [{ a: null }], n: 1 }, { n: "1" });
const step = fc.record({
  target,
  content,
  verb: fc.constantFrom("create", "write-spec", "write-status", "remove"),
  isStale: fc.nat(3).map((chance) => chance === 0),
});

test("every store answers any history of writes alike, and a version changes exactly when the object does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const memory = createMemoryStore(clock);
      const database = new DatabaseSync(":memory:");
      for (const migration of MIGRATIONS) database.exec(migration);
      const tables = createSqliteTables(database);
      for (const [index, one] of steps.entries()) {
        const before = tables.get(one.target.kind, one.target.name);
        const inMemory = await memory.get(one.target.kind, one.target.name);
        const change = changeOf(one, before);
        const stored = applyOne(tables, change, index);
        const remembered = await writeTo(memory, changeOf(one, inMemory));
        assert.deepEqual(withoutIdentity(stored), withoutIdentity(remembered));
        if (!stored.ok || stored.value === null || !before.ok) continue;
        const isSame = JSON.stringify(withoutIdentity(before)) === JSON.stringify(withoutIdentity({ ok: true, value: stored.value }));
        if (!isSame) assert.notEqual(stored.value.version, before.value.version);
        else assert.equal(stored.value.version, before.value.version);
      }
      database.close();
    }),
    { numRuns: 150 },
  );
});

interface Step {
  readonly target: { readonly kind: "GPUNode" | "ApiKey"; readonly name: string };
  readonly content: JsonObject;
  readonly verb: Change["verb"];
  readonly isStale: boolean;
}

function changeOf({ target: at, content: spec, verb, isStale }: Step, current: Result<Resource, StoreError>): Change {
  const version = current.ok && !isStale ? current.value.version : "999999";
  const draft = { ...at, labels: {}, annotations: {}, spec };
  switch (verb) {
    case "create":
      return { verb, draft };
    case "write-spec":
      return { verb, draft, version };
    case "write-status":
      return { verb, ...at, status: spec, version };
    case "remove":
      return { verb, ...at };
  }
}

type Written = Result<Resource | null, StoreError>;

function applyOne(tables: SqliteTables, change: Change, index: number): Written {
  const applied = tables.apply({ ask: "apply", changes: [change], uids: [uid(`uid-${index}`)], at: wallMs(1_000) });
  return applied.ok ? { ok: true, value: applied.value.written[0] ?? null } : applied;
}

async function writeTo(store: ReturnType<typeof createMemoryStore>, change: Change): Promise<Written> {
  switch (change.verb) {
    case "create":
      return store.create(change.draft);
    case "write-spec":
      return store.writeSpec(change.draft, change.version);
    case "write-status":
      return store.writeStatus(change, change.status, change.version);
    case "remove":
      return store.remove(change.kind, change.name);
  }
}

/** Uids and versions are each store's own. Members in one order, so that texts may be compared. */
function withoutIdentity(written: Written): unknown {
  if (!written.ok || written.value === null) return written;
  const { kind, name, generation, createdAt, labels, annotations, spec, status } = written.value;
  return { kind, name, generation, createdAt, labels, annotations, spec: sorted(spec), status: status === null ? null : sorted(status) };
}
const sorted = (of: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(of).toSorted(([left], [right]) => (left < right ? -1 : 1)));
