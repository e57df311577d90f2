import { hash } from "node:crypto";
import { keyHash } from "../../base/ids.ts";
import type { KeyDigest } from "../../ports/key-digest.ts";

export const createSha256KeyDigest = (): KeyDigest => ({
  digest: (key) => keyHash(hash("sha256", key, "hex")),
  fingerprint: (bytes) => hash("sha256", bytes, "hex"),
});
