import { checkSet } from "../api/check-set.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { mergeReservation } from "../api/merge-reservation.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseManifests } from "../api/parse-manifests.ts";
import { renderReservation } from "../api/render-reservation.ts";
import type { ResourceDraft } from "../api/resource.ts";
import type { JsonObject } from "../base/json.ts";
import { pathOf } from "./admin-path.ts";
import { createAdminClient, explainClientError } from "./client.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { findAdmin } from "./find-admin.ts";
import type { ClientOptions } from "./options.ts";
import { parseAdminList } from "./parse-admin-answer.ts";
import { printData } from "./print-data.ts";
import { counted, formatProblems } from "./print-findings.ts";
import { readManifests } from "./read-manifests.ts";
import { usageError } from "./usage-error.ts";

export interface RenderOptions extends ClientOptions {
  readonly output: string;
  readonly target?: string;
}

const TARGETS: Readonly<Record<string, (configs: readonly HotStandbyConfig[]) => JsonObject>> = { reservation: renderReservation };

/** Prints what follows from the configs for another system, from manifests or else from the running platform. */
export async function runRender(paths: readonly string[], options: RenderOptions): Promise<ExitCode> {
  const { target } = options;
  const render = target === undefined || !Object.hasOwn(TARGETS, target) ? undefined : TARGETS[target];
  if (render === undefined) {
    const what = target === undefined ? "render needs --target." : `render has no target ${target}.`;
    return usageError(what, `Targets are ${Object.keys(TARGETS).join(", ")}.`, "render");
  }
  const configs = paths.length === 0 ? await storedConfigs(options) : writtenConfigs(paths);
  // A manifest is what is asked for: the table form of other commands is YAML here.
  return configs === null ? 1 : printData(render(configs), options.output === "json" ? "json" : "yaml");
}

/** null = refused, and said why. */
function writtenConfigs(paths: readonly string[]): readonly HotStandbyConfig[] | null {
  const files = readManifests(paths);
  if (!files.ok) return refused(refuse(files.error));
  const parsed = parseManifests(files.value);
  const merged = mergeReservation(parsed.drafts, parsed.places);
  const problems = parsed.problems.length > 0 ? parsed.problems : [...merged.problems, ...checkSet(merged.drafts, merged.places)];
  if (problems.length === 0) return configsOf(merged.drafts);
  process.stderr.write(`${formatProblems(problems)}Refused: ${counted(problems.length, "problem")}. Nothing was rendered.\n`);
  return null;
}

async function storedConfigs(options: ClientOptions): Promise<readonly HotStandbyConfig[] | null> {
  const target = findAdmin(options);
  if (!target.ok) return refused(refuse(target.error));
  const answer = await createAdminClient(target.value).call("GET", pathOf("HotStandbyConfig", null));
  return answer.ok ? configsOf(parseAdminList(answer.value)) : refused(refuse(explainClientError(answer.error)));
}

const refused = (_exitCode: 1): null => null;

const configsOf = (drafts: readonly ResourceDraft[]): readonly HotStandbyConfig[] =>
  drafts
    .filter(({ kind }) => kind === "HotStandbyConfig")
    .flatMap((draft) => {
      const read = parseHotStandbyConfig(draft);
      return read.ok ? [read.value] : [];
    });
