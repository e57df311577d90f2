import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isJsonObject } from "../../base/json.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { integer } from "./parse-row.ts";
import type { StoreOpenError } from "./sqlite-messages.ts";
import { MIGRATIONS, reasonOf, sqliteCode } from "./sqlite-tables.ts";

/** "TIDE": tells our files from any other SQLite file. */
const APPLICATION_ID = 0x54_49_44_45;
/** A holder that just ends gives the lock back within milliseconds. */
const LOCK_WAIT_MS = 500;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** Opens the state file, making it where there is none, and holds it alone until the database is closed. */
export function openSqlite(path: string, migrations: readonly string[] = MIGRATIONS): Result<DatabaseSync, StoreOpenError> {
  let database: DatabaseSync | null = null;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (!existsSync(path)) createEmpty(path);
    // SQLite takes an empty file for a fresh database: a truncated one would be recreated without a word.
    if (statSync(path).size === 0) return err({ code: "CORRUPT", path, reason: "the file is empty" });
    chmodSync(path, 0o600);
    database = new DatabaseSync(path, { timeout: LOCK_WAIT_MS });
    const refusal = prepare(database, path, migrations);
    if (refusal === null) return ok(database);
    database.close();
    return err(refusal);
  } catch (cause) {
    if (database?.isOpen === true) database.close();
    return err(openErrorOf(cause, path));
  }
}

function prepare(database: DatabaseSync, path: string, migrations: readonly string[]): StoreOpenError | null {
  // Before the first access: the exclusive mode then needs no shared memory file beside the log.
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF");
  database.exec("BEGIN EXCLUSIVE; COMMIT");
  if (pragma(database, "application_id") !== APPLICATION_ID) {
    return { code: "CORRUPT", path, reason: "it is a database of another program" };
  }
  const check = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (check !== "ok") return { code: "CORRUPT", path, reason: String(check) };
  const schema = pragma(database, "user_version");
  if (schema > migrations.length) {
    return { code: "UNUSABLE", path, reason: `it has schema ${schema}, written by a newer version; this one knows ${migrations.length}` };
  }
  for (const [index, step] of migrations.entries()) {
    if (index >= schema) database.exec(`BEGIN IMMEDIATE; ${step}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
  writeFileSync(holderPath(path), JSON.stringify({ pid: process.pid }), { mode: 0o600 });
  return null;
}

/** Made aside and linked into place, so that a crash in between leaves no half-made state file. */
function createEmpty(path: string): void {
  const aside = `${path}.new-${process.pid}`;
  rmSync(aside, { force: true });
  closeSync(openSync(aside, "wx", 0o600));
  const database = new DatabaseSync(aside);
  database.exec(`PRAGMA synchronous = FULL; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 0`);
  database.close();
  try {
    linkSync(aside, path);
  } catch (cause) {
    // Another process was faster: its file is as good, and the lock decides who may use it.
    if (!existsSync(path)) throw cause;
  } finally {
    rmSync(aside, { force: true });
  }
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
}

/** Gives the file back. The word of who holds it goes first, so that it never names a process that holds nothing. */
export function closeSqlite(database: DatabaseSync, path: string): void {
  rmSync(holderPath(path), { force: true });
  database.close();
}

function openErrorOf(cause: unknown, path: string): StoreOpenError {
  const reason = reasonOf(cause);
  const code = sqliteCode(cause);
  if (code === SQLITE_BUSY) return { code: "LOCKED", path, holderPid: holderOf(path), reason };
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return { code: "CORRUPT", path, reason };
  return { code: "UNUSABLE", path, reason };
}

const holderPath = (path: string): string => `${path}.holder`;

function holderOf(path: string): number | null {
  try {
    const word: unknown = JSON.parse(readFileSync(holderPath(path), "utf8"));
    return isJsonObject(word) && typeof word["pid"] === "number" ? word["pid"] : null;
  } catch {
    return null;
  }
}

const pragma = (database: DatabaseSync, name: string): number => integer(database.prepare(`PRAGMA ${name}`).get() ?? {}, name);
