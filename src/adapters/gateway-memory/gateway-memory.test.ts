import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import assert from "node:assert/strict";
import { exampleSnapshot, testGatewayMemoryContract } from "../../ports/gateway-memory-contract.ts";
import { createFileGatewayMemory } from "./file.ts";
import { createMemoryGatewayMemory } from "./memory.ts";
import { parseSnapshot, renderSnapshot } from "./parse-snapshot.ts";

testGatewayMemoryContract("in-memory", async () => {
  const memory = createMemoryGatewayMemory();
  return { memory, reopen: () => memory, dispose: async () => assert.ok(memory) };
});

testGatewayMemoryContract("file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-memory-"));
  const open = () => createFileGatewayMemory(join(folder, "gateway-0"));
  return { memory: open(), reopen: open, dispose: () => rm(folder, { recursive: true }) };
});

test("a gateway's memory that is torn at any byte, or has any byte changed, is no memory", () => {
  const text = renderSnapshot(exampleSnapshot("state-1"));
  assert.notEqual(parseSnapshot(text), null);
  for (let at = 0; at < text.length; at += 1) {
    assert.equal(parseSnapshot(text.slice(0, at)), null);
    assert.equal(parseSnapshot(`${text.slice(0, at)}~${text.slice(at + 1)}`), null);
  }
  assert.equal(parseSnapshot('{"stateId":"x","tables":[],"keys":[]}'), null);
});

test("a gateway's memory file is its owner's alone and leaves no draft behind", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-memory-"));
  const memory = createFileGatewayMemory(folder);
  await memory.save(exampleSnapshot("state-1"));
  assert.deepEqual(await readdir(folder), ["memory.json"]);
  assert.equal((await stat(join(folder, "memory.json"))).mode & 0o777, 0o600);
  await rm(folder, { recursive: true });
});

test("a gateway's memory that cannot be written says so and keeps the last one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-memory-"));
  await writeFile(join(folder, "file"), "not a folder");
  const blocked = createFileGatewayMemory(join(folder, "file"));
  assert.equal(await blocked.save(exampleSnapshot("state-1")), false);
  assert.equal(await blocked.load(), null);
  assert.equal(await readFile(join(folder, "file"), "utf8"), "not a folder");
  await rm(folder, { recursive: true });
});
