import type { ProblemFinding } from "./finding.ts";
import { LABEL_PATTERN } from "./schema-parts.ts";
import { nearestLabel } from "./nearest-name.ts";
import { shown } from "./shape-findings.ts";

/** Names become parts of other names, of metrics and of file names: a DNS label is safe in all of them. */
export function nameFindings(name: string): readonly ProblemFinding[] {
  if (LABEL_PATTERN.test(name)) return [];
  const repaired = nearestLabel(name);
  return [
    {
      code: "INVALID_NAME",
      at: ["metadata", "name"],
      mark: "value",
      what: `metadata.name is ${shown(name)}, which is no valid name.`,
      why: "A name has lower-case letters, digits and dashes, starts and ends with a letter or digit, and is at most 63 long.",
      next: repaired === null ? "Choose a name such as tenant-gold." : `Write ${repaired}.`,
    },
  ];
}
