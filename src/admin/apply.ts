import { checkDraft } from "../api/check-draft.ts";
import { parseManifests, type ParsedManifests } from "../api/parse-manifests.ts";
import { parseResource } from "../api/parse-resource.ts";
import type { Problem, Warning } from "../api/problem.ts";
import type { ManifestFile } from "../api/read-yaml.ts";
import { isDerived, RESERVATION_NAME } from "../api/reservation.ts";
import type { Kind, Resource, ResourceDraft } from "../api/resource.ts";
import { assert } from "../base/assert.ts";
import { isJsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ClusterStore, StoreError } from "../ports/cluster-store.ts";
import { parseJsonBody } from "./parse-json-body.ts";
import { keyOf, planChange, type AppliedResource } from "./plan-change.ts";

interface Applied {
  readonly results: readonly AppliedResource[];
  readonly warnings: readonly Warning[];
}
interface Put {
  readonly resource: Resource;
  readonly action: AppliedResource["action"];
}
export type ApplyRefusal =
  | { readonly code: "PROBLEMS"; readonly problems: readonly Problem[]; readonly warnings: readonly Warning[] }
  | { readonly code: "BAD_BODY"; readonly message: string }
  /** What was sent was made from an older version than what is stored. */
  | { readonly code: "OUTDATED"; readonly kind: Kind; readonly name: string; readonly message: string }
  /** It follows from another resource, and comes and goes with that. */
  | { readonly code: "DERIVED"; readonly kind: Kind; readonly name: string; readonly message: string }
  | { readonly code: "STORE"; readonly error: StoreError };

interface ApplyMode {
  /** Checks, and answers what would happen. */
  readonly isDryRun: boolean;
  /** Lets in promises that nothing could keep; they carry the condition PromiseAtRisk. */
  readonly isForced: boolean;
}

/** The one door for specs: whatever stands in the store has come through here, alone and in its set. */
export interface Apply {
  /** Every document of every file, or none. */
  files(files: readonly ManifestFile[], mode: ApplyMode): Promise<Result<Applied, ApplyRefusal>>;
  /** One resource as JSON, with the resourceVersion that it was made from; without one it is created. */
  put(at: PutPlace, body: string): Promise<Result<Put, ApplyRefusal>>;
  remove(kind: Kind, name: string): Promise<Result<null, ApplyRefusal>>;
}

interface PutPlace extends Pick<ApplyMode, "isForced"> {
  readonly kind: Kind;
  readonly name: string;
}

const SET_KINDS: readonly Kind[] = ["HotStandbyConfig", "GPUNode", "ReservationMap"];
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
    async files(files, mode) {
      const parsed = parseManifests(files);
      if (parsed.problems.length > 0) return err({ code: "PROBLEMS", problems: parsed.problems, warnings: parsed.warnings });
      return inTurn(() => storeAll(store, parsed, mode));
    },
    async put(at, body) {
      const read = readPut(at, body);
      return read.ok ? inTurn(() => storeOne(store, read.value)) : read;
    },
    remove: (kind, name) => inTurn(() => removeOne(store, { kind, name })),
  };
}

async function storeAll(
  store: ClusterStore,
  parsed: ParsedManifests,
  { isDryRun, isForced }: ApplyMode,
): Promise<Result<Applied, ApplyRefusal>> {
  const isOfServices = parsed.drafts.some(({ kind }) => kind === "HotStandbyConfig" || kind === "ReservationMap");
  for (let attempt = 1; ; attempt += 1) {
    const stored = await readSet(store);
    if (!stored.ok) return stored;
    const plan = planChange(stored.value, { drafts: parsed.drafts, places: parsed.places, isForced });
    // Who changes a node does not want to hear again what the reservation of a service says.
    const warnings = [...parsed.warnings, ...(isOfServices ? plan.warnings : []), ...plan.risks];
    if (plan.problems.length > 0) return err({ code: "PROBLEMS", problems: plan.problems, warnings });
    const written = isDryRun || plan.changes.length === 0 ? null : await store.applyAll(plan.changes);
    if (written === null || written.ok) return ok({ results: plan.results, warnings });
    if (written.error.code !== "CONFLICT" || attempt === TRIES_MAX) return err({ code: "STORE", error: written.error });
  }
}

async function readSet(store: ClusterStore): Promise<Result<readonly Resource[], ApplyRefusal>> {
  const items: Resource[] = [];
  for (const kind of [...SET_KINDS, "GPUPartition"] as const) {
    const listed = await store.list(kind);
    if (!listed.ok) return err({ code: "STORE", error: listed.error });
    items.push(...listed.value.items);
  }
  return ok(items);
}

interface PutRequest extends Pick<ApplyMode, "isForced"> {
  readonly draft: ResourceDraft;
  /** null = it must not exist yet. */
  readonly version: string | null;
}

function readPut(at: PutPlace, body: string): Result<PutRequest, ApplyRefusal> {
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
  return ok({ draft, version, isForced: at.isForced });
}

async function storeOne(store: ClusterStore, { draft, version, isForced }: PutRequest): Promise<Result<Put, ApplyRefusal>> {
  const stored = await readSet(store);
  if (!stored.ok) return stored;
  const { problems, changes } = planChange(stored.value, { drafts: [draft], isForced });
  if (problems.length > 0) return err({ code: "PROBLEMS", problems, warnings: [] });
  const before = stored.value.find((resource) => keyOf(resource) === keyOf(draft)) ?? null;
  if (before === null && version !== null) return err({ code: "STORE", error: { code: "NOT_FOUND", kind: draft.kind, name: draft.name } });
  if (before !== null && version !== before.version) {
    const message = version === null ? "it exists: send the resourceVersion that you read" : "it was changed meanwhile: read it again";
    return err({ code: "OUTDATED", kind: draft.kind, name: draft.name, message });
  }
  const written = changes.length === 0 ? ok([]) : await store.applyAll(changes);
  if (!written.ok) return err({ code: "STORE", error: written.error });
  const own = written.value.find((resource) => keyOf(resource) === keyOf(draft)) ?? before;
  assert(own !== null, "what was not there is among the changes");
  return ok({ resource: own, action: before === null ? "created" : own === before ? "unchanged" : "configured" });
}

async function removeOne(store: ClusterStore, of: { readonly kind: Kind; readonly name: string }): Promise<Result<null, ApplyRefusal>> {
  const stored = SET_KINDS.includes(of.kind) ? await readSet(store) : ok([]);
  if (!stored.ok) return stored;
  const target = stored.value.find((resource) => keyOf(resource) === keyOf(of)) ?? null;
  if (target !== null && isDerived(target)) {
    const message = `it follows from the ConfigMap ${RESERVATION_NAME}: apply that without its entry`;
    return err({ code: "DERIVED", ...of, message });
  }
  // A service that the reservation names gets a derived config at once: the reservation is kept either way.
  const { problems, changes } = planChange(stored.value, { drafts: [], removed: of, isForced: true });
  const isAlone = target === null || changes.length <= 1 || problems.length > 0;
  const removed = isAlone ? await store.remove(of.kind, of.name) : await store.applyAll(changes);
  return removed.ok ? ok(null) : err({ code: "STORE", error: removed.error });
}
