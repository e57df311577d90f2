import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { createDetokenizer, detokenize } from "./detokenize.ts";
import { isTokenId, VOCABULARY_SIZE } from "./token-ids.ts";
import { tokenize } from "./tokenize.ts";

test("any well-formed text comes back from its ids", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
      const ids = tokenize(text);
      assert.ok(ids.every(isTokenId));
      assert.equal(detokenize(ids), text);
    }),
  );
});

const texts: readonly { readonly text: string; readonly tokens: number }[] = [
  { text: "", tokens: 0 },
  { text: "the tide comes in", tokens: 4 },
  { text: "The Tide", tokens: 2 },
  { text: "tidegate", tokens: 2 },
  { text: "  two  spaces ", tokens: 5 },
  { text: "a1, b", tokens: 4 },
  { text: "é", tokens: 2 },
  { text: "🌊", tokens: 4 },
  { text: "\uFEFFmark", tokens: 4 },
  { text: "<|end|>", tokens: 5 },
];
for (const { text, tokens } of texts) {
  test(`${JSON.stringify(text)} is ${tokens} tokens and comes back`, () => {
    const ids = tokenize(text);
    assert.equal(ids.length, tokens);
    assert.equal(detokenize(ids), text);
  });
}

test("a character that lies across ids comes with its last one", () => {
  const detokenizer = createDetokenizer();
  assert.deepEqual(
    tokenize("海!").map((id) => detokenizer.push(id)),
    ["", "", "海", "!"],
  );
  assert.equal(detokenizer.end(), "");
});

test("ids that end inside a character end in a replacement character", () => {
  assert.equal(detokenize(tokenize("a海").slice(0, -1)), "a\uFFFD");
});

test("any ids have some text", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(VOCABULARY_SIZE - 1)), (ids) => {
      assert.equal(typeof detokenize(ids), "string");
    }),
  );
});

test("a text of 16,000 common words is 16,000 tokens", () => {
  assert.equal(tokenize(" water".repeat(16_000)).length, 16_000);
});
