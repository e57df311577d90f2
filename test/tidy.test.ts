// What the linter cannot see. Each rule is a pure function over texts, so that the last test can show that it bites.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFiles, readFiles, root, type SourceFile } from "./support/source-files.ts";

const isTest = (path: string): boolean => path.endsWith(".test.ts") || path.endsWith("-contract.ts");
const lineOf = (text: string, index: number): number => text.slice(0, index).split("\n").length;

function findAll(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map((match) => `${path}:${lineOf(text, match.index)} ${match[0].trim()}`),
  );
}

// Split so that this file does not accuse itself.
const disableComment = new RegExp(`(?:/[/*]\\s*)(?:ox|es)lint-${"disable"}`, "g");
const openMark = new RegExp(`\\b(?:TO${"DO"}|FIX${"ME"}|XX${"X"})\\b(?!.*#\\d)`, "g");

interface Block {
  readonly name: string | null;
  readonly where: string;
  readonly text: string;
}

/** Test blocks by text: from one `test(` at the start of a statement to the next. */
function testBlocks({ path, text }: SourceFile): readonly Block[] {
  const starts = [...text.matchAll(/(?<=^|[\s;{(>])(?:await )?(?:t\.)?test\(\s*/gm)];
  return starts.map((match, index) => {
    const block = text.slice(match.index, starts[index + 1]?.index ?? text.length);
    const quoted = /test\(\s*(["'])((?:\\.|(?!\1).)*)\1/.exec(block);
    return { name: quoted?.[2] ?? null, where: `${path}:${lineOf(text, match.index)}`, text: block };
  });
}

/** Functions whose body asserts, so that a test may assert through them. */
function assertingHelpers(text: string): readonly string[] {
  const functions = [...text.matchAll(/(?:function\*? |const )(\w+)(?=[^\n]*(?:\(|=>))/g)];
  return functions
    .filter((match, index) => text.slice(match.index, functions[index + 1]?.index ?? text.length).includes("assert"))
    .map((match) => match[1] ?? "");
}

function testsWithoutAssertion(files: readonly SourceFile[]): string[] {
  const shared = files.filter((file) => !file.path.endsWith(".test.ts")).flatMap((file) => assertingHelpers(file.text));
  return files.flatMap((file) => {
    const helpers = new Set([...assertingHelpers(file.text), ...shared]);
    return testBlocks(file)
      .filter(
        (block) =>
          !/assert|fileSnapshot/.test(block.text) && ![...block.text.matchAll(/(\w+)\(/g)].some((call) => helpers.has(call[1] ?? "")),
      )
      .map((block) => block.where);
  });
}

function repeatedTestNames(files: readonly SourceFile[]): string[] {
  const seen = new Map<string, string>();
  const repeated: string[] = [];
  for (const block of files.flatMap(testBlocks)) {
    if (block.name === null) continue;
    const first = seen.get(block.name);
    if (first === undefined) seen.set(block.name, block.where);
    else repeated.push(`${block.where} repeats "${block.name}" of ${first}`);
  }
  return repeated;
}

const rules: readonly { readonly name: string; readonly find: (files: readonly SourceFile[]) => string[] }[] = [
  { name: "no file switches a linter rule off", find: (files) => findAll(files, disableComment) },
  { name: "every open mark names its issue", find: (files) => findAll(files, openMark) },
  { name: "no catch block holds only a comment", find: (files) => findAll(files, /catch\s*(?:\([^)]*\))?\s*\{\s*\/\/[^\n]*\s*\}/g) },
  {
    name: "no value is declared without being there",
    find: (files) =>
      findAll(
        files.filter((file) => file.path !== "src/base/ids.ts"),
        /^\s*declare (?:const|let|var|function|global)\b/gm,
      ),
  },
  { name: "no field is asserted into being", find: (files) => findAll(files, /^\s*(?:readonly )?\w+!:/gm) },
  { name: "no template names an import", find: (files) => findAll(files, /import\(`/g) },
  { name: "nobody renames Math or Intl", find: (files) => findAll(files, /=\s*(?:Math|Intl)\s*[;,]|\}\s*=\s*(?:Math|Intl)\b/g) },
  { name: "no assertion asserts a constant", find: (files) => findAll(files, /assert(?:\.ok)?\(true\b/g) },
  {
    name: "no test is skipped by an option",
    find: (files) =>
      findAll(
        files.filter((file) => isTest(file.path)),
        /\b(?:skip|only|todo):|\bt\.(?:skip|todo)\(/g,
      ),
  },
  { name: "every test asserts", find: (files) => testsWithoutAssertion(files.filter((file) => isTest(file.path))) },
  { name: "every test name is unique", find: (files) => repeatedTestNames(files.filter((file) => file.path.endsWith(".test.ts"))) },
];

const code = readFiles((path) => /^(?:src|test|bench|scripts|bin)\/.*\.(?:ts|js|mjs)$/.test(path) && path !== "test/tidy.test.ts");

for (const rule of rules) {
  test(`tidy: ${rule.name}`, () => {
    assert.deepEqual(rule.find(code), []);
  });
}

test("tidy: one linter configuration, with nothing ignored and no import alias", () => {
  const paths = projectFiles();
  assert.deepEqual(
    paths.filter((path) => path.endsWith(".oxlintrc.json")),
    [".oxlintrc.json"],
  );
  const text = (path: string): string => readFileSync(join(root, path), "utf8");
  assert.ok(!text(".oxlintrc.json").includes('"ignorePatterns"'));
  assert.ok(!text("tsconfig.json").includes('"paths"'));
  assert.ok(!/^\s*"imports"/m.test(text("package.json")));
});

test("tidy: the rooms hold TypeScript only, and only cmd/ writes to the terminal", () => {
  assert.deepEqual(
    projectFiles().filter((path) => path.startsWith("src/") && !path.endsWith(".ts") && !path.endsWith(".snapshot")),
    [],
  );
  const outside = code.filter((file) => file.path.startsWith("src/") && !file.path.startsWith("src/cmd/") && !isTest(file.path));
  assert.deepEqual(findAll(outside, /process\.(?:stdout|stderr)/g), []);
});

test("tidy: the lock file names no registry", () => {
  assert.ok(!readFileSync(join(root, "package-lock.json"), "utf8").includes('"resolved"'));
});

test("tidy: each rule bites on a planted violation", () => {
  const planted: readonly (readonly [string, string])[] = [
    ["no file switches a linter rule off", `// oxlint-${"disable"} no-eval`],
    ["every open mark names its issue", `// TO${"DO"} later`],
    ["no catch block holds only a comment", "try { run(); } catch { // nothing\n}"],
    ["no value is declared without being there", "declare const secret: string;"],
    ["no field is asserted into being", "  name!: string;"],
    ["no template names an import", "await import(`./x.ts`);"],
    ["nobody renames Math or Intl", "const M = Math;"],
    ["no assertion asserts a constant", "assert.ok(true);"],
    ["no test is skipped by an option", 'test("x", { skip: true }, () => assert.equal(1, 1));'],
    ["every test asserts", 'test("x", () => { run(); });'],
    ["every test name is unique", 'test("x", () => assert.equal(1, 1));\ntest("x", () => assert.equal(1, 1));'],
  ];
  assert.equal(planted.length, rules.length);
  for (const [name, text] of planted) {
    const rule = rules.find((candidate) => candidate.name === name);
    assert.ok(rule !== undefined, name);
    assert.equal(rule.find([{ path: "src/base/planted.test.ts", text }]).length, 1, name);
  }
});
