import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import type { ResourceDraft } from "../../api/resource.ts";
import { uid, wallMs } from "../../base/ids.ts";
import type { Result } from "../../base/result.ts";
import type { ClusterStore } from "../../ports/cluster-store.ts";
import { clusterStoreContract } from "../../ports/cluster-store-contract.ts";
import { closeSqlite, openSqlite } from "./open-sqlite.ts";
import { openSqliteStore } from "./sqlite.ts";
import { createSqliteTables, MIGRATIONS } from "./sqlite-tables.ts";
import { createStoreAsker } from "./store-asker.ts";

const clock = { wallMs: () => wallMs(1_000) };
const [UID_A, UID_B] = [uid("a"), uid("b")];
const folder = mkdtempSync(join(tmpdir(), "tidegate-store-"));
after(() => rm(folder, { recursive: true }));
let files = 0;
const freshPath = (): string => join(folder, `${(files += 1)}`, "state.db");
const gpuNode = (name: string): ResourceDraft => ({
  kind: "GPUNode",
  name,
  labels: {},
  annotations: {},
  spec: { filler: "x".repeat(500) },
});

async function open(path = freshPath()): Promise<ClusterStore> {
  return taken(await openSqliteStore(path, clock));
}

clusterStoreContract("sqlite store", () => open());

test("sqlite store: what was written is there after a close and an open", async () => {
  const path = freshPath();
  const first = await open(path);
  const created = taken(await first.create(gpuNode("gpu-a")));
  await first.close();
  const second = await open(path);
  assert.deepEqual(taken(await second.get("GPUNode", "gpu-a")), created);
  const next = taken(await second.create(gpuNode("gpu-b")));
  assert.ok(Number(next.version) > Number(created.version), "versions go on after a restart");
  await second.close();
});

test("sqlite store: files are for their owner alone", async () => {
  const path = freshPath();
  const store = await open(path);
  taken(await store.create(gpuNode("gpu-a")));
  const modes = [join(path, ".."), path, `${path}-wal`, `${path}.holder`].map((file) => statSync(file).mode & 0o777);
  await store.close();
  assert.deepEqual(modes, [0o700, 0o600, 0o600, 0o600]);
});

test("sqlite store: a second opener is refused with the holder's pid, and let in after the close", async () => {
  const path = freshPath();
  const store = await open(path);
  const refused = await openSqliteStore(path, clock);
  assert.ok(!refused.ok && refused.error.code === "LOCKED");
  assert.equal(refused.error.holderPid, process.pid);
  await store.close();
  assert.equal(existsSync(`${path}.holder`), false);
  await (await open(path)).close();
});

test("sqlite store: a damaged, empty or foreign file is CORRUPT and stays byte for byte as it was", async () => {
  const damage: [string, (path: string) => void][] = [
    ["garbage", (path) => writeFileSync(path, "no database at all ".repeat(300))],
    ["empty", (path) => truncateSync(path, 0)],
    ["cut", (path) => truncateSync(path, 4_096)],
    ["overwritten page", (path) => writeFileSync(path, overwritten(readFileSync(path)))],
    ["foreign", (path) => writeFileSync(path, foreignDatabase())],
  ];
  for (const [name, hurt] of damage) {
    const path = freshPath();
    const store = await open(path);
    for (let index = 0; index < 40; index += 1) taken(await store.create(gpuNode(`gpu-${index}`)));
    await store.close();
    hurt(path);
    const before = readFileSync(path);
    const refused = await openSqliteStore(path, clock);
    assert.equal(refused.ok ? "opened" : refused.error.code, "CORRUPT", name);
    if (name !== "foreign") assert.deepEqual(readFileSync(path), before, name);
  }
});

test("sqlite store: a file of a newer schema, and a path below a file, are UNUSABLE", async () => {
  const path = freshPath();
  const newer = openSqlite(path, [...MIGRATIONS, "CREATE TABLE later (a TEXT)"]);
  closeSqlite(taken(newer), path);
  const refused = await openSqliteStore(path, clock);
  assert.ok(!refused.ok && refused.error.code === "UNUSABLE" && refused.error.reason.includes("newer"));
  const blocked = await openSqliteStore(join(path, "state.db"), clock);
  assert.equal(blocked.ok ? "opened" : blocked.error.code, "UNUSABLE");
});

test("sqlite store: an older schema is migrated step by step and keeps its rows", () => {
  const path = freshPath();
  const steps = ["CREATE TABLE old (a TEXT); INSERT INTO old VALUES ('kept')", "ALTER TABLE old ADD COLUMN b TEXT DEFAULT 'added'"];
  closeSqlite(taken(openSqlite(path, steps.slice(0, 1))), path);
  const database = taken(openSqlite(path, steps));
  assert.deepEqual({ ...database.prepare("SELECT * FROM old").get() }, { a: "kept", b: "added" });
  closeSqlite(database, path);
});

