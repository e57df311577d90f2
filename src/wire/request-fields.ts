import { err, ok, type Result } from "../base/result.ts";
import { VALUE_BYTES_MAX } from "./continuity.ts";
import { scanJsonObject, type JsonField, type JsonScanError } from "./json-scan.ts";

export interface InvalidRequest {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
}

/** The top of a request's body, scanned and not built. */
export interface RequestFields {
  readonly model: string;
  readonly modelField: JsonField;
  readonly fields: ReadonlyMap<string, JsonField>;
  readonly closeAt: number;
  /** The value of a field; undefined where it is absent, or so long that nobody looks at it. */
  readonly read: (key: string) => unknown;
  /** It is there and not null. */
  readonly isSaid: (key: string) => boolean;
}

/** @param readKeys what the gateway reads: in another case it is refused, because an engine might read it. */
export function readRequestFields(bytes: Buffer, readKeys: readonly string[]): Result<RequestFields, InvalidRequest> {
  const scan = scanJsonObject(bytes);
  if (!scan.ok) return err(explainScan(scan.error));
  const { fields, closeAt } = scan.value;
  for (const key of fields.keys()) {
    const known = readKeys.find((name) => name === key.toLowerCase());
    if (known !== undefined && known !== key)
      return err(invalid("unknown_parameter", `Unknown parameter '${known}' in another case.`, known));
  }
  const read = (key: string): unknown => valueOf(bytes, fields.get(key));
  const modelField = fields.get("model");
  const model = read("model");
  if (modelField === undefined || typeof model !== "string" || model === "") {
    return err(invalid("missing_required_parameter", "'model' must name a model.", "model"));
  }
  return ok({ model, modelField, fields, closeAt, read, isSaid: (key) => fields.has(key) && read(key) !== null });
}

export function readStream({ read }: RequestFields): Result<boolean, InvalidRequest> {
  const stream = read("stream") ?? false;
  return typeof stream === "boolean" ? ok(stream) : err(invalid("invalid_type", "'stream' must be true or false.", "stream"));
}

/** A limit on the tokens of the answer; null = not said. */
export function readTokenLimit({ read }: RequestFields, name: string): Result<number | null, InvalidRequest> {
  const limit = read(name) ?? null;
  if (limit === null || isCount(limit)) return ok(limit);
  return err(invalid("invalid_value", `'${name}' must be a whole number above 0.`, name));
}

export const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 1;

export const invalid = (code: string, message: string, param: string | null): InvalidRequest => ({ code, message, param });

export function valueOf(bytes: Buffer, field: JsonField | undefined): unknown {
  if (field === undefined || isLong(field)) return undefined;
  const value: unknown = JSON.parse(bytes.toString("utf8", field.start, field.end));
  return value;
}

/** So long that nobody looks at it. */
export const isLong = (field: JsonField | undefined): boolean => field !== undefined && field.end - field.start > VALUE_BYTES_MAX;

function explainScan(error: JsonScanError): InvalidRequest {
  const where = `at byte ${error.at} of the body`;
  switch (error.code) {
    case "NOT_JSON":
      return invalid("invalid_json", `The body is not valid JSON (${where}).`, null);
    case "NOT_AN_OBJECT":
      return invalid("invalid_json", "The body must be a JSON object.", null);
    case "TOO_DEEP":
      return invalid("json_too_deep", `The body is nested too deeply (${where}).`, null);
    case "DUPLICATE_KEY":
      return invalid("duplicate_parameter", `A parameter is given twice (${where}).`, null);
    case "FORBIDDEN_KEY":
      return invalid("forbidden_parameter", `A key of the body is not allowed (${where}).`, null);
    case "NUMBER_TOO_LONG":
    case "NUMBER_TOO_LARGE":
      return invalid("invalid_number", `A number is out of range (${where}).`, null);
    case "TOO_MANY_KEYS":
      return invalid("too_many_parameters", "The body has too many parameters.", null);
    case "TOO_MANY_VALUES":
      return invalid("too_many_values", "The body has too many values.", null);
    case "BAD_UNICODE":
      return invalid("invalid_unicode", `The body is not valid Unicode (${where}).`, null);
  }
}
