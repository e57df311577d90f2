import assert from "node:assert/strict";
import test from "node:test";
import { readCompletionRequest } from "../wire/openai-request.ts";

const SIZE = 4_000_000;
const BODIES: Readonly<Record<string, string>> = {
  "deep nesting": `{"a":${"[".repeat(SIZE)}`,
  "many numbers": `{"a":[${"1,".repeat(SIZE / 2)}1]}`,
  "one long string": `{"a":"${"x".repeat(SIZE)}"}`,
  "one string of escapes": `{"a":"${"\\n".repeat(SIZE / 2)}"}`,
  "one string of escaped quotes": `{"a":"${'\\"'.repeat(SIZE / 2)}"}`,
  "one string of surrogate pairs": `{"a":"${"\\ud83c\\udf0a".repeat(SIZE / 12)}"}`,
  "many empty strings": `{"a":[${'"",'.repeat(SIZE / 3)}""]}`,
  "many empty objects": `{"a":[${"{},".repeat(SIZE / 3)}{}]}`,
  "one endless number": `{"a":${"9".repeat(SIZE)}}`,
  "many top-level keys": `{${Array.from({ length: SIZE / 10 }, (_item, index) => `"${index}":1`).join(",")}}`,
  "many inner keys": `{"a":{${Array.from({ length: SIZE / 10 }, (_item, index) => `"${index}":1`).join(",")}}}`,
  "only spaces": " ".repeat(SIZE),
  "characters of many bytes": `{"a":"${"\u{1f30a}".repeat(SIZE / 4)}"}`,
};

for (const [name, body] of Object.entries(BODIES)) {
  test(`hostile body: ${name}, four megabytes, is judged within its share of the loop`, () => {
    const bytes = Buffer.from(body);
    // Each takes less than 50 ms on an idle core; three times that leaves room for a machine that is shared, and the smallest
    // of three is taken. What costs the square of the bytes takes minutes.
    const spentMs = Array.from({ length: 3 }, () => {
      const started = process.cpuUsage();
      const read = readCompletionRequest(bytes);
      const spent = process.cpuUsage(started);
      assert.equal(read.ok, false);
      return (spent.user + spent.system) / 1_000;
    });
    assert.ok(Math.min(...spentMs) < 150, `took ${spentMs.join(", ")} ms`);
  });
}
