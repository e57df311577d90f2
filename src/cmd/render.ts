import { checkSet } from "../api/check-set.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { mergeReservation } from "../api/merge-reservation.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseManifests } from "../api/parse-manifests.ts";
import { renderAlertRules } from "../api/render-alert-rules.ts";
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

type Target =
  | { readonly of: "configs"; render(configs: readonly HotStandbyConfig[]): JsonObject }
  /** The same for all configs: it needs no manifest and no platform. */
  | { readonly of: "all"; render(): JsonObject };

const TARGETS: Readonly<Record<string, Target>> = {
  reservation: { of: "configs", render: renderReservation },
  "prometheus-rules": { of: "all", render: renderAlertRules },
};

/** Prints what other systems need: what follows from the configs, from manifests or else from the running platform, or from none. */
export async function runRender(paths: readonly string[], options: RenderOptions): Promise<ExitCode> {
  const { target: name } = options;
  const target = name === undefined || !Object.hasOwn(TARGETS, name) ? undefined : TARGETS[name];
  if (target === undefined) {
    const what = name === undefined ? "render needs --target." : `render has no target ${name}.`;
    return usageError(what, `Targets are ${Object.keys(TARGETS).join(", ")}.`, "render");
  }
  // A manifest is what is asked for: the table form of other commands is YAML here.
  const form = options.output === "json" ? "json" : "yaml";
  if (target.of === "all") {
    if (paths.length === 0) return printData(target.render(), form);
    return usageError(`render --target ${name} takes no PATH.`, "It is the same for every config.", "render");
  }
  const configs = paths.length === 0 ? await storedConfigs(options) : writtenConfigs(paths);
  return configs === null ? 1 : printData(target.render(configs), form);
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
