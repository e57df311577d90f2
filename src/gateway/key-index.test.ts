import assert from "node:assert/strict";
import { test } from "node:test";
import { keyHash, keyId, tenantId } from "../base/ids.ts";
import { KeyIndex } from "./key-index.ts";

const index = new KeyIndex({
  digest: (key) => keyHash(Buffer.from(key).toString("hex").padEnd(64, "0").slice(0, 64)),
  fingerprint: () => "",
});
index.replace([{ hash: keyHash(Buffer.from("tg-key").toString("hex").padEnd(64, "0")), id: keyId("key-1"), tenant: tenantId("gold") }]);

const cases = [
  { name: "a key is let in", given: "Bearer tg-key", tenant: "gold" },
  { name: "in any case of its scheme, with spaces around", given: "bearer   tg-key  ", tenant: "gold" },
  { name: "nothing is no key", given: null, tenant: null },
  { name: "a key with anything behind it is another one", given: "Bearer tg-key x", tenant: null },
  { name: "also where the rest stands far behind it", given: `Bearer tg-key${" ".repeat(600)}x`, tenant: null },
  { name: "a longer key is another one", given: "Bearer tg-key2", tenant: null },
  { name: "a key of no length that was ever given out is none", given: `Bearer ${"k".repeat(600)}`, tenant: null },
] as const;
for (const { name, given, tenant } of cases) test(`key index: ${name}`, () => assert.equal(index.tenantOf(given), tenant));
