import type { JsonValue } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { JSON_LIMITS, scanJsonObject, type JsonLimits } from "../wire/json-scan.ts";

// As deep as a manifest may be; and no parser after this one recurses further.
const LIMITS: JsonLimits = { ...JSON_LIMITS, depthMax: 32 };

/** A JSON object from outside, refused where two readers could read it differently. Its fields are still unknown. */
export function parseJsonBody(text: string): Result<JsonValue, string> {
  const scanned = scanJsonObject(Buffer.from(text), LIMITS);
  if (!scanned.ok) {
    const { code, at, key } = scanned.error;
    return err(`The body is refused at byte ${at}: ${code}${key === null ? "" : ` (${key.slice(0, 100)})`}. Send one JSON object.`);
  }
  return ok(JSON.parse(text) as JsonValue);
}
