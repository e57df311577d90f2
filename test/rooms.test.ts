import assert from "node:assert/strict";
import { test } from "node:test";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "./support/source-files.ts";

const oxlint = join(root, "node_modules", ".bin", "oxlint");

/** A tree of its own with the project's linter configuration and the given files. */
function lint(files: Readonly<Record<string, string>>): { readonly codes: readonly string[]; readonly output: string } {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-rooms-"));
  try {
    for (const name of [".oxlintrc.json", "tsconfig.json", "package.json"]) cpSync(join(root, name), join(folder, name));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const run = spawnSync(oxlint, ["--disable-nested-config", "--format", "json", "src"], { cwd: folder, encoding: "utf8" });
    const report: { diagnostics: { filename: string; code?: string }[] } = JSON.parse(run.stdout);
    return { codes: report.diagnostics.map((found) => `${found.filename} ${found.code ?? "?"}`).toSorted(), output: run.stdout };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const base = {
  "src/base/ids.ts": "export const one = 1;\n",
  "src/gateway/serve.ts": "export const two = 2;\n",
  "src/adapters/clock/system.ts": "export const three = 3;\n",
};

const violations: readonly { readonly name: string; readonly path: string; readonly text: string }[] = [
  {
    name: "a lower room imports a higher one",
    path: "src/base/a.ts",
    text: 'import { two } from "../gateway/serve.ts";\nexport const x = two;\n',
  },
  {
    name: "gateway imports controllers",
    path: "src/gateway/b.ts",
    text: 'import { y } from "../controllers/c.ts";\nexport const x = y;\n',
  },
  {
    name: "a decision room imports node",
    path: "src/routing/c.ts",
    text: 'import { readFileSync } from "node:fs";\nexport const x = readFileSync;\n',
  },
  { name: "a decision room imports a package", path: "src/failover/d.ts", text: 'import { z } from "zod";\nexport const x = z;\n' },
  { name: "a room reads the clock", path: "src/routing/e.ts", text: "export const x = (): number => Date.now();\n" },
  { name: "a room draws chance", path: "src/admission/f.ts", text: "export const x = (): number => Math.random();\n" },
  { name: "a room starts a timer", path: "src/gateway/g.ts", text: "export const x = (): unknown => setTimeout(() => undefined, 1);\n" },
  {
    name: "a simulated adapter reads the clock",
    path: "src/adapters/clock/simulated.ts",
    text: "export const x = (): number => Date.now();\n",
  },
  { name: "an any", path: "src/api/h.ts", text: "export const x = (y: any): unknown => y;\n" },
  { name: "a type assertion outside a parser", path: "src/wire/i.ts", text: "export const x = (y: unknown): string => y as string;\n" },
  { name: "a default export", path: "src/wire/j.ts", text: "const x = 1;\nexport default x;\n" },
  { name: "a folder that is no room", path: "src/helpers/k.ts", text: 'import { one } from "../base/ids.ts";\nexport const x = one;\n' },
  { name: "a timer in a test", path: "src/base/l.test.ts", text: "export const x = (): unknown => setTimeout(() => undefined, 1);\n" },
  {
    name: "a switch that forgets a case",
    path: "src/api/m.ts",
    text: 'export function x(y: "a" | "b"): number {\n  switch (y) {\n    case "a":\n      return 1;\n  }\n  return 2;\n}\n',
  },
  {
    name: "a floating promise",
    path: "src/gateway/n.ts",
    text: "const run = async (): Promise<void> => {};\nexport const x = (): void => {\n  run();\n};\n",
  },
];

test("rooms: every planted violation is caught, and only those", () => {
  const planted = Object.fromEntries(violations.map(({ path, text }) => [path, text]));
  const { codes } = lint({ ...base, ...planted, "src/controllers/c.ts": "export const y = 1;\n" });
  const caught = new Set(codes.map((line) => line.split(" ")[0]));
  assert.deepEqual([...caught].map((path) => path ?? "").toSorted(), violations.map(({ path }) => path).toSorted());
});

test("rooms: legal imports pass", () => {
  const { codes, output } = lint({
    ...base,
    "src/api/a.ts": 'import { one } from "../base/ids.ts";\nexport const x = one;\n',
    "src/cmd/b.ts":
      'import { two } from "../gateway/serve.ts";\nimport { readFileSync } from "node:fs";\nexport const x = [two, readFileSync, Date.now()];\n',
    "src/adapters/clock/c.ts": "export const now = (): number => Date.now();\n",
  });
  assert.deepEqual(codes, [], output);
});

test("rooms: the linter's configuration and the map in ARCHITECTURE.md are generated from rooms.json", () => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-rooms-"));
  try {
    const target = join(folder, "generated.json");
    execFileSync(process.execPath, [join(root, "scripts", "make-oxlint-rooms.mjs"), join(root, "rooms.json"), target]);
    assert.equal(readFileSync(join(root, ".oxlintrc.json"), "utf8"), readFileSync(target, "utf8"), "Run npm run rooms.");
    const map = execFileSync(process.execPath, [join(root, "scripts", "make-room-map.ts")], { encoding: "utf8" });
    assert.ok(readFileSync(join(root, "ARCHITECTURE.md"), "utf8").includes(map.trim()), "Run npm run rooms.");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
