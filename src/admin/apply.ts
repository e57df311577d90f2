import { checkDraft } from "../api/check-draft.ts";
import { checkSet } from "../api/check-set.ts";
import { parseManifests, type ManifestFile, type ParsedManifests } from "../api/parse-manifests.ts";
import { parseResource } from "../api/parse-resource.ts";
import type { Problem, Warning } from "../api/problem.ts";
import type { Kind, Resource, ResourceDraft } from "../api/resource.ts";
import { isJsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ClusterStore, StoreChange, StoreError } from "../ports/cluster-store.ts";
import { isSameValue } from "./is-same-value.ts";
import { parseJsonBody } from "./parse-json-body.ts";

type AppliedAction = "created" | "configured" | "unchanged";
interface AppliedResource {
  readonly kind: Kind;
  readonly name: string;
  readonly action: AppliedAction;
}
interface Applied {
  readonly results: readonly AppliedResource[];
  readonly warnings: readonly Warning[];
}
interface Put {
  readonly resource: Resource;
  readonly action: AppliedAction;
}
export type ApplyRefusal =
  | { readonly code: "PROBLEMS"; readonly problems: readonly Problem[]; readonly warnings: readonly Warning[] }
  | { readonly code: "BAD_BODY"; readonly message: string }
  /** What was sent was made from an older version than what is stored. */
  | { readonly code: "OUTDATED"; readonly kind: Kind; readonly name: string; readonly message: string }
  | { readonly code: "STORE"; readonly error: StoreError };

/** The one door for specs: whatever stands in the store has come through here, alone and in its set. */
export interface Apply {
  /** Every document of every file, or none. A dry run checks and answers what would happen. */
  files(files: readonly ManifestFile[], isDryRun: boolean): Promise<Result<Applied, ApplyRefusal>>;
  /** One resource as JSON, with the resourceVersion that it was made from; without one it is created. */
  put(at: { readonly kind: Kind; readonly name: string }, body: string): Promise<Result<Put, ApplyRefusal>>;
  remove(kind: Kind, name: string): Promise<Result<null, StoreError>>;
}

const SET_KINDS: readonly Kind[] = ["HotStandbyConfig", "GPUNode"];
// Status writes change versions too: the look, the check and the write are repeated, each on what is there then.
const TRIES_MAX = 5;

/** All changes of one store go through one of these, one after another: the set that was checked is the set that is written. */
export function createApply(store: ClusterStore): Apply {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const mine = last.then(work);
    // Whoever called hears of a failure; the next in turn only waits.
    last = mine.catch(() => null);
    return mine;
  };
  return {
    async files(files, isDryRun) {
      const parsed = parseManifests(files);
      if (parsed.problems.length > 0) return err({ code: "PROBLEMS", problems: parsed.problems, warnings: parsed.warnings });
      return inTurn(() => storeAll(store, parsed, isDryRun));
    },
    async put(at, body) {
      const read = readPut(at, body);
      return read.ok ? inTurn(() => storeOne(store, read.value)) : read;
    },
    remove: (kind, name) => inTurn(() => store.remove(kind, name)),
  };
}

async function storeAll(store: ClusterStore, parsed: ParsedManifests, isDryRun: boolean): Promise<Result<Applied, ApplyRefusal>> {
  for (let attempt = 1; ; attempt += 1) {
    const stored = await readSet(store);
    if (!stored.ok) return stored;
    const problems = checkWith(stored.value, parsed.drafts, parsed.places);
    if (problems.length > 0) return err({ code: "PROBLEMS", problems, warnings: parsed.warnings });
    const plans = parsed.drafts.map((draft) => planOf(draft, stored.value));
    const changes = plans.flatMap((plan) => plan.change ?? []);
    const written = isDryRun || changes.length === 0 ? null : await store.applyAll(changes);
    if (written === null || written.ok) return ok({ results: plans.map(resultOf), warnings: parsed.warnings });
    if (written.error.code !== "CONFLICT" || attempt === TRIES_MAX) return err({ code: "STORE", error: written.error });
  }
}

