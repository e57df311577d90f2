import { FILES_TYPE } from "../admin/apply-routes.ts";
import { RESOURCE_ROOT } from "../admin/kubernetes-form.ts";
import { isJsonObject } from "../base/json.ts";
import { createAdminClient, explainClientError, type ClientError } from "./client.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { findAdmin } from "./find-admin.ts";
import type { ClientOptions } from "./options.ts";
import { parseAppliedLines, parseProblems, parseWarnings } from "./parse-findings.ts";
import { printData } from "./print-data.ts";
import { counted, formatProblems, formatWarnings } from "./print-findings.ts";
import { readManifests } from "./read-manifests.ts";

interface ApplyOptions extends ClientOptions {
  readonly output: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** Sends the files as they are: the control plane checks them, and names file, line and column. */
export async function runApply(paths: readonly string[], options: ApplyOptions): Promise<ExitCode> {
  const files = readManifests(paths);
  if (!files.ok) return refuse(files.error);
  const target = findAdmin(options);
  if (!target.ok) return refuse(target.error);
  const body = { contentType: FILES_TYPE, text: JSON.stringify({ files: files.value }) };
  const query = [...(options.dryRun === true ? ["dryRun=All"] : []), ...(options.force === true ? ["force=true"] : [])].join("&");
  const path = `${RESOURCE_ROOT}/apply${query === "" ? "" : `?${query}`}`;
  const answer = await createAdminClient(target.value).call("POST", path, body);
  if (!answer.ok) return refuseApply(answer.error);
  if (options.output !== "table") return printData(answer.value, options.output);
  const applied = isJsonObject(answer.value) ? answer.value : {};
  process.stderr.write(formatWarnings(parseWarnings(applied["warnings"])));
  const suffix = options.dryRun === true ? " (dry run)" : "";
  for (const { kind, name, action } of parseAppliedLines(applied["results"])) process.stdout.write(`${kind} ${name} ${action}${suffix}\n`);
  return 0;
}

function refuseApply(error: ClientError): 1 {
  const problems = error.code === "REFUSED" ? parseProblems(error.status.details["problems"]) : [];
  if (problems.length === 0) return refuse(explainClientError(error));
  process.stderr.write(`${formatProblems(problems)}Refused: ${counted(problems.length, "problem")}. Nothing was applied.\n`);
  return 1;
}
