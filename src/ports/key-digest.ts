import type { KeyHash } from "../base/ids.ts";

/** SHA-256 of a whole key, hexadecimal. Keys are 256 random bits, so a plain digest is enough. */
export interface KeyDigest {
  digest(key: string): KeyHash;
}
