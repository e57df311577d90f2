// The thread that owns the state file: a full-sync commit may take milliseconds, which no serving loop may wait for.
import { parentPort, workerData } from "node:worker_threads";
import { assert, unreachable } from "../../base/assert.ts";
import { isJsonObject } from "../../base/json.ts";
import { err, type Result } from "../../base/result.ts";
import type { StoreError } from "../../ports/cluster-store.ts";
import { closeSqlite, openSqlite } from "./open-sqlite.ts";
import type { FromStoreWorker, StoreAnswer, StoreQuestion, ToStoreWorker } from "./sqlite-messages.ts";
import { createSqliteTables, reasonOf, type SqliteTables } from "./sqlite-tables.ts";

const port = parentPort;
const path = isJsonObject(workerData) ? workerData["path"] : null;
assert(port !== null && typeof path === "string", "the store's worker is given a port and a path");

const say = (message: FromStoreWorker): void => port.postMessage(message);
const opened = openSqlite(path);
if (opened.ok) {
  const database = opened.value;
  const tables = createSqliteTables(database);
  port.on("message", ({ id, question }: ToStoreWorker) => {
    const answer = answerTo(tables, question);
    if (answer.answer === "close") closeSqlite(database, path);
    say({ type: "answered", id, answer });
    if (answer.answer === "close") port.close();
  });
  say({ type: "opened" });
} else {
  say({ type: "refused", error: opened.error });
}

function answerTo(of: SqliteTables, question: StoreQuestion): StoreAnswer {
  switch (question.ask) {
    case "get":
      return { answer: "get", result: readable(() => of.get(question.kind, question.name)) };
    case "list":
      return { answer: "list", result: readable(() => of.list(question.kind)) };
    case "apply":
      return { answer: "apply", result: of.apply(question) };
    case "close":
      return { answer: "close" };
    default:
      return unreachable(question, "sqlite-worker");
  }
}

function readable<Value>(read: () => Result<Value, StoreError>): Result<Value, StoreError> {
  try {
    return read();
  } catch (cause) {
    return err({ code: "UNAVAILABLE", applied: "no", reason: reasonOf(cause) });
  }
}
