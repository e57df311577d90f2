import type { KeyHash } from "../base/ids.ts";

/** SHA-256, hexadecimal. */
export interface KeyDigest {
  /** Of a whole key. Keys are 256 random bits, so a plain digest is enough. */
  digest(key: string): KeyHash;
  /** Of a request's body: tells whether two are the same without keeping them. Some 10 ms for the largest. */
  fingerprint(bytes: Uint8Array): string;
}
