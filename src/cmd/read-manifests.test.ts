import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { readManifests } from "./read-manifests.ts";

function inFolder(check: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-manifests-"));
  try {
    check(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a folder gives its manifests by name, and nothing of the folders below it", () => {
  inFolder((folder) => {
    for (const name of ["b.yml", "a.yaml", "c.json", "notes.md", ".hidden.yaml.swp"]) writeFileSync(join(folder, name), name);
    mkdirSync(join(folder, "deeper.yaml"));
    const read = readManifests([folder]);
    assert.deepEqual(read.ok ? read.value.map((file) => [relative(folder, file.path), file.text]) : read.error, [
      ["a.yaml", "a.yaml"],
      ["b.yml", "b.yml"],
      ["c.json", "c.json"],
    ]);
  });
});

test("a file that is named twice is read once, at its first place", () => {
  inFolder((folder) => {
    for (const name of ["a.yaml", "b.yaml"]) writeFileSync(join(folder, name), name);
    const read = readManifests([join(folder, "b.yaml"), folder]);
    assert.deepEqual(read.ok ? read.value.map((file) => file.text) : read.error, ["b.yaml", "a.yaml"]);
  });
});

test("a folder without manifests, and a path that is not there, are refused", () => {
  inFolder((folder) => {
    const empty = readManifests([folder]);
    const absent = readManifests([join(folder, "x.yaml")]);
    assert.ok(!empty.ok && empty.error.what.endsWith("holds no manifest."));
    assert.ok(!absent.ok && absent.error.why.includes("ENOENT"));
  });
});

test("a manifest of more than a mebibyte is refused unread", () => {
  inFolder((folder) => {
    writeFileSync(join(folder, "big.yaml"), "x".repeat(1_048_577));
    const read = readManifests([folder]);
    assert.ok(!read.ok && read.error.what.endsWith("big.yaml is too large."));
  });
});
