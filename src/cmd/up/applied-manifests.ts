import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { ManifestFile } from "../read-manifests.ts";

/** Remembers what was applied last, so that a restart over the same files goes straight to what is stored. */
export interface AppliedManifests {
  isSame(files: readonly ManifestFile[]): boolean;
  remember(files: readonly ManifestFile[]): void;
}

export function openAppliedManifests(path: string): AppliedManifests {
  return {
    isSame: (files) => readOr(path) === digestOf(files),
    remember: (files) => writeFileSync(path, `${digestOf(files)}\n`, { mode: 0o600 }),
  };
}

function readOr(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    if (cause instanceof Error && "code" in cause) return null;
    throw cause;
  }
}

function digestOf(files: readonly ManifestFile[]): string {
  const hash = createHash("sha256");
  for (const { path, text } of files) hash.update(`${path}\n${text.length}\n${text}\n`);
  return hash.digest("hex");
}
