import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Range } from "yaml";
import type { Locate, Path } from "./finding.ts";

/** Where the text of a path stands in a parsed document: line and column count from 1. */
export function yamlPlaces(file: string, document: Document.Parsed, lines: LineCounter): Locate {
  return (at, mark) => {
    const offset = offsetOf(document, at, mark);
    if (offset === null) return { file, line: null, column: null };
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
}

/** Walks down as far as the path is written; a missing field is shown at its group. */
function offsetOf(document: Document.Parsed, at: Path, mark: "key" | "value"): number | null {
  let node: unknown = document.contents;
  let offset = startOf(document.contents);
  for (const [index, step] of at.entries()) {
    const below = stepInto(document, node, step);
    if (below === null) return offset;
    const isLast = index === at.length - 1;
    offset = isLast && mark === "key" ? below.keyOffset : (startOf(below.value) ?? below.keyOffset);
    node = below.value;
  }
  return offset;
}

function stepInto(
  document: Document.Parsed,
  node: unknown,
  step: string | number,
): { readonly keyOffset: number | null; readonly value: unknown } | null {
  const target: unknown = isAlias(node) ? node.resolve(document) : node;
  if (isMap(target)) {
    const pair = target.items.find((item) => isScalar(item.key) && String(item.key.value) === step);
    return pair === undefined ? null : { keyOffset: startOf(pair.key), value: pair.value };
  }
  if (isSeq(target) && typeof step === "number" && step < target.items.length) {
    const value = target.items[step];
    return { keyOffset: startOf(value), value };
  }
  return null;
}

function startOf(node: unknown): number | null {
  if (!isScalar(node) && !isMap(node) && !isSeq(node) && !isAlias(node)) return null;
  const range: Range | null | undefined = node.range;
  return range?.[0] ?? null;
}
