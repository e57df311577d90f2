import { problemOf, warningOf, type Locate } from "../api/finding.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { Problem, Warning } from "../api/problem.ts";
import type { Resource, ResourceDraft } from "../api/resource.ts";
import { isJsonObject } from "../base/json.ts";
import { serviceName, type ServiceName } from "../base/ids.ts";
import type { AnyPartition } from "../placement/plan-partitions.ts";
import { vetFleet } from "./vet-fleet.ts";

/** What is said of one service where its text stands. */
interface VettedService {
  readonly name: ServiceName;
  /** PROMISE_IMPOSSIBLE; null = it may come in. */
  readonly problem: Problem | null;
  /** PROMISE_AT_RISK, also for an impossible one that comes in all the same. */
  readonly warnings: readonly Warning[];
}

interface DraftSet {
  /** The whole set as it would be stored, the reservation merged in, and free of problems. */
  readonly drafts: readonly Pick<ResourceDraft, "kind" | "name" | "labels" | "annotations" | "spec">[];
  /** As `parseManifests` gives them. */
  readonly places?: ReadonlyMap<string, Locate>;
  readonly known?: readonly AnyPartition[];
  readonly lastRtoMs?: ReadonlyMap<ServiceName, number>;
}

/** Every promise of a set of resources; services that stand well are there without a finding. */
export function vetDrafts({ drafts, places = new Map(), known = [], lastRtoMs = new Map() }: DraftSet): readonly VettedService[] {
  const configs = drafts.flatMap((draft) => (draft.kind === "HotStandbyConfig" ? valueOf(parseHotStandbyConfig(draft)) : []));
  const nodes = drafts.flatMap((draft) => (draft.kind === "GPUNode" ? valueOf(parseGpuNode(draft)) : []));
  return [...vetFleet({ configs, nodes, known, lastRtoMs })].map(([name, { impossible, risks }]) => {
    const locate = places.get(`HotStandbyConfig/${name}`);
    const problem = impossible === null ? null : problemOf({ code: "PROMISE_IMPOSSIBLE", ...AT, ...impossible }, locate);
    const lines = impossible === null ? risks.map((what) => ({ what, ...RISK })) : [{ ...impossible, next: LET_IN }];
    return { name, problem, warnings: lines.map((line) => warningOf({ code: "PROMISE_AT_RISK", ...AT, ...line }, locate)) };
  });
}

const AT = { at: ["spec", "failoverPolicy", "rtoTarget"], mark: "value" } as const;
const LET_IN = "It carries the condition PromiseAtRisk until that changes.";
const RISK = {
  why: "Worked out from the bytes, the links, and the order in which services wake and load after one loss.",
  next: `Use faster links, fewer bytes, one more hot or resident warm instance, or a longer rtoTarget. ${LET_IN}`,
};

const valueOf = <Value>(read: { readonly ok: true; readonly value: Value } | { readonly ok: false }): readonly Value[] =>
  read.ok ? [read.value] : [];

/** The last measured failover of each service that had one, from stored statuses. */
export function measuredRtoMs(resources: readonly Pick<Resource, "kind" | "name" | "status">[]): ReadonlyMap<ServiceName, number> {
  return new Map(
    resources.flatMap(({ kind, name, status }) => {
      const rto = kind === "HotStandbyConfig" ? status?.["rto"] : null;
      const lastMs = isJsonObject(rto) ? rto["lastMs"] : null;
      return typeof lastMs === "number" ? [[serviceName(name), lastMs] as const] : [];
    }),
  );
}
