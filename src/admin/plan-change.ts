import { isSameJson } from "../base/same-json.ts";
import { checkSet } from "../api/check-set.ts";
import type { Locate } from "../api/finding.ts";
import { mergeReservation, type MergedSet } from "../api/merge-reservation.ts";
import type { Problem, Warning } from "../api/problem.ts";
import { isDerived } from "../api/reservation.ts";
import type { Kind, Resource, ResourceDraft } from "../api/resource.ts";
import type { StoreChange } from "../ports/cluster-store.ts";
import { vetChange } from "./vet-change.ts";

/** deleted = a config that followed from the reservation, and no longer does. */
type AppliedAction = "created" | "configured" | "unchanged" | "deleted";
export interface AppliedResource {
  readonly kind: Kind;
  readonly name: string;
  readonly action: AppliedAction;
}

interface Wanted {
  readonly drafts: readonly ResourceDraft[];
  readonly places?: ReadonlyMap<string, Locate> | undefined;
  readonly removed?: Pick<ResourceDraft, "kind" | "name"> | undefined;
  /** Promises that nothing could keep come in too. */
  readonly isForced: boolean;
}
interface Plan {
  readonly problems: readonly Problem[];
  /** Of the reservation. */
  readonly warnings: readonly Warning[];
  /** Promises that may not be kept. */
  readonly risks: readonly Warning[];
  /** Everything that differs from what is stored, what only follows included. */
  readonly changes: readonly StoreChange[];
  /** What was asked for first, then what follows from it and changes. */
  readonly results: readonly AppliedResource[];
}

/**
 * The whole set as it would be, the reservation merged in, judged and compared with what is stored.
 * @param all stored resources of the set's kinds, and the partitions, which tell where instances stand.
 */
export function planChange(all: readonly Resource[], { drafts, places, removed, isForced }: Wanted): Plan {
  const stored = all.filter(({ kind }) => kind !== "GPUPartition");
  const set = setWith(stored, { drafts, places, removed });
  const plans = set.drafts.map((draft) => planOf(draft, stored, removed));
  const isAsked = new Set(drafts.map(keyOf));
  const wanted = new Set(set.drafts.map(keyOf));
  const vanished = stored.filter((resource) => isDerived(resource) && !wanted.has(keyOf(resource)));
  const asked = plans.filter(({ draft }) => isAsked.has(keyOf(draft)));
  const following = plans.filter(({ draft, change }) => change !== null && !isAsked.has(keyOf(draft)));
  const removals = [...(removed === undefined ? [] : [removed]), ...vanished];
  const problems = [...set.problems, ...checkSet(set.drafts, set.places)];
  const changed = new Set(plans.flatMap(({ draft, change }) => (change === null ? [] : [keyOf(draft)])));
  // Only over a set that reads as a whole: a promise of a config with a slip in it says nothing.
  const vetted = problems.length > 0 ? NOT_VETTED : vetChange(all, { ...set, asked: isAsked, changed, isForced });
  return {
    problems: [...problems, ...vetted.problems],
    warnings: set.warnings,
    risks: vetted.warnings,
    // What goes goes first: a derived config may take its place under the same name.
    changes: [...removals.map(removalOf), ...plans.flatMap(({ change }) => change ?? [])],
    results: [
      ...[...asked, ...following].map(resultOf),
      ...vanished.map(({ kind, name }): AppliedResource => ({ kind, name, action: "deleted" })),
    ],
  };
}

/** What is stored with drafts laid over it, the reservation merged in anew. @param stored what a user writes: no partitions, no records. */
export function setWith(stored: readonly Resource[], { drafts, places, removed }: Omit<Wanted, "isForced">): MergedSet {
  const isGone = new Set([...drafts, ...(removed === undefined ? [] : [removed])].map(keyOf));
  const kept = stored.filter((resource) => !isGone.has(keyOf(resource)) && !isDerived(resource));
  return mergeReservation([...kept.map(draftOf), ...drafts], places);
}

const NOT_VETTED = { problems: [], warnings: [] };

export const keyOf = ({ kind, name }: Pick<ResourceDraft, "kind" | "name">): string => `${kind}/${name}`;

const draftOf = ({ kind, name, labels, annotations, spec }: Resource): ResourceDraft => ({ kind, name, labels, annotations, spec });
const removalOf = ({ kind, name }: Pick<ResourceDraft, "kind" | "name">): StoreChange => ({ verb: "remove", kind, name });

interface DraftPlan {
  readonly draft: ResourceDraft;
  readonly before: Resource | null;
  readonly change: StoreChange | null;
}

function planOf(draft: ResourceDraft, stored: readonly Resource[], removed: Wanted["removed"]): DraftPlan {
  const isRemoved = removed !== undefined && keyOf(removed) === keyOf(draft);
  const before = isRemoved ? null : (stored.find((resource) => keyOf(resource) === keyOf(draft)) ?? null);
  const isSame = before !== null && (["spec", "labels", "annotations"] as const).every((part) => isSameJson(before[part], draft[part]));
  return { draft, before, change: isSame ? null : { verb: "put", draft, version: before?.version ?? null } };
}

const resultOf = ({ draft, before, change }: DraftPlan): AppliedResource => ({
  kind: draft.kind,
  name: draft.name,
  action: change === null ? "unchanged" : before === null ? "created" : "configured",
});
