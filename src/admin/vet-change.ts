import type { Locate } from "../api/finding.ts";
import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import type { Problem, Warning } from "../api/problem.ts";
import type { Resource, ResourceDraft } from "../api/resource.ts";
import { measuredRtoMs, vetDrafts } from "../failover/vet-drafts.ts";

interface Change {
  /** The set as it would be, free of problems. */
  readonly drafts: readonly ResourceDraft[];
  readonly places: ReadonlyMap<string, Locate>;
  /** `kind/name` of what was asked for, and of what would differ from what is stored. */
  readonly asked: ReadonlySet<string>;
  readonly changed: ReadonlySet<string>;
  readonly isForced: boolean;
}

/**
 * The promises after a change. Only a config that the change itself makes or alters is refused; what it does to others is a warning,
 * once, and their condition.
 */
export function vetChange(
  stored: readonly Resource[],
  { drafts, places, asked, changed, isForced }: Change,
): { readonly problems: readonly Problem[]; readonly warnings: readonly Warning[] } {
  const known = stored.flatMap((resource) => {
    const partition = resource.kind === "GPUPartition" ? parseGpuPartition(resource) : null;
    return partition?.ok === true ? [partition.value] : [];
  });
  const lastRtoMs = measuredRtoMs(stored);
  const before = new Set(vetDrafts({ drafts: stored, known, lastRtoMs }).flatMap(({ warnings }) => warnings.map(({ what }) => what)));
  const problems: Problem[] = [];
  const warnings: Warning[] = [];
  for (const service of vetDrafts({ drafts, places, known, lastRtoMs })) {
    const key = `HotStandbyConfig/${service.name}`;
    if (service.problem !== null && changed.has(key) && !isForced) problems.push(service.problem);
    else warnings.push(...service.warnings.filter(({ what }) => asked.has(key) || !before.has(what)));
  }
  return { problems, warnings };
}
