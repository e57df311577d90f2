import { isAlias, isCollection, isScalar, LineCounter, parseAllDocuments, visit, type Document, type YAMLError, type YAMLMap } from "yaml";
import { problemOf, type Locate, type ProblemFinding } from "./finding.ts";
import type { Problem, ProblemCode } from "./problem.ts";
import { yamlPlaces } from "./yaml-places.ts";

// A manifest is written by people: these are far above the largest honest one.
const FILE_BYTES_MAX = 1_048_576;
const DOCUMENTS_MAX = 1_000;
/** Lines, entries and keys of one file: 1 MiB of nothing but commas would block the reader for seconds. */
const MARKS_MAX = 60_000;
const DEPTH_MAX = 32;
/** Anchors may save a few repetitions; beyond this they only serve to blow up memory. */
const ALIASES_MAX = 100;

export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}

function sizeOverLimit(text: string): Pick<ProblemFinding, "what" | "why"> | null {
  if (text.length > FILE_BYTES_MAX) return { what: `The file has ${text.length} characters.`, why: `At most ${FILE_BYTES_MAX} are read.` };
  const marks = marksIn(text);
  return marks > MARKS_MAX ? { what: `The file has ${marks} lines, keys and entries.`, why: `At most ${MARKS_MAX} are read.` } : null;
}

function marksIn(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // Line feed, comma, colon, [ and {.
    if (code === 10 || code === 44 || code === 58 || code === 91 || code === 123) count += 1;
  }
  return count;
}

/** One document that is whole, and where its text stands. */
export interface YamlDocument {
  readonly document: Document.Parsed;
  readonly locate: Locate;
}

/** The documents of a text, none larger, deeper or wider than what people write; what is wrong with the text goes into `problems`. */
export function* documentsOf(file: ManifestFile, problems: Problem[]): Generator<YamlDocument> {
  const ofFile = (
    code: ProblemCode,
    text: Pick<ProblemFinding, "what" | "why" | "next">,
    line: number | null = null,
    column: number | null = null,
  ) => problems.push({ code, file: file.path, line, column, path: "", ...text });
  const size = sizeOverLimit(file.text);
  if (size !== null) {
    ofFile("TOO_LARGE", { ...size, next: "Split it into several files." });
    return;
  }
  const deepLine = lineThatIsTooDeep(file.text);
  if (deepLine !== null) {
    ofFile(
      "TOO_DEEP",
      { what: "Brackets are nested too deeply.", why: `No resource is deeper than ${DEPTH_MAX} levels.`, next: "Write it flatter." },
      deepLine,
      1,
    );
    return;
  }
  const lines = new LineCounter();
  // The library compares keys one by one: a map of 60,000 keys would take minutes. Duplicates are looked for below.
  const documents = parseAllDocuments(file.text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    stringKeys: true,
    logLevel: "silent",
  });
  if (!Array.isArray(documents)) return;
  if (documents.length > DOCUMENTS_MAX) {
    ofFile("TOO_LARGE", {
      what: `The file has ${documents.length} documents.`,
      why: `At most ${DOCUMENTS_MAX} are read.`,
      next: "Split it into several files.",
    });
    return;
  }
  for (const document of documents) {
    const earlier = problems.length;
    for (const error of document.errors) {
      const { line, col } = lines.linePos(error.pos[0]);
      if (/call stack/.test(error.message)) ofFile("TOO_DEEP", TOO_DEEP, line, col);
      else ofFile("INVALID_YAML", yamlText(error), line, col);
    }
    for (const { first, second, name } of duplicateKeys(document)) {
      const { line, col } = lines.linePos(second);
      ofFile("DUPLICATE_KEY", duplicateKeyText(name, lines.linePos(first).line), line, col);
    }
    if (problems.length === earlier && document.contents !== null) yield { document, locate: yamlPlaces(file.path, document, lines) };
  }
}

const TOO_DEEP = {
  what: "The document is nested too deeply.",
  why: `No resource is deeper than ${DEPTH_MAX} levels.`,
  next: "Write it flatter.",
};

function* duplicateKeys(document: Document.Parsed): Generator<{ readonly first: number; readonly second: number; readonly name: string }> {
  const maps: YAMLMap[] = [];
  visit(document, { Map: (_key, map) => void maps.push(map) });
  for (const map of maps) {
    const seen = new Map<string, number>();
    for (const { key } of map.items) {
      if (!isScalar(key) || key.range === undefined || key.range === null) continue;
      const name = String(key.value);
      const first = seen.get(name);
      if (first === undefined) seen.set(name, key.range[0]);
      else yield { first, second: key.range[0], name };
    }
  }
}

function duplicateKeyText(name: string, firstLine: number): Pick<ProblemFinding, "what" | "why" | "next"> {
  return {
    what: `The key ${JSON.stringify(name.slice(0, 60))} stands twice in one group.`,
    why: `The first stands in line ${firstLine}. Only one of the two values could hold, and readers disagree on which.`,
    next: "Remove one of them.",
  };
}

function yamlText(error: YAMLError): Pick<ProblemFinding, "what" | "why" | "next"> {
  if (error.code === "TAB_AS_INDENT")
    return { what: "The line is indented with a tab.", why: "YAML indents with spaces only.", next: "Replace the tab by spaces." };
  return {
    what: "The text is no valid YAML.",
    why: /[.?!]$/.test(error.message) ? error.message : `${error.message}.`,
    next: "Check quotes, colons and the indentation of this line and the one above.",
  };
}

/** The document as plain data; null = nothing to read, or refused. */
export function valueOf(document: Document.Parsed, locate: Locate, problems: Problem[]): unknown {
  const shape = { depthMax: 0, aliasCount: 0 };
  visit(document, (_key, node, path) => {
    if (isCollection(node)) shape.depthMax = Math.max(shape.depthMax, path.filter((step) => isCollection(step)).length + 1);
    if (isAlias(node)) shape.aliasCount += 1;
  });
  const refuse = (code: ProblemCode, text: Pick<ProblemFinding, "what" | "why" | "next">): null => {
    problems.push(problemOf({ code, at: [], mark: "value", ...text }, locate));
    return null;
  };
  if (shape.depthMax > DEPTH_MAX) {
    return refuse("TOO_DEEP", TOO_DEEP);
  }
  const bomb = {
    what: "The document's aliases expand to more than is read.",
    why: `At most ${ALIASES_MAX} expansions are made, whatever the text's size.`,
    next: "Write the values out.",
  };
  if (shape.aliasCount > ALIASES_MAX) return refuse("YAML_BOMB", bomb);
  try {
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    return value;
  } catch (cause) {
    // The library throws on an expansion over the limit, and on an alias without its anchor.
    if (cause instanceof ReferenceError && /excessive/i.test(cause.message)) return refuse("YAML_BOMB", bomb);
    if (cause instanceof ReferenceError) {
      return refuse("INVALID_YAML", {
        what: "An alias has no anchor.",
        why: `${cause.message}.`,
        next: "Define the anchor before it, or write the value out.",
      });
    }
    throw cause;
  }
}

/** The parser recurses over brackets: a text that nests them by the thousand is refused before it gets there. */
function lineThatIsTooDeep(text: string): number | null {
  let depth = 0;
  let line = 1;
  for (const sign of text) {
    if (sign === "\n") line += 1;
    else if (sign === "[" || sign === "{") depth += 1;
    else if ((sign === "]" || sign === "}") && depth > 0) depth -= 1;
    // Brackets inside quotes and comments count too, so the bound is far above the one for real nesting.
    if (depth > DEPTH_MAX * 8) return line;
  }
  return null;
}
