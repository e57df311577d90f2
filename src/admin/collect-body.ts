import type { Result } from "../base/result.ts";
import { err, ok } from "../base/result.ts";
import type { Refusal } from "./status.ts";

export const BODY_BYTES_MAX = 1_048_576;

export interface BodyCollector {
  /** A refusal ends the request: later bytes are dropped. */
  add(chunk: Uint8Array): Refusal | null;
  text(): Result<string, Refusal>;
}

export function createBodyCollector(): BodyCollector {
  const chunks: Uint8Array[] = [];
  let length = 0;
  return {
    add(chunk) {
      length += chunk.length;
      if (length > BODY_BYTES_MAX) {
        chunks.length = 0;
        return {
          reason: "RequestEntityTooLarge",
          message: `The body is larger than ${BODY_BYTES_MAX} bytes: send fewer documents at a time.`,
        };
      }
      chunks.push(chunk);
      return null;
    },
    text() {
      const whole = new Uint8Array(length);
      let at = 0;
      for (const chunk of chunks) {
        whole.set(chunk, at);
        at += chunk.length;
      }
      try {
        return ok(new TextDecoder("utf-8", { fatal: true }).decode(whole));
      } catch (cause) {
        if (!(cause instanceof TypeError)) throw cause;
        return err({ reason: "BadRequest", message: "The body is not UTF-8." });
      }
    },
  };
}
