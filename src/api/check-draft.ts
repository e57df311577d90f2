import { checkEffects } from "./check-effects.ts";
import { checkTier } from "./check-tier.ts";
import { problemOf, warningOf, type Locate, type ProblemFinding, type WarningFinding } from "./finding.ts";
import { readGpuNode } from "./parse-gpu-node.ts";
import { readHotStandbyConfig } from "./parse-hot-standby-config.ts";
import type { Problem, Warning } from "./problem.ts";
import type { Kind, ResourceDraft } from "./resource.ts";

export interface Verdict {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Warning[];
}

/** One written resource on its own: whether it can be stored, and what is worth knowing. `locate` finds its text, if it has one. */
export function checkDraft(draft: ResourceDraft, locate?: Locate): Verdict {
  const { problems, warnings } = findingsOf(draft);
  return {
    problems: problems.slice(0, FINDINGS_MAX).map((finding) => problemOf(finding, locate)),
    warnings: warnings.slice(0, FINDINGS_MAX).map((finding) => warningOf(finding, locate)),
  };
}

// Enough to work on; a resource of nothing but mistakes must stay cheap.
const FINDINGS_MAX = 100;

function findingsOf(draft: ResourceDraft): { readonly problems: readonly ProblemFinding[]; readonly warnings: readonly WarningFinding[] } {
  switch (draft.kind) {
    case "HotStandbyConfig": {
      const read = readHotStandbyConfig(draft);
      if (!read.ok) return { problems: read.error, warnings: [] };
      return { problems: [], warnings: [...checkTier(read.value), ...checkEffects(draft.kind, draft.spec)] };
    }
    case "GPUNode": {
      const read = readGpuNode(draft);
      return { problems: read.ok ? [] : read.error, warnings: [] };
    }
    case "GPUPartition":
    case "GPURelocation":
    case "FailoverRecord":
    case "ApiKey":
    case "AttachedEngine":
    case "ReservationMap":
    case "Lease":
      return { problems: [notWritable(draft.kind)], warnings: [] };
  }
}

const HOW: Readonly<Record<Exclude<Kind, "HotStandbyConfig" | "GPUNode">, string>> = {
  GPUPartition: "Write what the service needs into its HotStandbyConfig; partitions follow from it.",
  GPURelocation: "Relocations are planned where an instance has no room.",
  FailoverRecord: "Records are made by failovers.",
  ApiKey: "Make a key with `tidegate keys`.",
  AttachedEngine: "Attach an engine with `tidegate up --attach NAME=URL`.",
  ReservationMap: "Write the ConfigMap standby-gpu-reservation of the namespace kube-system.",
  Lease: "A control plane takes the lease when it starts to lead.",
};

function notWritable(kind: Exclude<Kind, "HotStandbyConfig" | "GPUNode">): ProblemFinding {
  return {
    code: "NOT_WRITABLE_KIND",
    at: ["kind"],
    mark: "value",
    what: `${kind} is no kind to be written by hand.`,
    why: "Its only writer is Tidegate itself.",
    next: HOW[kind],
  };
}
