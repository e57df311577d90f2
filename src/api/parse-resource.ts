import { z } from "zod";
import { isJsonObject, type JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { formatPath, problemOf, type Path, type ProblemFinding } from "./finding.ts";
import { nearestName } from "./nearest-name.ts";
import type { Problem } from "./problem.ts";
import { withoutReservation } from "./reservation.ts";
import { API_VERSION, KINDS, type Kind, type ResourceDraft } from "./resource.ts";
import { shown } from "./shape-findings.ts";

/** Kubernetes' shape of a resource, as a draft. The spec is an object; what stands in it is the kind's parser's affair. */
export function parseResource(raw: unknown): Result<ResourceDraft, readonly Problem[]> {
  const read = readResource(raw);
  return read.ok ? read : err(read.error.map((finding) => problemOf(finding)));
}

const TOP_NAMES = ["apiVersion", "kind", "metadata", "spec", "status"];
// The last four are the server's own: accepted and ignored, so that what `get` prints can be applied again.
const METADATA_NAMES = ["name", "labels", "annotations", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"];
const textMap = z.record(z.string().max(317), z.string().max(65_536));

/** As `parseResource`, for callers that know where the text stands. */
export function readResource(raw: unknown): Result<ResourceDraft, readonly ProblemFinding[]> {
  if (!isJsonObject(raw)) return err([wrongType([], raw, "a resource with apiVersion, kind, metadata and spec")]);
  const found: ProblemFinding[] = [];
  const kind = kindOf(raw["kind"]);
  if (!kind.ok) found.push(kind.error);
  else if (raw["apiVersion"] !== API_VERSION) found.push(wrongApiVersion(raw["apiVersion"]));
  // Of a foreign kind or version nothing else can be judged.
  if (found.length > 0) return err(found);
  found.push(...unknownNames([], raw, TOP_NAMES));
  const metadata = raw["metadata"];
  if (!isJsonObject(metadata))
    found.push(
      metadata === undefined ? missingField(["metadata"], "{ name: tenant-gold }") : wrongType(["metadata"], metadata, "a group of fields"),
    );
  else found.push(...unknownNames(["metadata"], metadata, METADATA_NAMES));
  const name = isJsonObject(metadata) ? metadata["name"] : null;
  if (name === undefined) found.push(missingField(["metadata", "name"], "tenant-gold"));
  else if (typeof name !== "string" && name !== null) found.push(wrongType(["metadata", "name"], name, "a text"));
  const labels = readTextMap(metadata, "labels", found);
  const annotations = readTextMap(metadata, "annotations", found);
  const spec = raw["spec"];
  if (spec === undefined) found.push(missingField(["spec"], "{ ... }"));
  else if (!isJsonObject(spec)) found.push(wrongType(["spec"], spec, "a group of fields"));
  if (!kind.ok || typeof name !== "string" || !isJsonObject(spec) || found.length > 0) return err(found);
  // What the apply door adds comes back in what `get` prints: it is not the writer's.
  return ok(withoutReservation({ kind: kind.value, name, labels, annotations, spec }));
}

function kindOf(raw: unknown): Result<Kind, ProblemFinding> {
  const known = KINDS.find((kind) => kind === raw);
  if (known !== undefined) return ok(known);
  if (raw === undefined) return err(missingField(["kind"], "HotStandbyConfig"));
  const nearest = typeof raw === "string" ? nearestName(raw, KINDS) : null;
  const what = `kind is ${shown(raw)}, which is no kind of ${API_VERSION}.`;
  const next = nearest === null ? "Write HotStandbyConfig or GPUNode, or ConfigMap with apiVersion v1." : `Did you mean ${nearest}?`;
  return err({ code: "UNKNOWN_KIND", at: ["kind"], mark: "value", what, why: `Kinds are ${KINDS.join(", ")}.`, next });
}

function wrongApiVersion(raw: unknown): ProblemFinding {
  if (raw === undefined) return missingField(["apiVersion"], API_VERSION);
  const what = `apiVersion is ${shown(raw)}, which this version does not read.`;
  return {
    code: "UNKNOWN_API_VERSION",
    at: ["apiVersion"],
    mark: "value",
    what,
    why: "There is one version of the group so far.",
    next: `Write ${API_VERSION}.`,
  };
}

/** Keys of a group that nobody reads. */
export function unknownNames(at: Path, group: JsonObject, known: readonly string[]): readonly ProblemFinding[] {
  return Object.keys(group)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const nearest = nearestName(key, known);
      return {
        code: "UNKNOWN_FIELD",
        at: [...at, key],
        mark: "key",
        what: `${formatPath([...at, key.slice(0, 100)])} is no field.`,
        why: `${at.length === 0 ? "A resource" : formatPath(at)} may hold ${known.join(", ")}.`,
        next: nearest === null ? "Remove it." : `Did you mean ${nearest}?`,
      };
    });
}

function readTextMap(metadata: unknown, key: "labels" | "annotations", found: ProblemFinding[]): Readonly<Record<string, string>> {
  if (!isJsonObject(metadata) || metadata[key] === undefined) return {};
  const parsed = textMap.safeParse(metadata[key]);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const at: Path = ["metadata", key, ...issue.path.map(String)];
    const [step] = issue.path;
    const group = metadata[key];
    found.push(
      wrongType(
        at,
        isJsonObject(group) && typeof step === "string" ? group[step] : group,
        step === undefined ? "a map of names to texts" : "a text",
      ),
    );
  }
  return {};
}

export function missingField(at: Path, example: string): ProblemFinding {
  const path = formatPath(at);
  return {
    code: "MISSING_FIELD",
    at,
    mark: "value",
    what: `${path} is missing.`,
    why: "Every resource has it.",
    next: `Write it, such as ${path.split(".").at(-1)}: ${example}.`,
  };
}

export function wrongType(at: Path, raw: unknown, form: string): ProblemFinding {
  const path = at.length === 0 ? "The document" : formatPath(at);
  return {
    code: "WRONG_TYPE",
    at,
    mark: "value",
    what: `${path} is ${shown(raw)}, not ${form}.`,
    why: "Only that form can be read.",
    next: `Write ${form}${form === "a text" ? " (in quotes, if it looks like a number or a truth value)" : ""}.`,
  };
}
