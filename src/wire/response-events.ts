import { isJsonList, isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";

/** What one event of a response says, and where: pieces of one place are one text, however it is cut. */
export type ResponseSaying =
  | { readonly kind: "piece"; readonly place: string; readonly text: string }
  /** It opens or closes something. `said` is what two engines of one model say alike there; null = nothing of the answer. */
  | { readonly kind: "mark"; readonly place: string; readonly said: string | null };

const BEGINNINGS: ReadonlySet<unknown> = new Set(["response.created", "response.queued", "response.in_progress"]);
/** Named anew by each engine, or of its own clock. */
const ID_KEYS: ReadonlySet<string> = new Set(["id", "item_id", "call_id", "response_id"]);
const OWN_KEYS: ReadonlySet<string> = new Set([...ID_KEYS, "created_at", "completed_at", "sequence_number", "obfuscation", "logprobs"]);

export function sayingOf(event: JsonObject): ResponseSaying {
  const { type, delta } = event;
  const at = [event["output_index"], event["content_index"], event["summary_index"], event["annotation_index"]];
  const place = `${typeof type === "string" ? type : "-"} ${at.map((index) => (typeof index === "number" ? index : "-")).join(" ")}`;
  if (typeof delta === "string") return { kind: "piece", place, text: delta };
  const said = BEGINNINGS.has(type) ? null : JSON.stringify(event, (key, value: unknown) => (OWN_KEYS.has(key) ? undefined : value));
  return { kind: "mark", place, said };
}

/** Learns which of another engine's names stand for which of those that the client knows. Both say the same. */
export function learnNames(names: Map<string, string>, known: JsonValue | undefined, other: JsonValue | undefined): void {
  if (isJsonList(known) && isJsonList(other)) {
    for (const [index, value] of known.entries()) learnNames(names, value, other[index]);
    return;
  }
  if (!isJsonObject(known) || !isJsonObject(other)) return;
  for (const [key, value] of Object.entries(known)) {
    const named = other[key];
    if (ID_KEYS.has(key) && typeof value === "string" && typeof named === "string") names.set(named, value);
    else learnNames(names, value, named);
  }
}

/** The same under the names that the client knows, of the time that it knows. */
export function renamed(
  value: JsonValue | undefined,
  names: ReadonlyMap<string, string>,
  createdAt: JsonValue | undefined,
): JsonValue | undefined {
  if (isJsonList(value)) return value.map((one) => renamed(one, names, createdAt) ?? null);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      if (key === "created_at" && createdAt !== undefined) return [key, createdAt];
      if (ID_KEYS.has(key) && typeof one === "string") return [key, names.get(one) ?? one];
      return [key, renamed(one, names, createdAt)];
    }),
  );
}
