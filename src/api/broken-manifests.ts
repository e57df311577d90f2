// For tests: every field of every schema, broken in each way that people break fields.

import { parse } from "yaml";
import { assert } from "../base/assert.ts";
import { BOOLEAN_FORM, DURATION_FORM, QUANTITY_FORM, type Field } from "./field.ts";
import { FIELDS, type WrittenKind } from "./field-catalogue.ts";

type Tree = { [key: string]: Tree } | Tree[] | string;

/** A manifest with every field written, its leaves as YAML text. */
function fullSpec(kind: WrittenKind): Tree {
  if (kind === "GPUNode") return treeOf(FIELDS[kind], (path) => path.replace("gpus[]", "gpus.0"));
  const spec = treeOf(
    // Steps of `degraded` have different fields, so they are written out below.
    FIELDS[kind].filter((field) => !field.path.includes("degraded")),
    (path) => path,
  );
  assert(typeof spec === "object" && !Array.isArray(spec), "the tree of a manifest has this shape");
  // Fields that must agree: 4 hot GPUs of instances of one, in their bounds.
  const hot = spec["hotStandby"];
  assert(hot !== undefined && typeof hot === "object" && !Array.isArray(hot), "the tree of a manifest has this shape");
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
      assert(typeof next === "object" && !Array.isArray(next), "the tree of a manifest has this shape");
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
  assert(typeof tree === "object", "the tree of a manifest has this shape");
  const entries = Object.entries(tree).map(([key, value]): readonly [string, Tree] => {
    if (key !== step) return [key, value];
    if (rest.length > 0) return [key, changed(value, rest, change)];
    assert(typeof value === "string", "the tree of a manifest has this shape");
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

interface Slip {
  readonly slip: "wrong type" | "wrong unit" | "negative";
  readonly codes: readonly string[];
  /** null = this slip cannot happen to that field. */
  readonly change: (field: Field, example: unknown) => string | null;
}
const slips: readonly Slip[] = [
  {
    slip: "wrong type",
    codes: ["WRONG_TYPE"],
    change: (field, example) => (field.form === BOOLEAN_FORM ? "7" : typeof example === "object" ? "some text" : "true"),
  },
  {
    slip: "wrong unit",
    codes: ["WRONG_UNIT", "WRONG_TYPE"],
    change: (field, example) => {
      if (field.form === QUANTITY_FORM) return "5Gbit";
      if (field.form === DURATION_FORM) return "5parsecs";
      return typeof example === "number" ? "5GB" : null;
    },
  },
  {
    slip: "negative",
    codes: ["NEGATIVE", "OUT_OF_RANGE"],
    change: (field, example) => {
      if (field.form === QUANTITY_FORM || field.form === DURATION_FORM) return `-${field.example}`;
      return typeof example === "number" ? "-1" : null;
    },
  },
];

/** A manifest with one field broken. */
export interface BrokenManifest {
  readonly kind: WrittenKind;
  readonly field: Field;
  readonly slip: "wrong type" | "wrong unit" | "negative" | "misspelt";
  readonly text: string;
  /** Where the field stands when it is rightly spelt. */
  readonly path: string;
  /** Where it stands now, and the line of that. */
  readonly brokenPath: string;
  readonly line: number | undefined;
  /** One of these is what is wrong with it. */
  readonly codes: readonly string[];
}

export const wholeManifest = (kind: WrittenKind): string => emit(kind, fullSpec(kind)).text;

/** Each field of each kind that people write x each slip that can happen to it. */
export function brokenManifests(): readonly BrokenManifest[] {
  const kinds: readonly WrittenKind[] = ["HotStandbyConfig", "GPUNode"];
  return kinds.flatMap((kind) => FIELDS[kind].flatMap((field) => brokenFields(kind, field)));
}

function brokenFields(kind: WrittenKind, field: Field): readonly BrokenManifest[] {
  const place = placeOf(field);
  const path = `spec.${place}`;
  const broken = (
    change: (key: string, value: string) => readonly [string, string],
    brokenPath: string,
  ): Pick<BrokenManifest, "kind" | "field" | "text" | "path" | "brokenPath" | "line"> => {
    const { text, lines } = emit(kind, changed(fullSpec(kind), stepsOf(place), change));
    return { kind, field, text, path, brokenPath, line: lines.get(brokenPath) };
  };
  const example: unknown = parse(field.example);
  const slipped = slips.flatMap(({ slip, codes, change }): readonly BrokenManifest[] => {
    const value = change(field, example);
    return value === null ? [] : [{ ...broken((key) => [key, value], path), slip, codes }];
  });
  // A step of `degraded` without its kind is of no kind at all: then the missing kind is what is told.
  const codes = field.path.endsWith("[].kind") ? ["MISSING_FIELD"] : ["UNKNOWN_FIELD"];
  const misspelt = broken((key, value) => [misspell(key), value], path.replace(/[A-Za-z]+$/, misspell));
  return [...slipped, { ...misspelt, slip: "misspelt", codes }];
}

const misspell = (key: string): string => `${key.slice(0, -1)}x${key.slice(-1)}`;
