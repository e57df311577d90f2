// Every bug that a seed found: its seed fails at the commit that still had it, and holds today. node scripts/museum.ts [--json FILE]
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

interface Exhibit {
  readonly name: string;
  readonly what: string;
  /** Of this history: the bug is still in it. */
  readonly commit: string;
  /** Arguments of `tidegate simulate`. */
  readonly run: string;
  /** What the run says there, and must not say today. */
  readonly violation: string;
}

const { values } = parseArgs({ options: { json: { type: "string" } } });
const root = resolve(import.meta.dirname, "..");
const exhibits: readonly Exhibit[] = JSON.parse(readFileSync(join(root, "museum", "museum.json"), "utf8"));
const git = (...args: readonly string[]): string => execFileSync("git", [...args], { cwd: root, encoding: "utf8" });

function says(at: string, { run, violation }: Exhibit): boolean {
  const { stdout, stderr } = spawnSync(process.execPath, ["bin/tidegate.js", "simulate", ...run.split(" ")], { cwd: at, encoding: "utf8" });
  return `${stdout}${stderr}`.includes(violation);
}

function failsThen(exhibit: Exhibit): boolean {
  const at = mkdtempSync(join(tmpdir(), "tidegate-museum-"));
  try {
    execFileSync("tar", ["-x", "-C", at], { input: execFileSync("git", ["archive", exhibit.commit], { cwd: root, maxBuffer: 2 ** 28 }) });
    symlinkSync(join(root, "node_modules"), join(at, "node_modules"));
    return says(at, exhibit);
  } finally {
    rmSync(at, { recursive: true, force: true });
  }
}

const rows = exhibits.map((exhibit) => {
  git("merge-base", "--is-ancestor", exhibit.commit, "HEAD");
  const [then, now] = [failsThen(exhibit), says(root, exhibit)];
  const pass = then && !now;
  console.log(
    `${pass ? "ok  " : "FAIL"} ${exhibit.name}: ${then ? "fails" : "HOLDS"} at ${exhibit.commit}, ${now ? "FAILS" : "holds"} today`,
  );
  return { name: exhibit.name, value: pass ? 1 : 0, unit: "(1 = fails then, holds now)", must: "= 1", pass };
});
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows }, null, 2)}\n`);
process.exit(rows.every(({ pass }) => pass) ? 0 : 1);
