import { setWith } from "../admin/plan-change.ts";
import { checkSet } from "../api/check-set.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { ParsedManifests } from "../api/parse-manifests.ts";
import type { Problem } from "../api/problem.ts";
import type { Kind, Resource, ResourceDraft } from "../api/resource.ts";
import { err, ok, type Result } from "../base/result.ts";
import { quarantinedOf } from "../controllers/partition-controller.ts";
import type { PartitionWorld } from "../placement/plan-partitions.ts";
import { requestsOf } from "../placement/requests-of.ts";
import { pathOf } from "./admin-path.ts";
import type { AdminClient, ClientError } from "./client.ts";
import { parseAdminList } from "./parse-admin-answer.ts";

const PLACED_KINDS: readonly Kind[] = ["GPUNode", "HotStandbyConfig", "ReservationMap", "GPUPartition"];

/** All that has to do with places, as the platform has stored it. */
export async function storedPlacement(client: AdminClient): Promise<Result<readonly Resource[], ClientError>> {
  const resources: Resource[] = [];
  for (const kind of PLACED_KINDS) {
    const answer = await client.call("GET", pathOf(kind, null));
    if (!answer.ok) return answer;
    resources.push(...parseAdminList(answer.value));
  }
  return ok(resources);
}

/**
 * What the partition-controller would plan from: manifests laid over what is stored, as `apply` would. Processes that hold memory without a
 * promise are not seen from here.
 * @param stored none = a platform that has nothing.
 * @errors problems of the set as a whole.
 */
export function worldOf(
  stored: readonly Resource[],
  written: Pick<ParsedManifests, "drafts" | "places">,
): Result<PartitionWorld, readonly Problem[]> {
  const set = setWith(
    stored.filter(({ kind }) => kind !== "GPUPartition"),
    written,
  );
  const problems = [...set.problems, ...checkSet(set.drafts, set.places)];
  if (problems.length > 0) return err(problems);
  const of = (kind: Kind): readonly ResourceDraft[] => set.drafts.filter((draft) => draft.kind === kind);
  return ok({
    wanted: of("HotStandbyConfig").flatMap((draft) => valuesOf(parseHotStandbyConfig(draft)).flatMap(requestsOf)),
    untouched: new Set(),
    known: stored.filter(({ kind }) => kind === "GPUPartition").flatMap((resource) => valuesOf(parseGpuPartition(resource))),
    nodes: of("GPUNode").flatMap((draft) => valuesOf(parseGpuNode(draft))),
    seen: null,
    quarantined: stored.filter(({ kind }) => kind === "HotStandbyConfig").flatMap(quarantinedOf),
  });
}

const valuesOf = <Value>(read: { readonly ok: true; readonly value: Value } | { readonly ok: false }): readonly Value[] =>
  read.ok ? [read.value] : [];
