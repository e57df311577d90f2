import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { CrossingStop } from "./crossing-stop.ts";

/** @returns all that is told after `before`, up to the end of the first string that crosses. */
function told(before: string, pieces: readonly string[], stops: readonly string[]): string {
  const crossing = new CrossingStop(before, stops);
  let said = "";
  for (const piece of pieces) {
    const found = crossing.push(piece);
    if (found !== null) return said + piece.slice(0, found.end);
    said += piece;
  }
  return said;
}

const cases = [
  { name: "it ends with the string that began before", before: "so the ti", pieces: ["de", " goes"], stops: ["tide"], expected: "de" },
  { name: "in the middle of a piece too", before: "ti", pieces: ["d", "e goes"], stops: ["tide"], expected: "de" },
  {
    name: "a string that is all in the next text is its engine's",
    before: "so",
    pieces: [" tide goes"],
    stops: ["tide"],
    expected: " tide goes",
  },
  { name: "a string that was whole before ended nothing", before: "tide", pieces: [" ti", "de"], stops: ["tide"], expected: " tide" },
  { name: "of two it is that which began first", before: "xab", pieces: ["cd"], stops: ["bcd", "abc"], expected: "c" },
  { name: "behind the longest nothing crosses", before: "a", pieces: ["bbbb", "c"], stops: ["ac", "abbb"], expected: "bbb" },
];
for (const { name, before, pieces, stops, expected } of cases) {
  test(`crossing stop: ${name}`, () => assert.equal(told(before, pieces, stops), expected));
}

test("crossing stop: wherever a text is cut, the first string in it is found once", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 2, maxLength: 20 });
  fc.assert(
    fc.property(text, fc.nat(), fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 5 }), (said, place, stop) => {
      const cut = place % said.length;
      const at = said.indexOf(stop);
      const crosses = at >= 0 && at < cut && at + stop.length > cut;
      // What ended before the cut would have ended the answer there.
      fc.pre(at < 0 || at + stop.length > cut);
      assert.equal(
        told(said.slice(0, cut), Array.from(said.slice(cut)), [stop]),
        crosses ? said.slice(cut, at + stop.length) : said.slice(cut),
      );
    }),
    { seed: 11 },
  );
});
