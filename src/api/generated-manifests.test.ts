// Every field of every schema, broken in each way that people break fields: the problem stands at exactly that path and line.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { isJsonObject } from "../base/json.ts";
import { BOOLEAN_FORM, DURATION_FORM, QUANTITY_FORM, type Field } from "./field.ts";
import { FIELDS, type WrittenKind } from "./field-catalogue.ts";
import { parseManifests } from "./parse-manifests.ts";
import type { Problem } from "./problem.ts";

type Tree = { [key: string]: Tree } | Tree[] | string;

/** A manifest with every field written, its leaves as YAML text. */
function fullSpec(kind: WrittenKind): Tree {
  if (kind === "GPUNode") return treeOf(FIELDS[kind], (path) => path.replace("gpus[]", "gpus.0"));
  const spec = treeOf(
    // Steps of `degraded` have different fields, so they are written out below.
    FIELDS[kind].filter((field) => !field.path.includes("degraded")),
    (path) => path,
  );
  assert.ok(typeof spec === "object" && !Array.isArray(spec));
  // Fields that must agree: 4 hot GPUs of instances of one, in their bounds.
  const hot = spec["hotStandby"];
  assert.ok(hot !== undefined && typeof hot === "object" && !Array.isArray(hot));
  Object.assign(hot, { gpuCount: "2", minGpuCount: "1", maxGpuCount: "4" });
  return { ...spec, degraded: [{ kind: "queue", upTo: "30s" }, { kind: "model", name: "tide-1b" }, { kind: "shed" }] };
}

function treeOf(fields: readonly Field[], at: (path: string) => string): Tree {
  const root: Record<string, Tree> = {};
  for (const field of fields) {
    const steps = at(field.path.replace("spec.", "")).split(".");
    let group = root;
    for (const step of steps.slice(0, -1)) {
      const next = group[step] ?? {};
      assert.ok(typeof next === "object" && !Array.isArray(next));
      group[step] = next;
      group = next;
    }
    group[steps.at(-1) ?? ""] = field.example;
  }
  return listsOf(root);
}
/** `{ gpus: { 0: ... } }` is a list. */
function listsOf(tree: Tree): Tree {
  if (typeof tree === "string" || Array.isArray(tree)) return tree;
  if (Object.hasOwn(tree, "0")) return Object.values(tree).map(listsOf);
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, listsOf(value)]));
}

/** Block YAML with each leaf on a line of its own, and the line of each path. */
function emit(kind: WrittenKind, spec: Tree): { readonly text: string; readonly lines: ReadonlyMap<string, number> } {
  const out = ["apiVersion: inference.example.com/v1", `kind: ${kind}`, "metadata:", "  name: tenant-a", "spec:"];
  const lines = new Map<string, number>();
  const write = (tree: Tree, path: string, indent: string): void => {
    const entries: readonly (readonly [string, string, Tree])[] = Array.isArray(tree)
      ? tree.map((value, index) => ["-", `${path}[${index}]`, value])
      : Object.entries(tree).map(([key, value]) => [`${key}:`, `${path}.${key}`, value]);
    for (const [mark, at, value] of entries) {
      out.push(`${indent}${mark}${typeof value === "string" ? ` ${value}` : ""}`);
      lines.set(at, out.length);
      if (typeof value !== "string") write(value, at, `${indent}  `);
    }
  };
  write(spec, "spec", "  ");
  return { text: `${out.join("\n")}\n`, lines };
}

/** The tree with what `change` makes of the leaf at the path. */
function changed(tree: Tree, steps: readonly string[], change: (key: string, value: string) => readonly [string, string]): Tree {
  const [step = "", ...rest] = steps;
  if (Array.isArray(tree)) return tree.map((value, index) => (String(index) === step ? changed(value, rest, change) : value));
  assert.ok(typeof tree === "object");
  const entries = Object.entries(tree).map(([key, value]): readonly [string, Tree] => {
    if (key !== step) return [key, value];
    if (rest.length > 0) return [key, changed(value, rest, change)];
    assert.ok(typeof value === "string");
    return change(key, value);
  });
  return Object.fromEntries(entries);
}

