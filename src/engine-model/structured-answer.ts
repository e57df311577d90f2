import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { absorb, drawBits, type ContextHash } from "./context-hash.ts";
import { WORD_TEXTS } from "./lexicon.ts";

/** A function that the client lets the model call. */
export interface ToolDeclaration {
  readonly name: string;
  /** JSON Schema of the arguments. */
  readonly parameters: JsonValue;
}

const DEPTH_MAX = 8;
const ITEMS_MAX = 2;

/**
 * A value that fits the schema's everyday words (type, enum, const, properties, required, items, anyOf, oneOf, allOf, $ref into itself),
 * chosen by the context. Deeper than 8 levels it is null.
 */
export function answerSchema(schema: JsonValue, context: ContextHash): JsonValue {
  return valueOf(schema, { root: schema, draw: drawer(context), depth: 0 });
}

/** Which tool the model calls; null = it answers in words. `tools` are not empty. */
export function chooseTool(tools: readonly ToolDeclaration[], isRequired: boolean, context: ContextHash): ToolDeclaration | null {
  const bits = drawBits(context, TOOL_SALT);
  // Half of the prompts to which tools are offered use one.
  if (!isRequired && bits % 2 === 0) return null;
  return tools[(bits >>> 1) % tools.length] ?? null;
}

const TOOL_SALT = 101;
const VALUE_SALT = 102;

interface Scope {
  readonly root: JsonValue;
  readonly draw: () => number;
  readonly depth: number;
}

function drawer(context: ContextHash): () => number {
  const own = { ...context };
  return () => {
    absorb(own, VALUE_SALT);
    return drawBits(own, VALUE_SALT);
  };
}

function valueOf(schema: JsonValue | undefined, scope: Scope): JsonValue {
  if (scope.depth > DEPTH_MAX) return null;
  if (!isJsonObject(schema)) return freeObject(scope);
  const inner = { ...scope, depth: scope.depth + 1 };
  if (schema["const"] !== undefined) return schema["const"];
  const choices = listOf(schema["enum"]);
  if (choices.length > 0) return choices[scope.draw() % choices.length] ?? null;
  if (typeof schema["$ref"] === "string") return valueOf(resolve(schema["$ref"], scope.root), inner);
  const [alternative] = [...listOf(schema["anyOf"]), ...listOf(schema["oneOf"]), ...listOf(schema["allOf"])];
  if (alternative !== undefined) return valueOf(alternative, inner);
  return typedValue(schema, inner);
}

function typedValue(schema: JsonObject, scope: Scope): JsonValue {
  const [type] = [schema["type"], ...listOf(schema["type"])].filter((one) => typeof one === "string");
  switch (type ?? (schema["properties"] === undefined ? "free" : "object")) {
    case "object":
      return objectOf(schema, scope);
    case "array":
      return Array.from({ length: clamp(schema, ["minItems", "maxItems"], 1 + (scope.draw() % ITEMS_MAX)) }, () =>
        valueOf(schema["items"], scope),
      );
    case "integer":
    case "number":
      return clamp(schema, ["minimum", "maximum"], scope.draw() % 100);
    case "boolean":
      return scope.draw() % 2 === 0;
    case "null":
      return null;
    case "string":
      return `${word(scope)} ${word(scope)}`;
    default:
      return freeObject(scope);
  }
}

/** Optional properties are given half of the time. */
function objectOf(schema: JsonObject, scope: Scope): JsonValue {
  const properties = isJsonObject(schema["properties"]) ? schema["properties"] : {};
  const required = listOf(schema["required"]);
  const entries: [string, JsonValue][] = [];
  for (const [name, property] of Object.entries(properties)) {
    const isGiven = required.includes(name) || scope.draw() % 2 === 0;
    if (isGiven) entries.push([name, valueOf(property, scope)]);
  }
  return Object.fromEntries(entries);
}

const freeObject = (scope: Scope): JsonValue => ({ [word(scope)]: word(scope), count: scope.draw() % 100 });
const word = (scope: Scope): string => WORD_TEXTS[scope.draw() % WORD_TEXTS.length] ?? "tide";
const isList = (value: JsonValue | undefined): value is readonly JsonValue[] => Array.isArray(value);
const listOf = (value: JsonValue | undefined): readonly JsonValue[] => (isList(value) ? value : []);

function clamp(schema: JsonObject, [low, high]: readonly [low: string, high: string], value: number): number {
  const from = schema[low];
  const to = schema[high];
  const raised = typeof from === "number" ? Math.max(from, value) : value;
  return typeof to === "number" ? Math.min(to, raised) : raised;
}

/** Only references into the schema itself, such as `#/$defs/Node`. */
function resolve(reference: string, root: JsonValue): JsonValue | undefined {
  let at: JsonValue | undefined = root;
  for (const part of reference.split("/").slice(1)) at = isJsonObject(at) ? at[part] : undefined;
  return at;
}
