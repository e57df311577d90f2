import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Explanation, type Result } from "../base/result.ts";

export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}

const ENDINGS = [".yaml", ".yml", ".json"];
const FILES_MAX = 1_000;
const FILE_BYTES_MAX = 1_048_576;

/**
 * The texts of files, and of the manifests in folders (not in folders below them), each once, in the order of the arguments and of names.
 * @errors a path that cannot be read, a folder without manifests, more or larger files than the limits.
 */
export function readManifests(paths: readonly string[]): Result<readonly ManifestFile[], Explanation> {
  const files = new Map<string, ManifestFile>();
  for (const path of paths) {
    try {
      const found = expand(path);
      if (found.length === 0) return err(noManifests(path));
      for (const file of found) {
        if (files.size >= FILES_MAX) return err(tooMany(path));
        if (statSync(file).size > FILE_BYTES_MAX) return err(tooLarge(file));
        files.set(file, { path: file, text: readFileSync(file, "utf8") });
      }
    } catch (cause) {
      if (!(cause instanceof Error) || !("code" in cause)) throw cause;
      return err(unreadable(path, cause));
    }
  }
  return ok([...files.values()]);
}

function expand(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { withFileTypes: true }).filter(
    (entry) => !entry.isDirectory() && ENDINGS.some((ending) => entry.name.endsWith(ending)),
  );
  return names.map((entry) => join(path, entry.name)).toSorted();
}

const noManifests = (path: string): Explanation => ({
  what: `${path} holds no manifest.`,
  why: `No file in it ends in ${ENDINGS.join(", ")}.`,
  next: "Name the files themselves, or another folder.",
});
const tooMany = (path: string): Explanation => ({
  what: `There are too many manifests up to ${path}.`,
  why: `At most ${FILES_MAX} files are read at a time.`,
  next: "Put several documents into one file, or apply in parts.",
});
const tooLarge = (file: string): Explanation => ({
  what: `${file} is too large.`,
  why: `A manifest has at most ${FILE_BYTES_MAX} bytes.`,
  next: "Split it into several files.",
});
const unreadable = (path: string, cause: Error): Explanation => ({
  what: `${path} cannot be read.`,
  why: cause.message,
  next: "Check the path and its rights.",
});
