import type { Explanation } from "../base/result.ts";
import type { Problem, ProblemCode, Warning, WarningCode } from "./problem.ts";

/** Keys and indexes from the top of a resource. */
export type Path = readonly (string | number)[];

/** A problem or a warning before it is known where the text stands. */
export interface Finding<Code extends string> extends Explanation {
  readonly code: Code;
  readonly at: Path;
  /** Which end of `key: value` is meant. */
  readonly mark: "key" | "value";
}
export type ProblemFinding = Finding<ProblemCode>;
export type WarningFinding = Finding<WarningCode>;

interface Place {
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
}
/** Finds the text of a path, or of its nearest ancestor that was written. */
export type Locate = (at: Path, mark: "key" | "value") => Place;

const nowhere: Locate = () => ({ file: null, line: null, column: null });

export const problemOf = (finding: ProblemFinding, locate: Locate = nowhere): Problem => placed(finding, locate);
export const warningOf = (finding: WarningFinding, locate: Locate = nowhere): Warning => placed(finding, locate);

function placed<Code extends string>(finding: Finding<Code>, locate: Locate) {
  const { code, what, why, next } = finding;
  return { code, ...locate(finding.at, finding.mark), path: formatPath(finding.at), what, why, next };
}

/** `spec.gpus[0].model`; a key that is no plain word is quoted: `metadata.labels["a.b/c"]`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}
