import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteLender } from "./byte-lender.ts";

test("what is lent is a copy that turns to garbage after the call, also within another call, of any length, and after an error", () => {
  const lender = new ByteLender();
  const [short, long] = [Buffer.from("tide"), Buffer.alloc(70_000, 1)];
  const kept: Uint8Array[] = [];
  lender.lend(short, (outer) => {
    kept.push(outer);
    lender.lend(long, (inner) => {
      kept.push(inner);
      assert.deepEqual([Buffer.from(outer).toString(), inner.byteLength, inner[69_999]], ["tide", 70_000, 1]);
    });
    assert.equal(Buffer.from(outer).toString(), "tide");
  });
  for (const bytes of kept) assert.ok(bytes.every((byte) => byte === 0xdb));
  const failing = (): void => lender.lend(short, () => assert.fail("no room"));
  assert.throws(failing, /no room/);
  lender.lend(short, (lent) => assert.equal(Buffer.from(lent).toString(), "tide"));
  assert.equal(short.toString(), "tide");
});