test("sqlite store: a failed migration changes nothing and leaves the file as it was for the older version", () => {
  const path = freshPath();
  const first = "CREATE TABLE old (a TEXT)";
  closeSqlite(taken(openSqlite(path, [first])), path);
  const failed = openSqlite(path, [first, "CREATE TABLE half (a TEXT); INSERT INTO absent VALUES (1)"]);
  assert.equal(failed.ok ? "opened" : failed.error.code, "UNUSABLE");
  const database = taken(openSqlite(path, [first]));
  assert.equal(database.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'half'").get()?.["n"], 0);
  closeSqlite(database, path);
});

test("sqlite store: a full disk refuses the write as not applied, keeps what was there, and recovers", () => {
  const path = freshPath();
  const database = taken(openSqlite(path));
  const tables = createSqliteTables(database);
  const create = (name: string, bytes: number): ReturnType<typeof tables.apply> =>
    tables.apply({
      ask: "apply",
      changes: [{ verb: "create", draft: { ...gpuNode(name), spec: { filler: "x".repeat(bytes) } } }],
      uids: [taken(tables.list("GPUNode")).items.length === 0 ? UID_A : UID_B],
      at: wallMs(0),
    });
  taken(create("gpu-a", 10));
  const pages = database.prepare("PRAGMA page_count").get()?.["page_count"];
  database.exec(`PRAGMA max_page_count = ${Number(pages) + 2}`);
  const refused = create("gpu-b", 200_000);
  assert.ok(!refused.ok && refused.error.code === "UNAVAILABLE" && refused.error.applied === "no");
  assert.deepEqual(
    taken(tables.list("GPUNode")).items.map((item) => item.name),
    ["gpu-a"],
  );
  database.exec("PRAGMA max_page_count = 10000");
  taken(create("gpu-b", 200_000));
  closeSqlite(database, path);
});

test("sqlite store: when its thread is lost, writes under way are unknown, reads and later calls not applied", async () => {
  const asker = createStoreAsker({ post: () => undefined, setBusy: () => undefined });
  const write = asker.ask({ ask: "apply", changes: [], uids: [], at: wallMs(0) });
  const read = asker.ask({ ask: "list", kind: "GPUNode" });
  asker.lost("the thread ended");
  const later = asker.ask({ ask: "apply", changes: [], uids: [], at: wallMs(0) });
  const applied = (await Promise.all([write, read, later])).map((result) => (result.ok ? result.value : result.error));
  const lost = { code: "UNAVAILABLE", reason: "the thread ended" };
  assert.deepEqual(applied, [
    { ...lost, applied: "unknown" },
    { ...lost, applied: "no" },
    { ...lost, applied: "no" },
  ]);
});

test("sqlite store: every acknowledged write is there after each of 5 kills of the writer", async () => {
  const path = freshPath();
  const acknowledged: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    for await (const name of writeUntilKilled(path, `round-${round}`, 60)) acknowledged.push(name);
  }
  const store = await open(path);
  const names = new Set(taken(await store.list("GPUNode")).items.map((item) => item.name));
  await store.close();
  assert.ok(acknowledged.length >= 300, `${acknowledged.length} acknowledged`);
  assert.deepEqual(
    acknowledged.filter((name) => !names.has(name)),
    [],
  );
});

/** Names as the child acknowledges them; it is killed in the middle of its writes after `count` of them. */
async function* writeUntilKilled(path: string, prefix: string, count: number): AsyncGenerator<string> {
  const program = `
    const { openSqliteStore } = await import(${JSON.stringify(new URL("./sqlite.ts", import.meta.url).href)});
    const opened = await openSqliteStore(${JSON.stringify(path)}, { wallMs: () => 0 });
    if (!opened.ok) throw new Error(JSON.stringify(opened.error));
    for (let index = 0; ; index += 1) {
      const name = "${prefix}-" + index;
      const draft = { kind: "GPUNode", name, labels: {}, annotations: {}, spec: { filler: "x".repeat(500) } };
      const created = await opened.value.create(draft);
      if (created.ok) process.stdout.write(name + "\\n");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    seen += 1;
    if (seen === count) child.kill("SIGKILL");
    yield line;
  }
  assert.ok(seen >= count, `the writer of ${prefix} acknowledged ${seen}`);
}

/** A page in the middle of the file filled with a byte that no page has. */
function overwritten(bytes: Buffer): Buffer {
  bytes.fill(0x5a, 4_096, 8_192);
  return bytes;
}

function foreignDatabase(): Buffer {
  const path = join(folder, "foreign.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE theirs (a TEXT)");
  database.close();
  chmodSync(path, 0o600);
  return readFileSync(path);
}

function taken<Value>(result: Result<Value, unknown>): Value {
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.error));
  return result.value;
}