const LIST_PLACES: Readonly<Record<string, string>> = {
  "degraded[].kind": "degraded[0].kind",
  "degraded[].upTo": "degraded[0].upTo",
  "degraded[].name": "degraded[1].name",
};
const placeOf = (field: Field): string => {
  const path = field.path.replace("spec.", "");
  return LIST_PLACES[path] ?? path.replace("[]", "[0]");
};
const stepsOf = (place: string): readonly string[] => place.replaceAll(/\[(\d+)\]/g, ".$1").split(".");

function problemsOf(kind: WrittenKind, spec: Tree): { readonly problems: readonly Problem[]; readonly lines: ReadonlyMap<string, number> } {
  const { text, lines } = emit(kind, spec);
  return { problems: parseManifests([{ path: "m.yaml", text }]).problems, lines };
}

interface Slip {
  readonly name: string;
  readonly codes: readonly string[];
  /** null = this slip cannot happen to that field. */
  readonly change: (field: Field, example: unknown) => string | null;
}
const slips: readonly Slip[] = [
  {
    name: "wrong type",
    codes: ["WRONG_TYPE"],
    change: (field, example) => (field.form === BOOLEAN_FORM ? "7" : typeof example === "object" ? "some text" : "true"),
  },
  {
    name: "wrong unit",
    codes: ["WRONG_UNIT", "WRONG_TYPE"],
    change: (field, example) => {
      if (field.form === QUANTITY_FORM) return "5Gbit";
      if (field.form === DURATION_FORM) return "5parsecs";
      return typeof example === "number" ? "5GB" : null;
    },
  },
  {
    name: "negative",
    codes: ["NEGATIVE", "OUT_OF_RANGE"],
    change: (field, example) => {
      if (field.form === QUANTITY_FORM || field.form === DURATION_FORM) return `-${field.example}`;
      return typeof example === "number" ? "-1" : null;
    },
  },
];

for (const kind of ["HotStandbyConfig", "GPUNode"] as const) {
  test(`a ${kind} with every field written is accepted`, () => {
    assert.deepEqual(problemsOf(kind, fullSpec(kind)).problems, []);
  });
  for (const field of FIELDS[kind]) {
    const place = placeOf(field);
    const path = `spec.${place}`;
    const example: unknown = parse(field.example);
    for (const slip of slips) {
      const text = slip.change(field, example);
      if (text === null) continue;
      test(`${kind} ${field.path} of ${slip.name} is one problem at its path and line`, () => {
        const { problems, lines } = problemsOf(
          kind,
          changed(fullSpec(kind), stepsOf(place), (key) => [key, text]),
        );
        assert.deepEqual(
          problems.map((problem) => problem.path),
          [path],
        );
        assert.equal(problems[0]?.line, lines.get(path));
        assert.ok(slip.codes.includes(problems[0]?.code ?? ""), JSON.stringify(problems));
      });
    }
    test(`${kind} ${field.path} misspelt is a problem at its path and line, with the right name`, () => {
      const wrong = (key: string): string => `${key.slice(0, -1)}x${key.slice(-1)}`;
      const { problems, lines } = problemsOf(
        kind,
        changed(fullSpec(kind), stepsOf(place), (key, value) => [wrong(key), value]),
      );
      const wrongPath = path.replace(/[A-Za-z]+$/, wrong);
      // A step of `degraded` without its kind is of no kind at all: then the missing kind is what is told.
      const found = problems.find((problem) => problem.path === (field.path.endsWith("[].kind") ? path : wrongPath));
      assert.equal(found?.line, lines.get(wrongPath));
      assert.equal(found?.code, field.path.endsWith("[].kind") ? "MISSING_FIELD" : "UNKNOWN_FIELD");
      if (found?.code === "UNKNOWN_FIELD") assert.equal(found.next, `Did you mean ${path.split(".").at(-1)}?`);
      assert.ok(problems.length <= 2 && isJsonObject(found));
    });
  }
}
