import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "..", "..");

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** The project's own files: what git tracks, and what it would track. */
export function projectFiles(): readonly string[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
  return listed.split("\n").filter((path) => path !== "" && existsSync(join(root, path)));
}

/** Those of them that `pick` wants, with their text. */
export function readFiles(pick: (path: string) => boolean): readonly SourceFile[] {
  return projectFiles()
    .filter(pick)
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}