async function readSet(store: ClusterStore): Promise<Result<readonly Resource[], ApplyRefusal>> {
  const items: Resource[] = [];
  for (const kind of SET_KINDS) {
    const listed = await store.list(kind);
    if (!listed.ok) return err({ code: "STORE", error: listed.error });
    items.push(...listed.value.items);
  }
  return ok(items);
}

const keyOf = ({ kind, name }: Pick<ResourceDraft, "kind" | "name">): string => `${kind}/${name}`;

/** The set as it would be, judged as a whole. */
function checkWith(stored: readonly Resource[], drafts: readonly ResourceDraft[], places: ParsedManifests["places"]): readonly Problem[] {
  const replaced = new Set(drafts.map(keyOf));
  return checkSet([...stored.filter((resource) => !replaced.has(keyOf(resource))), ...drafts], places);
}

interface Plan {
  readonly draft: ResourceDraft;
  readonly before: Resource | null;
  readonly change: StoreChange | null;
}

function planOf(draft: ResourceDraft, stored: readonly Resource[]): Plan {
  const before = stored.find((resource) => keyOf(resource) === keyOf(draft)) ?? null;
  const isSame = before !== null && (["spec", "labels", "annotations"] as const).every((part) => isSameValue(before[part], draft[part]));
  return { draft, before, change: isSame ? null : { verb: "put", draft, version: before?.version ?? null } };
}

const resultOf = ({ draft, before, change }: Plan): AppliedResource => ({
  kind: draft.kind,
  name: draft.name,
  action: change === null ? "unchanged" : before === null ? "created" : "configured",
});

interface PutRequest {
  readonly draft: ResourceDraft;
  /** null = it must not exist yet. */
  readonly version: string | null;
}

function readPut(at: { readonly kind: Kind; readonly name: string }, body: string): Result<PutRequest, ApplyRefusal> {
  const json = parseJsonBody(body);
  if (!json.ok) return err({ code: "BAD_BODY", message: json.error });
  const read = parseResource(json.value);
  if (!read.ok) return err({ code: "PROBLEMS", problems: read.error, warnings: [] });
  const draft = read.value;
  if (draft.kind !== at.kind || draft.name !== at.name) {
    return err({ code: "BAD_BODY", message: `The path says ${at.kind} ${at.name}, the body ${draft.kind} ${draft.name}.` });
  }
  const verdict = checkDraft(draft);
  if (verdict.problems.length > 0) return err({ code: "PROBLEMS", ...verdict });
  const metadata = isJsonObject(json.value) ? json.value["metadata"] : null;
  const version = isJsonObject(metadata) ? (metadata["resourceVersion"] ?? null) : null;
  if (version !== null && typeof version !== "string") return err({ code: "BAD_BODY", message: "metadata.resourceVersion is a text." });
  return ok({ draft, version });
}

async function storeOne(store: ClusterStore, { draft, version }: PutRequest): Promise<Result<Put, ApplyRefusal>> {
  const stored = await readSet(store);
  if (!stored.ok) return stored;
  const problems = checkWith(stored.value, [draft], new Map());
  if (problems.length > 0) return err({ code: "PROBLEMS", problems, warnings: [] });
  const plan = planOf(draft, stored.value);
  const { before } = plan;
  if (before === null && version !== null) return err({ code: "STORE", error: { code: "NOT_FOUND", kind: draft.kind, name: draft.name } });
  if (before !== null && version !== before.version) {
    const message = version === null ? "it exists: send the resourceVersion that you read" : "it was changed meanwhile: read it again";
    return err({ code: "OUTDATED", kind: draft.kind, name: draft.name, message });
  }
  if (before !== null && plan.change === null) return ok({ resource: before, action: "unchanged" });
  const written = before === null ? await store.create(draft) : await store.writeSpec(draft, before.version);
  if (!written.ok) return err({ code: "STORE", error: written.error });
  return ok({ resource: written.value, action: before === null ? "created" : "configured" });
}
