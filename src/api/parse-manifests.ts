import { checkDraft } from "./check-draft.ts";
import { problemOf, type Locate, type ProblemFinding } from "./finding.ts";
import { readResource } from "./parse-resource.ts";
import { isConfigMap, readReservationMap, type ReservationMapRead } from "./parse-reservation-map.ts";
import type { Problem, Warning } from "./problem.ts";
import { documentsOf, valueOf, type ManifestFile, type YamlDocument } from "./read-yaml.ts";
import type { ResourceDraft } from "./resource.ts";

const PROBLEMS_PER_FILE_MAX = 100;

export interface ParsedManifests {
  /** Everything that reads well on its own. Nothing may be applied while there are problems. */
  readonly drafts: readonly ResourceDraft[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Warning[];
  /** Where each draft's text stands, by `kind/name`: for checks over the whole set. */
  readonly places: ReadonlyMap<string, Locate>;
}

/** Every resource of the files, in order, each checked on its own; two of one kind and name are a problem that names both places. */
export function parseManifests(files: readonly ManifestFile[]): ParsedManifests {
  const drafts: ResourceDraft[] = [];
  const problems: Problem[] = [];
  const warnings: Warning[] = [];
  const places = new Map<string, Locate>();
  for (const file of files) {
    const ofFile: Problem[] = [];
    for (const document of documentsOf(file, ofFile)) {
      const read = readDocument(document, file.text, { problems: ofFile, warnings });
      if (read === null) continue;
      const { draft, locate } = read;
      const key = `${draft.kind}/${draft.name}`;
      const earlier = places.get(key);
      if (earlier !== undefined) ofFile.push(duplicate(draft, earlier, locate));
      else {
        places.set(key, locate);
        drafts.push(draft);
      }
    }
    problems.push(...ofFile.slice(0, PROBLEMS_PER_FILE_MAX));
  }
  return { drafts, problems, warnings, places };
}

interface Found {
  readonly problems: Problem[];
  readonly warnings: Warning[];
}

function readDocument(at: YamlDocument, fileText: string, found: Found): ReservationMapRead | null {
  const { document, locate } = at;
  const raw = valueOf(document, locate, found.problems);
  if (raw === null) return null;
  if (isConfigMap(raw)) {
    const reservation = readReservationMap(raw, at, fileText);
    if (reservation.ok) return reservation.value;
    found.problems.push(...reservation.error.slice(0, PROBLEMS_PER_FILE_MAX));
    return null;
  }
  const read = readResource(raw);
  if (!read.ok) {
    // Looking for a place walks the document: a file of nothing but mistakes must stay cheap.
    found.problems.push(...read.error.slice(0, PROBLEMS_PER_FILE_MAX).map((finding) => problemOf(finding, locate)));
    return null;
  }
  const verdict = checkDraft(read.value, locate);
  found.problems.push(...verdict.problems);
  found.warnings.push(...verdict.warnings);
  return verdict.problems.length === 0 ? { draft: read.value, locate } : null;
}

function duplicate(draft: ResourceDraft, earlier: Locate, locate: Locate): Problem {
  const first = earlier(["metadata", "name"], "value");
  const finding: ProblemFinding = {
    code: "DUPLICATE_RESOURCE",
    at: ["metadata", "name"],
    mark: "value",
    what: `${draft.kind} ${draft.name} is written twice.`,
    why: `The first stands at ${first.file ?? "?"}:${first.line ?? "?"}:${first.column ?? "?"}.`,
    next: "Remove one, or give it another name.",
  };
  return problemOf(finding, locate);
}
