import { isAlias, isMap, isScalar, type Document, type Scalar } from "yaml";
import { isJsonObject, type JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { ROOTS } from "./field-catalogue.ts";
import { formatPath, problemOf, type Locate, type Path, type ProblemFinding } from "./finding.ts";
import { missingField, unknownNames, wrongType } from "./parse-resource.ts";
import type { Problem } from "./problem.ts";
import { documentsOf, valueOf, type YamlDocument } from "./read-yaml.ts";
import { RESERVATION_KEY, RESERVATION_NAME, RESERVATION_NAMESPACE } from "./reservation.ts";
import { reservationSpec } from "./reservation-schema.ts";
import type { ResourceDraft } from "./resource.ts";
import { shapeFindings, shown } from "./shape-findings.ts";

// Looking for a place walks the text: one of nothing but mistakes must stay cheap.
const PROBLEMS_MAX = 100;
const ROOT: Path = ROOTS.ReservationMap;

export interface ReservationMapRead {
  readonly draft: ResourceDraft;
  /** Finds the places of the embedded text too. */
  readonly locate: Locate;
}

/** A manifest of core Kubernetes, which can only be the reservation. */
export const isConfigMap = (raw: unknown): raw is JsonObject =>
  isJsonObject(raw) && raw["kind"] === "ConfigMap" && raw["apiVersion"] === "v1";

/**
 * The ConfigMap `standby-gpu-reservation` and the YAML inside it, each place of both in terms of the file.
 * @errors everything that is wrong with either; the embedded text is held to the limits of a file of its own.
 */
export function readReservationMap(
  raw: JsonObject,
  { document, locate }: YamlDocument,
  fileText: string,
): Result<ReservationMapRead, readonly Problem[]> {
  const found = mapFindings(raw);
  const text = isJsonObject(raw["data"]) ? raw["data"][RESERVATION_KEY] : undefined;
  if (found.length > 0 || typeof text !== "string") return err(found.map((finding) => problemOf(finding, locate)));
  const place = embeddedPlaces(document, locate, fileText);
  const problems: Problem[] = [];
  const inside = [...documentsOf({ path: "", text }, problems)];
  const [only] = inside;
  if (problems.length > 0) return err(problems.map((problem) => atPlace(problem, place)));
  if (only === undefined || inside.length > 1) return err([problemOf(notOne(inside.length), locate)]);
  const located: Locate = (at, mark) => {
    const isInside = ROOT.every((step, index) => at[index] === step);
    return isInside ? place(only.locate(at.slice(ROOT.length), mark)) : locate(at, mark);
  };
  const value = valueOf(only.document, only.locate, problems);
  if (problems.length > 0) return err(problems.map((problem) => atPlace(problem, place)));
  const read = reservationSpec.safeParse(value);
  const findings = read.success ? repeatedNames(read.data.tenants) : specFindings(value, read.error.issues);
  if (findings.length > 0 || !isJsonObject(value)) {
    return err(findings.slice(0, PROBLEMS_MAX).map((finding) => problemOf(finding, located)));
  }
  return ok({ draft: { kind: "ReservationMap", name: RESERVATION_NAME, labels: {}, annotations: {}, spec: value }, locate: located });
}

const TOP_NAMES = ["apiVersion", "kind", "metadata", "data", "immutable"];

function mapFindings(raw: JsonObject): readonly ProblemFinding[] {
  const { metadata, data } = raw;
  const name = isJsonObject(metadata) ? metadata["name"] : undefined;
  // Of a foreign ConfigMap nothing else can be judged.
  if (name !== RESERVATION_NAME) return [foreignMap("name", name, RESERVATION_NAME)];
  const namespace = isJsonObject(metadata) ? metadata["namespace"] : undefined;
  if (namespace !== RESERVATION_NAMESPACE) return [foreignMap("namespace", namespace, RESERVATION_NAMESPACE)];
  const found = [...unknownNames([], raw, TOP_NAMES)];
  if (data === undefined) return [...found, missingField(["data"], `{ ${RESERVATION_KEY}: ... }`)];
  if (!isJsonObject(data)) return [...found, wrongType(["data"], data, "a group of fields")];
  found.push(...unknownNames(["data"], data, [RESERVATION_KEY]));
  const text = data[RESERVATION_KEY];
  if (text === undefined) return [...found, missingField(["data", RESERVATION_KEY], "| and the YAML below it")];
  return typeof text === "string" ? found : [...found, wrongType(["data", RESERVATION_KEY], text, "a text")];
}

function foreignMap(field: "name" | "namespace", written: unknown, wanted: string): ProblemFinding {
  return {
    code: "UNKNOWN_KIND",
    at: ["metadata", field],
    mark: "value",
    what: `The ConfigMap's metadata.${field} is ${written === undefined ? "missing" : shown(written)}.`,
    why: `The only ConfigMap that is read is ${RESERVATION_NAME} in the namespace ${RESERVATION_NAMESPACE}.`,
    next: `Write ${field}: ${wanted}, or take the document out.`,
  };
}

const notOne = (count: number): ProblemFinding => ({
  code: count === 0 ? "MISSING_FIELD" : "WRONG_VALUE",
  at: ["data", RESERVATION_KEY],
  mark: "value",
  what: `data["${RESERVATION_KEY}"] holds ${count === 0 ? "no document" : `${count} documents`}.`,
  why: "It is one document with the list tenants.",
  next: count === 0 ? "Write tenants: [] for no reservation at all." : "Put all tenants into one list.",
});

function specFindings(value: unknown, issues: Parameters<typeof shapeFindings>[2]): readonly ProblemFinding[] {
  if (!isJsonObject(value)) return [wrongType(ROOT, value, "a group with the list tenants")];
  return shapeFindings("ReservationMap", value, issues);
}

function repeatedNames(tenants: readonly { readonly name: string }[]): readonly ProblemFinding[] {
  const firsts = new Map<string, number>();
  return tenants.flatMap(({ name }, index): readonly ProblemFinding[] => {
    const first = firsts.get(name);
    if (first === undefined) {
      firsts.set(name, index);
      return [];
    }
    const at = [...ROOT, "tenants", index, "name"];
    return [
      {
        code: "DUPLICATE_RESOURCE",
        at,
        mark: "value",
        what: `${formatPath(at)} is ${name}, as tenants[${first}].name is.`,
        why: "One entry says all that is reserved for a tenant or a service.",
        next: "Join the two, or write a service's own name for one of them.",
      },
    ];
  });
}

type Place = ReturnType<Locate>;
type ToFile = (inside: Place) => Place;

const atPlace = (problem: Problem, place: ToFile): Problem => ({
  ...problem,
  ...place(problem),
  path: formatPath(ROOT) + (problem.path === "" ? "" : `.${problem.path}`),
});

/**
 * From lines and columns of the embedded text to those of the file. In a literal block (`|`) each line stands as it is, only deeper;
 * in any other form the text is not written line by line, and all that can be shown is where it begins.
 */
function embeddedPlaces(document: Document.Parsed, locate: Locate, fileText: string): ToFile {
  const start = locate(["data", RESERVATION_KEY], "value");
  const scalar = embeddedScalar(document);
  if (scalar?.type !== "BLOCK_LITERAL" || start.line === null) return () => start;
  const headLine = start.line;
  const written = fileText.split("\n").slice(headLine);
  const depth = indentOf(written) - indentOf(String(scalar.value).split("\n"));
  return ({ line, column }) =>
    line === null || column === null ? start : { file: start.file, line: headLine + line, column: column + depth };
}

function embeddedScalar(document: Document.Parsed): Scalar | null {
  let node: unknown = document.contents;
  for (const step of ["data", RESERVATION_KEY]) {
    const target: unknown = isAlias(node) ? node.resolve(document) : node;
    node = isMap(target) ? target.get(step, true) : null;
  }
  const target: unknown = isAlias(node) ? node.resolve(document) : node;
  return isScalar(target) && target === node ? target : null;
}

/** Spaces before the first line that is not blank. */
const indentOf = (lines: readonly string[]): number => lines.find((line) => line.trim() !== "")?.search(/\S/) ?? 0;
