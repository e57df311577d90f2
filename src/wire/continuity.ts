import type { JsonField } from "./json-scan.ts";

/** Texts that end an answer. */
export interface StopStrings {
  /** At least one; none is empty. */
  readonly strings: readonly string[];
  /** The string that ended it is told too. Then engines hold nothing back for it. */
  readonly areShown: boolean;
}

/** Why an answer cannot be continued at all. */
export type DiscontinuityReason =
  /** Several answers at once: their tokens come mixed, and each has a state of its own. */
  | "choices"
  | "logprobs"
  /** The client reads ids itself. */
  | "ids-asked";

/** Why another engine must make the answer again from its beginning, and be compared with what was shown. */
export type RestartReason =
  /** Calls are parsed by the engine; a parser that begins in the middle says them as text. */
  | "tools"
  /** Images, sounds and files: the ids of the prompt hold only their places. */
  | "media"
  /** A grammar begins at its root. */
  | "guided"
  /** Stop strings that we do not understand, or whose engine does not say what it holds back for them. */
  | "stops"
  /** They count the tokens of the answer alone, and the answer begins anew for the other engine. */
  | "penalties"
  /** Its events carry no token ids. */
  | "responses"
  /** A field that we do not know. */
  | "unknown-field";

/** How a stream goes on at another engine when its own is gone. */
export type Continuity =
  /** From the ids of what was shown. `stops`: what ends the answer by its text; null = nothing does. */
  | { readonly kind: "ids"; readonly stops: StopStrings | null }
  | { readonly kind: "restart"; readonly why: RestartReason }
  | { readonly kind: "none"; readonly why: DiscontinuityReason };

/** Fields that tell the next token nothing but by the prompt's ids, or that are rebased. */
const SPENT = new Set([
  "model",
  "messages",
  "prompt",
  "stream",
  "stream_options",
  "n",
  "max_tokens",
  "max_completion_tokens",
  "min_tokens",
  "add_generation_prompt",
  "continue_final_message",
  "add_special_tokens",
  "chat_template",
  "chat_template_kwargs",
  "documents",
  "metadata",
  "store",
  "return_token_ids",
  // Without tools they say nothing; with tools those decide.
  "tool_choice",
  "parallel_tool_calls",
]);
/** Fields that the other engine is given as they are. */
export const KEPT: readonly string[] = [
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "seed",
  "repetition_penalty",
  "ignore_eos",
  "stop",
  "include_stop_str_in_output",
  "stop_token_ids",
  "logit_bias",
  "skip_special_tokens",
  "user",
  "priority",
  "cache_salt",
  "service_tier",
];
const KEPT_NAMES = new Set(KEPT);

/** Values of these say "not asked". */
const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === false || value === 0 || (Array.isArray(value) && value.length === 0);
const isText = (value: unknown): boolean => typeof value === "object" && value !== null && "type" in value && value.type === "text";

/** What a field makes of its request. Read from the top: the first that says something decides, `none` before `restart`. */
const RULES: readonly { readonly fields: readonly string[]; readonly says: Continuity; readonly isUnless?: (value: unknown) => boolean }[] =
  [
    { fields: ["best_of"], says: { kind: "none", why: "choices" }, isUnless: (value) => isNothing(value) || value === 1 },
    {
      fields: ["logprobs", "top_logprobs", "prompt_logprobs", "echo", "suffix"],
      says: { kind: "none", why: "logprobs" },
      isUnless: isNothing,
    },
    // Whatever it says: the same key must not stand in a body twice.
    { fields: ["return_token_ids"], says: { kind: "none", why: "ids-asked" } },
    { fields: ["tools", "functions"], says: { kind: "restart", why: "tools" }, isUnless: isNothing },
    { fields: ["response_format"], says: { kind: "restart", why: "guided" }, isUnless: (value) => isNothing(value) || isText(value) },
    {
      fields: ["structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "structural_tag"],
      says: { kind: "restart", why: "guided" },
      isUnless: isNothing,
    },
    { fields: ["presence_penalty", "frequency_penalty"], says: { kind: "restart", why: "penalties" }, isUnless: isNothing },
  ];
const RULED_NAMES = new Set(RULES.flatMap(({ fields }) => fields));

/**
 * The pitfalls of continuing, as data.
 * @param asked `isPlain`: those messages are text alone, for sure. `read`: the value of a field; undefined where it is absent, or so long
 *   that nobody looks at it.
 */
export function continuityOf(
  fields: ReadonlyMap<string, JsonField>,
  asked: { readonly n: number; readonly isBatch: boolean; isPlain(messages: JsonField): boolean; read(name: string): unknown },
): Continuity {
  if (asked.n > 1 || asked.isBatch) return { kind: "none", why: "choices" };
  for (const { fields: names, says, isUnless } of RULES) {
    // What is too long to be read is something.
    const isSaid = names.some(
      (name) => fields.has(name) && isUnless?.(asked.read(name) ?? (isShort(fields.get(name)) ? null : "long")) !== true,
    );
    if (isSaid) return says;
  }
  for (const name of fields.keys())
    if (!SPENT.has(name) && !KEPT_NAMES.has(name) && !RULED_NAMES.has(name)) return { kind: "restart", why: "unknown-field" };
  const messages = fields.get("messages");
  if (messages !== undefined && !asked.isPlain(messages)) return { kind: "restart", why: "media" };
  if (!isShort(fields.get("stop"))) return { kind: "restart", why: "stops" };
  return byIds(asked.read("stop"), {
    areShown: asked.read("include_stop_str_in_output") === true,
    hasLeast: !isNothing(asked.read("min_tokens")),
  });
}

function byIds(stop: unknown, { areShown, hasLeast }: { readonly areShown: boolean; readonly hasLeast: boolean }): Continuity {
  if (isNothing(stop)) return { kind: "ids", stops: null };
  const strings: readonly unknown[] = Array.isArray(stop) ? stop : [stop];
  // Before so many tokens a string ends nothing: what was shown may hold one, and the next engine must not be told of it.
  if (!strings.every(isStop) || (areShown && hasLeast)) return { kind: "restart", why: "stops" };
  return { kind: "ids", stops: { strings, areShown } };
}

const isStop = (value: unknown): value is string => typeof value === "string" && value !== "";

/** A value that is read whole. */
export const VALUE_BYTES_MAX = 4_096;
const isShort = (field: JsonField | undefined): boolean => field === undefined || field.end - field.start <= VALUE_BYTES_MAX;
