import { checkSet } from "../api/check-set.ts";
import { mergeReservation } from "../api/merge-reservation.ts";
import { parseManifests, type ParsedManifests } from "../api/parse-manifests.ts";
import { vetDrafts } from "../failover/vet-drafts.ts";
import type { ExitCode } from "./explain.ts";
import { refuse } from "./explain.ts";
import { printData } from "./print-data.ts";
import { counted, formatProblems, formatWarnings } from "./print-findings.ts";
import { readManifests } from "./read-manifests.ts";

/** Checks manifests alone and together, as `apply` to an empty platform would. Exit 1 when anything is refused. */
export async function runValidate(
  paths: readonly string[],
  options: { readonly output: string; readonly force?: boolean },
): Promise<ExitCode> {
  const files = readManifests(paths);
  if (!files.ok) return refuse(files.error);
  const parsed = parseManifests(files.value);
  const { problems, warnings } = parsed.problems.length === 0 ? checkTogether(parsed, options.force === true) : parsed;
  const exitCode = problems.length === 0 ? 0 : 1;
  const resources = parsed.drafts.map(({ kind, name }) => ({ kind, name }));
  if (options.output !== "table") {
    const found = {
      kind: "ValidationResult",
      resources,
      problems: problems.map((one) => ({ ...one })),
      warnings: warnings.map((one) => ({ ...one })),
    };
    await printData(found, options.output);
    return exitCode;
  }
  process.stderr.write(formatWarnings(warnings) + formatProblems(problems));
  const count = `${counted(files.value.length, "file")}, ${counted(resources.length, "resource")}, ${counted(warnings.length, "warning")}`;
  if (exitCode === 0) process.stdout.write(`Valid: ${count}.\n`);
  else process.stderr.write(`Refused: ${counted(problems.length, "problem")} in ${count}.\n`);
  return exitCode;
}

/** Only over a set that reads as a whole: a config with a slip in it would look as if nobody had written it. */
function checkTogether(parsed: ParsedManifests, isForced: boolean): Pick<ParsedManifests, "problems" | "warnings"> {
  const merged = mergeReservation(parsed.drafts, parsed.places);
  const problems = [...merged.problems, ...checkSet(merged.drafts, merged.places)];
  const warnings = [...parsed.warnings, ...merged.warnings];
  if (problems.length > 0) return { problems, warnings };
  const vetted = vetDrafts(merged);
  const refused = isForced ? [] : vetted.flatMap(({ problem }) => problem ?? []);
  const risks = vetted.flatMap((service) => (service.problem === null || isForced ? service.warnings : []));
  return { problems: refused, warnings: [...warnings, ...risks] };
}
