import { test } from "node:test";
import assert from "node:assert/strict";
import { createSha256KeyDigest } from "./sha256.ts";

test("a key's digest is the SHA-256 of its UTF-8 text in lower-case hexadecimal", () => {
  const keys = createSha256KeyDigest();
  assert.equal(keys.digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.notEqual(keys.digest("ä"), keys.digest("a"));
});

test("equal bytes have equal fingerprints, and those of a text are its digest", () => {
  const keys = createSha256KeyDigest();
  assert.equal(keys.fingerprint(Buffer.from("abc")), keys.digest("abc"));
  assert.notEqual(keys.fingerprint(Buffer.from("abc")), keys.fingerprint(Buffer.from("abd")));
});
