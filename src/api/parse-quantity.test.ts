import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration } from "../base/time.ts";
import { parseDuration } from "./parse-duration.ts";
import { formatQuantity, parseQuantity } from "./parse-quantity.ts";

const readable: readonly (readonly [string, number])[] = [
  ["80GB", 80e9],
  ["80G", 80e9],
  ["80Gi", 80 * 2 ** 30],
  ["512Mi", 512 * 2 ** 20],
  ["1.5TB", 1.5e12],
  ["0GB", 0],
  ["7B", 7],
];
for (const [text, bytes] of readable)
  test(`${text} is ${bytes} bytes`, () => assert.deepEqual(parseQuantity(text), { ok: true, value: bytes }));

const unreadable: readonly (readonly [string, string, string])[] = [
  ["80", "WRONG_UNIT", "Write the unit too, such as 80GB or 80Gi."],
  ["80GiB", "WRONG_UNIT", "Write 80Gi."],
  ["80gb", "WRONG_UNIT", "Write 80GB."],
  ["80m", "WRONG_UNIT", "Write 80M."],
  ["-80GB", "NEGATIVE", "Write 80GB."],
  ["80 GB", "WRONG_FORMAT", "Write it as 80GB, 80G or 80Gi."],
  ["", "WRONG_FORMAT", "Write it as 80GB, 80G or 80Gi."],
  ["0.3B", "OUT_OF_RANGE", "Write a smaller number, or one without a fraction."],
  ["999999999TB", "OUT_OF_RANGE", "Write a smaller number, or one without a fraction."],
];
for (const [text, code, next] of unreadable) {
  test(`"${text}" is no quantity: ${code}`, () => {
    const read = parseQuantity(text);
    assert.ok(!read.ok);
    assert.deepEqual([read.error.code, read.error.next], [code, next]);
  });
}

test("every whole number of bytes survives format and parse of a quantity", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (bytes) => assert.deepEqual(parseQuantity(formatQuantity(bytes)), { ok: true, value: bytes })));
});

test("every whole number of milliseconds up to a year survives format and parse of a duration", () => {
  fc.assert(
    fc.property(fc.nat(366 * 24 * 3_600_000), (durationMs) =>
      assert.deepEqual(parseDuration(formatDuration(durationMs)), { ok: true, value: durationMs }),
    ),
  );
});

const durations: readonly (readonly [string, number])[] = [
  ["5s", 5_000],
  ["1m30s", 90_000],
  ["500ms", 500],
  ["1h", 3_600_000],
  ["0s", 0],
  ["1m500ms", 60_500],
];
for (const [text, durationMs] of durations)
  test(`${text} lasts ${durationMs} ms`, () => assert.deepEqual(parseDuration(text), { ok: true, value: durationMs }));

const noDurations: readonly (readonly [string, string, string])[] = [
  ["5", "WRONG_UNIT", "Write 5s."],
  ["5min", "WRONG_UNIT", "Write 5m."],
  ["5 s", "WRONG_FORMAT", "Write 5s."],
  ["-5s", "NEGATIVE", "Write 5s."],
  ["30s1m", "WRONG_UNIT", "Write 30s."],
  ["1.5s", "WRONG_UNIT", "Write 1s."],
  ["soon", "WRONG_FORMAT", "Write it as 5s, 1m30s or 500ms."],
  ["9000h", "OUT_OF_RANGE", "Write a shorter one."],
];
for (const [text, code, next] of noDurations) {
  test(`"${text}" is no duration: ${code}`, () => {
    const read = parseDuration(text);
    assert.ok(!read.ok);
    assert.deepEqual([read.error.code, read.error.next], [code, next]);
  });
}
