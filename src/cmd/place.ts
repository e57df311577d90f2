import { parseManifests, type ParsedManifests } from "../api/parse-manifests.ts";
import type { Resource } from "../api/resource.ts";
import type { JsonObject } from "../base/json.ts";
import { explainPlacement, type PlacementReport } from "../placement/explain-placement.ts";
import type { PlacedMember } from "../placement/placement-request.ts";
import { createAdminClient, explainClientError } from "./client.ts";
import { formatExplanation, refuse, type ExitCode } from "./explain.ts";
import { findAdmin } from "./find-admin.ts";
import { formatPlacements } from "./format-placements.ts";
import type { ClientOptions } from "./options.ts";
import { storedPlacement, worldOf } from "./place-world.ts";
import { printData } from "./print-data.ts";
import { counted, formatProblems } from "./print-findings.ts";
import { terminalStyle } from "./print-table.ts";
import { readManifests } from "./read-manifests.ts";
import { usageError } from "./usage-error.ts";

export interface PlaceOptions extends ClientOptions {
  readonly output: string;
  readonly dryRun?: boolean;
  /** Manifests alone, whatever runs. */
  readonly alone?: boolean;
  readonly service?: string;
}

const NOTHING_WRITTEN: Pick<ParsedManifests, "drafts" | "places"> = { drafts: [], places: new Map() };

/**
 * Says where each instance would stand and why nowhere else, by the partition-controller's own planning on a copy. Changes nothing.
 * Without manifests: of the running platform. With manifests: of what it would be with them, or of them alone where none runs.
 */
export async function runPlace(paths: readonly string[], options: PlaceOptions): Promise<ExitCode> {
  if (options.dryRun !== true)
    return usageError("place gives no places: the partition-controller does.", "With --dry-run it says which it would give.", "place");
  if (options.alone === true && paths.length === 0)
    return usageError("--alone needs a PATH.", "There is nothing but manifests then.", "place");
  const written = paths.length === 0 ? NOTHING_WRITTEN : readWritten(paths);
  if (written === null) return 1;
  const stored = options.alone === true ? [] : await readStored(options, paths.length > 0);
  if (stored === null) return 1;
  const world = worldOf(stored, written);
  if (!world.ok) {
    process.stderr.write(`${formatProblems(world.error)}Refused: ${counted(world.error.length, "problem")}. Nothing was placed.\n`);
    return 1;
  }
  const all = explainPlacement(world.value);
  const reports = all.filter(({ request }) => options.service === undefined || request.service === options.service);
  if (options.service !== undefined && reports.length === 0) {
    const services = [...new Set(all.map(({ request }) => String(request.service)))].toSorted().join(", ");
    const why = services === "" ? "There is no service at all." : `Services with instances to place: ${services}.`;
    return refuse({ what: `There is no service ${options.service}.`, why, next: "Name one of them, or leave --service out." });
  }
  return show(reports, options.output);
}

async function show(reports: readonly PlacementReport[], output: string): Promise<ExitCode> {
  const refusals = reports.flatMap(({ outcome }) => (outcome.kind === "refused" ? [outcome.refusal] : []));
  const exitCode = refusals.length === 0 ? 0 : 1;
  if (output !== "table") {
    await printData({ kind: "PlacementExplanation", instances: reports.map(reportData) }, output);
    return exitCode;
  }
  process.stdout.write(formatPlacements(reports, terminalStyle()));
  for (const refusal of refusals) process.stderr.write(formatExplanation(refusal));
  return exitCode;
}

/** null = refused, and said why. */
function readWritten(paths: readonly string[]): Pick<ParsedManifests, "drafts" | "places"> | null {
  const files = readManifests(paths);
  if (!files.ok) {
    refuse(files.error);
    return null;
  }
  const parsed = parseManifests(files.value);
  if (parsed.problems.length === 0) return parsed;
  process.stderr.write(`${formatProblems(parsed.problems)}Refused: ${counted(parsed.problems.length, "problem")}. Nothing was placed.\n`);
  return null;
}

/** null = refused, and said why. Where there are manifests, a platform that is not there has nothing. */
async function readStored(options: ClientOptions, hasManifests: boolean): Promise<readonly Resource[] | null> {
  const target = findAdmin(options);
  if (!target.ok) {
    refuse(target.error);
    return null;
  }
  const stored = await storedPlacement(createAdminClient(target.value));
  if (stored.ok) {
    if (hasManifests) process.stderr.write("Laid over what the running platform has; --alone leaves that out.\n");
    return stored.value;
  }
  if (hasManifests && stored.error.code === "UNREACHABLE") return [];
  refuse(explainClientError(stored.error));
  return null;
}

function reportData({ request, outcome, candidates, notices }: PlacementReport): JsonObject {
  const { instance, service, tenant, level, tier, isolation, isExclusive, memberBytes, computePercent, hostBytes } = request;
  return {
    instance,
    service,
    tenant,
    level,
    tier,
    isolation,
    isExclusive,
    memberBytes: [...memberBytes],
    computePercent,
    hostBytes,
    outcome:
      outcome.kind === "refused"
        ? { kind: outcome.kind, ...outcome.refusal, room: outcome.room }
        : {
            kind: outcome.kind,
            gpus: outcome.members.map(gpuOf),
            shares: outcome.members.map(shareOf),
            ...(outcome.kind === "stands" ? { room: outcome.room } : {}),
          },
    notices: notices.map((notice) => ({ ...notice })),
    candidates: candidates.map(({ node, verdict, gpus, why }) => ({ node, verdict, gpus: [...gpus], why })),
  };
}

const shareOf = ({ mode, mig, memoryBytes, computePercent }: PlacedMember): JsonObject => ({
  mode,
  mig: mig === null ? null : { profile: mig.profile, start: mig.start },
  memoryBytes,
  computePercent,
});
const gpuOf = ({ node, gpu }: { readonly node: string; readonly gpu: number }): string => `${node}/${gpu}`;
