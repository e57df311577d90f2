import assert from "node:assert/strict";
import { test } from "node:test";
import { hasFailedAsItMust } from "./control-row.ts";
import { parseOptions, roundsOf } from "./options.ts";
import { isRightAnswer, promptTexts, type Reference } from "./prompts.ts";
import { atLeast, atMost, formatTable, toJson, verdictOf, type RowResult } from "./report.ts";

const row = (changes: Partial<RowResult>): RowResult => ({
  row: "sigkill-hot",
  n: 3,
  bars: [atLeast("rounds that count", 3, { min: 3, unit: "rounds" }), atMost("requests lost", 0, { max: 0, unit: "requests" })],
  notes: [],
  control: { loopLagP99Ms: 2, spawnP50Ms: 50, spawnP99Ms: 60, spawns: 4, spawnUnderLoadP99Ms: 90, holds: true },
  ...changes,
});
const lossy = row({
  bars: [atLeast("rounds that count", 3, { min: 3, unit: "rounds" }), atMost("requests lost", 4, { max: 0, unit: "requests" })],
});
const busy = { loopLagP99Ms: 30, spawnP50Ms: 50, spawnP99Ms: 60, spawns: 4, spawnUnderLoadP99Ms: 90, holds: false };

test("a bench row passes when every bar does", () => {
  assert.deepEqual([verdictOf(row({})), verdictOf(lossy), verdictOf(row({ bars: [] }))], ["pass", "FAIL", "FAIL"]);
});

test("a bench row on a machine that was too busy is void and passes nothing", () => {
  const result = row({ control: busy });
  assert.equal(verdictOf(result), "void");
  const { rows } = JSON.parse(toJson([result], {})) as { rows: { pass: boolean; isVoid: boolean }[] };
  assert.deepEqual(
    rows.map(({ pass, isVoid }) => [pass, isVoid]),
    [
      [false, true],
      [false, true],
    ],
  );
});

test("a bar without a measurement fails", () => {
  assert.equal(atMost("recovery", null, { max: 250, unit: "ms" }).pass, false);
});

test("the bench's table has a line for each bar", () => {
  const lines = formatTable([lossy]).split("\n");
  assert.equal(lines.length, 3);
  assert.match(lines[2] ?? "", /^sigkill-hot\s+3\s+requests lost\s+<= 0 requests\s+4\s+FAIL$/);
});

test("the negative control fails by a broken bar, not by uncounted rounds", () => {
  const uncounted = row({
    n: 1,
    bars: [atLeast("rounds that count", 1, { min: 3, unit: "rounds" }), atMost("requests lost", 0, { max: 0, unit: "requests" })],
  });
  assert.deepEqual([hasFailedAsItMust(lossy), hasFailedAsItMust(uncounted), hasFailedAsItMust(row({}))], [true, false, false]);
});

const reference: Reference = { size: 128, text: "", promptTokens: 128, answer: "tide → sea", told: {}, endOfToken: [4, 5, 5, 6, 10] };
const answers: readonly { text: string; tokens: number; isRight: boolean }[] = [
  { text: "tide → sea", tokens: 5, isRight: true },
  { text: "tide ", tokens: 2, isRight: true },
  { text: "tide \uFFFD", tokens: 3, isRight: true },
  { text: "tide", tokens: 2, isRight: false },
  { text: "tide → se", tokens: 5, isRight: false },
  { text: "tide → tide", tokens: 5, isRight: false },
  { text: "tide → sea", tokens: 6, isRight: false },
];
for (const { text, tokens, isRight } of answers) {
  test(`${JSON.stringify(text)} ${isRight ? "is" : "is not"} the reference's first ${tokens} tokens`, () => {
    assert.equal(isRightAnswer(reference, text, tokens), isRight);
  });
}

test("bench prompts differ and have the words of their size", () => {
  const texts = promptTexts(2_048);
  assert.equal(new Set(texts).size, 6);
  assert.ok(texts.every((text) => Math.abs(text.split(" ").length - 2_048) < 20));
});

test("the bench's options choose rows and rounds, and refuse what they do not know", () => {
  const options = parseOptions(["--rows", "hang,steady-95", "--rounds", "4"]);
  assert.ok(options !== "help");
  assert.deepEqual([options.rows, roundsOf("hang", options), roundsOf("steady-95", options)], [["hang", "steady-95"], 4, 10]);
  assert.throws(() => parseOptions(["--rows", "hangs"]), /knows no hangs/);
  assert.throws(() => parseOptions(["--rounds", "0"]), /positive whole number/);
  assert.throws(() => parseOptions(["--control", "all"]), /no-failover/);
});
