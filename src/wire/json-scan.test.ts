import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { JSON_LIMITS, scanJsonObject, type JsonScanCode } from "./json-scan.ts";
import { spliceJson } from "./json-splice.ts";

function codeOf(text: string | Buffer): JsonScanCode | "ok" {
  const scan = scanJsonObject(Buffer.from(text));
  return scan.ok ? "ok" : scan.error.code;
}

const refused: readonly (readonly [name: string, body: string | Buffer, code: JsonScanCode])[] = [
  ["nothing", "", "NOT_AN_OBJECT"],
  ["an array", "[]", "NOT_AN_OBJECT"],
  ["two values", "{} {}", "NOT_JSON"],
  ["a comma at the end", '{"a":1,}', "NOT_JSON"],
  ["no colon", '{"a" 1}', "NOT_JSON"],
  ["an open string", '{"a":"b', "NOT_JSON"],
  ["an open object", '{"a":{"b":1}', "NOT_JSON"],
  ["crossed brackets", '{"a":[{]}}', "NOT_JSON"],
  ["a bare word", '{"a":nul}', "NOT_JSON"],
  ["a leading zero", '{"a":01}', "NOT_JSON"],
  ["a bare minus", '{"a":-}', "NOT_JSON"],
  ["an unknown escape", '{"a":"\\x"}', "NOT_JSON"],
  ["a line end in a string", '{"a":"b\nc"}', "NOT_JSON"],
  ["a NUL in an inner key", '{"a":[{"b\0":1}]}', "NOT_JSON"],
  ["a tab in a long string", `{"a":"${"b".repeat(100)}\t"}`, "NOT_JSON"],
  ["a duplicate key", '{"model":"a","model":"b"}', "DUPLICATE_KEY"],
  ["a duplicate key by escape", '{"model":"a","mod\\u0065l":"b"}', "DUPLICATE_KEY"],
  ["__proto__", '{"__proto__":1}', "FORBIDDEN_KEY"],
  ["__proto__ inside", '{"a":[{"b":{"__proto__":1}}]}', "FORBIDDEN_KEY"],
  ["__proto__ by escape", '{"\\u005f_proto__":1}', "FORBIDDEN_KEY"],
  ["a long number", `{"a":1${"0".repeat(100)}}`, "NUMBER_TOO_LONG"],
  ["a huge number", '{"a":1e999}', "NUMBER_TOO_LARGE"],
  ["a lone high surrogate", '{"a":"\\ud800"}', "BAD_UNICODE"],
  ["a high surrogate before another character", '{"a":"\\ud800\\u0041"}', "BAD_UNICODE"],
  ["a lone low surrogate", '{"a":"\\udc00"}', "BAD_UNICODE"],
  ["broken UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), "BAD_UNICODE"],
  ["a raw surrogate", Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]), "BAD_UNICODE"],
];
for (const [name, body, code] of refused) test(`JSON scan: ${name} is ${code}`, () => assert.equal(codeOf(body), code));

test("JSON scan: depth is counted exactly", () => {
  const nested = (depth: number): string => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
  assert.equal(codeOf(nested(JSON_LIMITS.depthMax)), "ok");
  assert.equal(codeOf(nested(JSON_LIMITS.depthMax + 1)), "TOO_DEEP");
});

test("JSON scan: it takes what JSON.parse takes, and finds every field's bytes", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 6 })), fc.integer({ min: 0, max: 3 }), (object, space) => {
      fc.pre(!JSON.stringify(object).includes("__proto__") && JSON.stringify(object).isWellFormed());
      const bytes = Buffer.from(JSON.stringify(object, null, space));
      const scan = scanJsonObject(bytes);
      fc.pre(scan.ok || scan.error.code !== "BAD_UNICODE");
      assert.ok(scan.ok);
      assert.deepEqual([...scan.value.fields.keys()].toSorted(), Object.keys(object).toSorted());
      for (const [key, { start, end }] of scan.value.fields) {
        assert.deepEqual(JSON.parse(bytes.toString("utf8", start, end)), JSON.parse(JSON.stringify(object[key])));
      }
    }),
  );
});

test("JSON scan: what JSON.parse refuses is refused, but for control characters in strings", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("{", "}", "[", "]", ",", ":", '"', "\\", "1", "-", "e", "a", " ", "true", '"k"')), (parts) => {
      const text = `{${parts.join("")}}`;
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      if (!isJson) assert.notEqual(codeOf(text), "ok", text);
    }),
  );
});

test("JSON splice: edits change their bytes and no other", () => {
  const bytes = Buffer.from('{"a":1,"b":"é"}');
  assert.equal(
    Buffer.from(
      spliceJson(bytes, [
        { start: 14, end: 14, text: "x" },
        { start: 5, end: 6, text: "22" },
      ]),
    ).toString("latin1"),
    '{"a":22,"b":"\xc3\xa9x"}',
  );
  assert.equal(spliceJson(bytes, []), bytes);
});
