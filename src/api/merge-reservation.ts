import { isJsonObject, type JsonObject } from "../base/json.ts";
import { checkDraft } from "./check-draft.ts";
import { ROOTS } from "./field-catalogue.ts";
import { formatPath, warningOf, type Locate, type Path } from "./finding.ts";
import type { HotStandbyConfig, NodeSelector } from "./hot-standby-config.ts";
import { parseHotStandbyConfig } from "./parse-hot-standby-config.ts";
import type { Problem, Warning } from "./problem.ts";
import { derivedConfig, RESERVATION_NAME, withoutReservation, withReservation } from "./reservation.ts";
import { formatConflict, type ReservationConflict } from "./reservation-conflict.ts";
import { reservationSpec } from "./reservation-schema.ts";
import type { ResourceDraft } from "./resource.ts";

export interface MergedSet {
  /** All drafts, each config with what the reservation adds; configs that nobody wrote stand last. */
  readonly drafts: readonly ResourceDraft[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Warning[];
  readonly places: ReadonlyMap<string, Locate>;
}

/**
 * The set of all resources with the reservation merged in. A HotStandbyConfig wins: only levels that it does not write are filled.
 * Pure and repeatable: what an earlier merge added is taken off first.
 * @param places as `parseManifests` gives them; a resource without a text has none.
 */
export function mergeReservation(set: readonly ResourceDraft[], places: ReadonlyMap<string, Locate> = new Map()): MergedSet {
  const drafts = set.map(withoutReservation);
  const locate = places.get(`ReservationMap/${RESERVATION_NAME}`) ?? nowhere;
  const merged: Growing = { drafts: [...drafts], problems: [], warnings: [], places: new Map(places) };
  const entries = entriesOf(drafts);
  const configs = drafts.filter((draft) => draft.kind === "HotStandbyConfig");
  for (const entry of entries) {
    const target = targetOf(entry, configs, entries);
    if (target === "several") merged.warnings.push(ambiguous(entry, locate));
    else add(merged, { entry, locate, target });
  }
  return merged;
}

const nowhere: Locate = () => ({ file: null, line: null, column: null });

interface Entry {
  readonly name: string;
  readonly raw: JsonObject;
  readonly at: Path;
}

function entriesOf(drafts: readonly ResourceDraft[]): readonly Entry[] {
  const spec = drafts.find((draft) => draft.kind === "ReservationMap")?.spec;
  const tenants = spec?.["tenants"];
  // What another version stored and this one cannot read reserves nothing.
  if (!Array.isArray(tenants) || !reservationSpec.safeParse(spec).success) return [];
  return tenants.flatMap((raw: unknown, index) => {
    if (!isJsonObject(raw) || typeof raw["name"] !== "string") return [];
    return [{ name: raw["name"], raw, at: [...ROOTS.ReservationMap, "tenants", index] }];
  });
}

/** null = nobody wrote a config for it. */
function targetOf(entry: Entry, configs: readonly ResourceDraft[], entries: readonly Entry[]): ResourceDraft | "several" | null {
  const named = configs.find((config) => config.name === entry.name);
  if (named !== undefined) return named;
  const ofTenant = configs.filter((config) => config.spec["tenant"] === entry.name);
  if (ofTenant.length === 0) return null;
  const [only, ...others] = ofTenant.filter((config) => !entries.some((other) => other.name === config.name));
  return only === undefined || others.length > 0 ? "several" : only;
}

interface Adding {
  readonly entry: Entry;
  readonly locate: Locate;
  readonly target: ResourceDraft | null;
}
interface Growing {
  readonly drafts: ResourceDraft[];
  readonly problems: Problem[];
  readonly warnings: Warning[];
  readonly places: Map<string, Locate>;
}

function add(merged: Growing, { entry, locate, target }: Adding): void {
  if (target === null) return addDerived(merged, entry, locate);
  const draft = withReservation(target, entry.raw);
  const alone = parseHotStandbyConfig(target);
  // What cannot be read alone is told of elsewhere, at its own place.
  if (!alone.ok) return;
  const together = parseHotStandbyConfig(draft);
  const conflicts = together.ok ? (together.value.reservation?.conflicts ?? []) : [];
  // An entry that changes nothing leaves no trace: what was rendered from the configs can be applied over them.
  if (together.ok && conflicts.length === 0 && isSameLevels(alone.value, together.value)) return;
  const key = `HotStandbyConfig/${target.name}`;
  const own = merged.places.get(key) ?? nowhere;
  const isReserved = (group: Path[number] | undefined): boolean =>
    group !== undefined && target.spec[group] === undefined && entry.raw[group] !== undefined;
  const place: Locate = (at, mark) => (at[0] === "spec" && isReserved(at[1]) ? locate([...entry.at, ...at.slice(1)], mark) : own(at, mark));
  merged.drafts[merged.drafts.indexOf(target)] = draft;
  merged.places.set(key, place);
  const isOfEntry = ({ path }: Problem | Warning): boolean => isReserved(path.split(".")[1]);
  const verdict = checkDraft(draft, place);
  merged.problems.push(...verdict.problems.map((problem) => (isOfEntry(problem) ? inEntry(problem, entry) : problem)));
  merged.warnings.push(...verdict.warnings.filter(isOfEntry).map((warning) => inEntry(warning, entry)));
  merged.warnings.push(...conflicts.map((conflict) => conflictWarning(conflict, { name: target.name, entry, locate })));
}

const isSameLevels = (left: HotStandbyConfig, right: HotStandbyConfig): boolean => levelsText(left) === levelsText(right);
const levelsText = ({ hot, warm, cold }: HotStandbyConfig): string =>
  JSON.stringify([hot, warm, cold].map((level) => level && { ...level, nodeSelector: selectorText(level.nodeSelector) }));
const selectorText = (selector: NodeSelector): string =>
  Object.entries(selector)
    .map((pair) => pair.join(": "))
    .toSorted()
    .join(", ");

function addDerived(merged: Growing, entry: Entry, locate: Locate): void {
  const draft = derivedConfig(entry.raw, entry.name);
  const place: Locate = (at, mark) => {
    const [group, ...below] = at.slice(1);
    const isLevel = at[0] === "spec" && group !== undefined && group !== "tenant" && entry.raw[group] !== undefined;
    return locate([...entry.at, ...(isLevel ? [group, ...below] : ["name"])], mark);
  };
  const verdict = checkDraft(draft, place);
  merged.drafts.push(draft);
  merged.places.set(`HotStandbyConfig/${draft.name}`, place);
  merged.problems.push(...verdict.problems.map((problem) => inEntry(problem, entry)));
  const text = {
    what: `No HotStandbyConfig is written for ${entry.name}: one with every default is derived.`,
    why: "The reservation names it, and says nothing of model, tier or promise.",
    next: `Write a HotStandbyConfig ${entry.name}; it takes the place of the derived one.`,
  };
  merged.warnings.push(warningOf({ code: "RESERVATION_DERIVED", at: [...entry.at, "name"], mark: "value", ...text }, locate));
  merged.warnings.push(...verdict.warnings.filter(({ code }) => code !== "TIER_INFERRED").map((warning) => inEntry(warning, entry)));
}

/** A finding of a config whose text stands in the reservation. */
const inEntry = <Found extends Problem | Warning>(found: Found, entry: Entry): Found => ({
  ...found,
  path: found.path.replace(/^spec/, formatPath(entry.at)),
  why: `${found.why} It stands in the reservation.`,
});

function conflictWarning(
  conflict: ReservationConflict,
  of: { readonly name: string; readonly entry: Entry; readonly locate: Locate },
): Warning {
  const { level, field } = conflict;
  const text = {
    what: `${of.name}: ${formatConflict(conflict)}.`,
    why: "The HotStandbyConfig wins; the service carries the condition ReservationConflict.",
    next: "Make both say the same, or generate the ConfigMap: tidegate render --target reservation.",
  };
  const at = [...of.entry.at, level, ...(field === null ? [] : [field])];
  return warningOf({ code: "RESERVATION_CONFLICT", at, mark: "value", ...text }, of.locate);
}

function ambiguous(entry: Entry, locate: Locate): Warning {
  const text = {
    what: `The reservation of ${entry.name} is left out: the tenant has several services.`,
    why: "It cannot be told which of them it means.",
    next: "Write one entry for each service, under the name of its HotStandbyConfig.",
  };
  return warningOf({ code: "RESERVATION_AMBIGUOUS", at: [...entry.at, "name"], mark: "value", ...text }, locate);
}
