import { isJsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ManifestFile } from "../api/read-yaml.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Apply } from "./apply.ts";
import { answerApplyRefusal } from "./apply-refusal.ts";
import { RESOURCE_ROOT } from "./kubernetes-form.ts";
import { parseJsonBody } from "./parse-json-body.ts";
import type { AdminAnswer, AdminRequest, AdminRoute } from "./route.ts";
import { answerJson, answerRefusal } from "./status.ts";

/** One text of one or many documents; JSON is read as YAML, which it is. */
const TEXT_TYPES = ["application/yaml", "application/x-yaml", "application/json"];
/** Several texts with the names of their files, so that a problem names its place: `{"files": [{"path", "text"}]}`. */
export const FILES_TYPE = "application/vnd.tidegate.files+json";

export function applyRoutes(apply: Apply, log: EventLog): readonly AdminRoute[] {
  return [
    {
      method: "POST",
      pattern: `${RESOURCE_ROOT}/apply`,
      auth: "token",
      meaning: "every document of the body, or none; `?dryRun=All` only checks, `?force=true` lets in promises that physics cannot keep",
      accepts: [...TEXT_TYPES, FILES_TYPE],
      handle: (request) => applyBody(request, apply, log),
    },
  ];
}

async function applyBody(request: AdminRequest, apply: Apply, log: EventLog): Promise<AdminAnswer> {
  const dryRun = request.query.get("dryRun");
  if (dryRun !== null && dryRun !== "All") return answerRefusal({ reason: "BadRequest", message: "dryRun is All, or absent." });
  const isForced = readForce(request);
  if (!isForced.ok) return answerRefusal({ reason: "BadRequest", message: isForced.error });
  const files = request.contentType === FILES_TYPE ? parseFiles(request.body) : ok([{ path: "body", text: request.body }]);
  if (!files.ok) return answerRefusal({ reason: "BadRequest", message: files.error });
  const isDryRun = dryRun !== null;
  const applied = await apply.files(files.value, { isDryRun, isForced: isForced.value });
  const fileCount = files.value.length;
  if (!applied.ok) {
    log.record({ level: "warn", event: "admin.apply-refused", fields: { fileCount, isDryRun, code: applied.error.code } });
    return answerApplyRefusal(applied.error);
  }
  const results = applied.value.results.map((result) => ({ ...result }));
  if (!isDryRun) log.record({ level: "info", event: "admin.applied", fields: { fileCount, results, isForced: isForced.value } });
  return answerJson(200, {
    kind: "ApplyResult",
    dryRun: isDryRun,
    results,
    warnings: applied.value.warnings.map((warning) => ({ ...warning })),
  });
}

/** `?force=true`, of every request that carries a config. */
export function readForce({ query }: Pick<AdminRequest, "query">): Result<boolean, string> {
  const force = query.get("force");
  return force === null || force === "true" ? ok(force !== null) : err("force is true, or absent.");
}

const WRONG_FORM = 'Send {"files": [{"path": NAME, "text": MANIFEST}, ...]}.';

function parseFiles(body: string): Result<readonly ManifestFile[], string> {
  const parsed = parseJsonBody(body);
  if (!parsed.ok) return parsed;
  const list = isJsonObject(parsed.value) ? parsed.value["files"] : null;
  if (!Array.isArray(list)) return err(WRONG_FORM);
  const files: ManifestFile[] = [];
  for (const file of list) {
    if (!isJsonObject(file) || typeof file["path"] !== "string" || typeof file["text"] !== "string") return err(WRONG_FORM);
    files.push({ path: file["path"], text: file["text"] });
  }
  return ok(files);
}
