import type { DatabaseSync } from "node:sqlite";
import type { Kind, Resource } from "../../api/resource.ts";
import { assert } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Listing, StoreError } from "../../ports/cluster-store.ts";
import { decideChange, targetOf } from "./decide-change.ts";
import { integer, parseRow } from "./parse-row.ts";
import type { Applied, StoreQuestion } from "./sqlite-messages.ts";

/** Step n makes schema n of schema n - 1. Steps that were ever released are never edited. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE resources (
     kind TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL, version INTEGER NOT NULL, generation INTEGER NOT NULL,
     created_at_ms INTEGER NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL, spec TEXT NOT NULL, status TEXT,
     PRIMARY KEY (kind, name)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE revision (last INTEGER NOT NULL) STRICT;
   INSERT INTO revision VALUES (0);`,
];

/** Reads and transactions over an opened, migrated database. Synchronous: lives in the worker. */
export interface SqliteTables {
  get(kind: Kind, name: string): Result<Resource, StoreError>;
  list(kind: Kind): Result<Listing, StoreError>;
  apply(question: Extract<StoreQuestion, { ask: "apply" }>): Result<Applied, StoreError>;
}

export function createSqliteTables(database: DatabaseSync): SqliteTables {
  const select = database.prepare("SELECT * FROM resources WHERE kind = ? AND name = ?");
  const selectKind = database.prepare("SELECT * FROM resources WHERE kind = ? ORDER BY name");
  const replace = database.prepare("INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const erase = database.prepare("DELETE FROM resources WHERE kind = ? AND name = ?");
  const selectRevision = database.prepare("SELECT last FROM revision");
  const writeRevision = database.prepare("UPDATE revision SET last = ?");

  const find = (kind: Kind, name: string): Resource | null => {
    const row = select.get(kind, name);
    return row === undefined ? null : parseRow(row);
  };
  const save = (of: Resource): void => {
    const texts = [of.labels, of.annotations, of.spec].map((value) => JSON.stringify(value));
    const status = of.status === null ? null : JSON.stringify(of.status);
    replace.run(of.kind, of.name, of.uid, Number(of.version), of.generation, of.createdAt, ...texts, status);
  };
  const applyInTransaction = ({ changes, uids, at }: Extract<StoreQuestion, { ask: "apply" }>): Result<Applied, StoreError> => {
    const written: Resource[] = [];
    const changed: Applied["changed"][number][] = [];
    let revision = integer(selectRevision.get() ?? {}, "last");
    for (const [index, change] of changes.entries()) {
      const { kind, name } = targetOf(change);
      const current = find(kind, name);
      const uid = uids[index];
      assert(uid !== undefined, "one uid is drawn for each change");
      revision += 1;
      const decided = decideChange(current, change, { version: `${revision}`, uid, at });
      if (!decided.ok) return decided;
      if (decided.value !== current) {
        if (decided.value === null) erase.run(kind, name);
        else save(decided.value);
        changed.push({ kind, name });
      }
      if (decided.value !== null) written.push(decided.value);
    }
    if (changed.length > 0) writeRevision.run(revision);
    return ok({ written, changed });
  };
  return {
    get(kind, name) {
      const found = find(kind, name);
      return found === null ? err({ code: "NOT_FOUND", kind, name }) : ok(found);
    },
    list: (kind) => ok({ items: selectKind.all(kind).map(parseRow), ageMs: 0 }),
    apply: (question) => inTransaction(database, () => applyInTransaction(question)),
  };
}

/** Commits what `work` did when it is ok, else rolls it back. A failure before the commit leaves nothing behind. */
function inTransaction<Value>(database: DatabaseSync, work: () => Result<Value, StoreError>): Result<Value, StoreError> {
  let isCommitting = false;
  try {
    database.exec("BEGIN IMMEDIATE");
    const result = work();
    isCommitting = result.ok;
    database.exec(result.ok ? "COMMIT" : "ROLLBACK");
    return result;
  } catch (cause) {
    // Only a failed commit can leave a doubt: its frames may have reached the disk before the failure.
    const isRolledBack = rollBack(database);
    return err({
      code: "UNAVAILABLE",
      applied: isCommitting && !(isRolledBack && isFull(cause)) ? "unknown" : "no",
      reason: reasonOf(cause),
    });
  }
}

/** SQLite rolls back by itself after some errors, a full disk among them. */
function rollBack(database: DatabaseSync): boolean {
  try {
    if (database.isTransaction) database.exec("ROLLBACK");
    return true;
  } catch {
    return false;
  }
}

const SQLITE_FULL = 13;
/** Primary code of an SQLite error, such as 5 = busy; null for any other error. */
export function sqliteCode(cause: unknown): number | null {
  if (!(cause instanceof Error) || !("errcode" in cause) || typeof cause.errcode !== "number") return null;
  return cause.errcode & 0xff;
}
const isFull = (cause: unknown): boolean => sqliteCode(cause) === SQLITE_FULL;
export const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
