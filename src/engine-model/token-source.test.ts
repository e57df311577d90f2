import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { createAnswerText } from "./answer-text.ts";
import { detokenize } from "./detokenize.ts";
import { END_ID } from "./token-ids.ts";
import { createContextSource, createGarbageSource, createScriptSource, type Sampling, type TokenOrigin } from "./token-source.ts";
import { tokenize } from "./tokenize.ts";

const greedy: Sampling = { temperature: 0, seed: null, topP: 1, topK: 0, penalties: [] };
const origin: TokenOrigin = { model: "tide-8b", revision: "r1", sampling: greedy, choice: 0 };

function answer(from: TokenOrigin, promptIds: readonly number[], count: number): number[] {
  const source = createContextSource(from, promptIds);
  return Array.from({ length: count }, () => source.nextWithoutEnd());
}

const prompts = fc.array(fc.constantFrom(...tokenize("the tide comes in, the gate holds it. é海")), { minLength: 1, maxLength: 40 });

test("an answer continued from any of its ids is the undisturbed one", () => {
  fc.assert(
    fc.property(prompts, fc.nat(39), (prompt, cut) => {
      const whole = answer(origin, prompt, 40);
      assert.deepEqual(answer(origin, [...prompt, ...whole.slice(0, cut)], 40 - cut), whole.slice(cut));
    }),
  );
});

/** Different contexts may agree on a token by chance, such as a comma; they never agree for long. */
function assertDiverges(one: readonly number[], other: readonly number[]): void {
  const equal = one.filter((id, index) => id === other[index]).length;
  assert.ok(equal < one.length / 4, `${equal} of ${one.length} tokens are equal`);
}

test("one lost id changes all that follows", () => {
  fc.assert(
    fc.property(prompts, fc.nat(), (prompt, at) => {
      fc.pre(prompt.length > 1);
      const lost = prompt.filter((_, index) => index !== at % prompt.length);
      assertDiverges(answer(origin, prompt, 200), answer(origin, lost, 200));
    }),
  );
});

test("one repeated id changes all that follows", () => {
  fc.assert(
    fc.property(prompts, fc.nat(), (prompt, at) => {
      const place = at % prompt.length;
      const repeated = [...prompt.slice(0, place + 1), ...prompt.slice(place)];
      assertDiverges(answer(origin, prompt, 200), answer(origin, repeated, 200));
    }),
  );
});

const warm: Sampling = { ...greedy, temperature: 1, seed: 1 };
const origins: readonly { readonly name: string; readonly one: TokenOrigin; readonly other: TokenOrigin; readonly isSame: boolean }[] = [
  { name: "another model answers otherwise", one: origin, other: { ...origin, model: "tide-1b" }, isSame: false },
  { name: "another revision answers otherwise", one: origin, other: { ...origin, revision: "r2" }, isSame: false },
  { name: "a greedy answer ignores the seed", one: origin, other: { ...origin, sampling: { ...greedy, seed: 7 } }, isSame: true },
  { name: "the greedy answers to one prompt are all the same", one: origin, other: { ...origin, choice: 1 }, isSame: true },
  {
    name: "another seed answers otherwise",
    one: { ...origin, sampling: warm },
    other: { ...origin, sampling: { ...warm, seed: 2 } },
    isSame: false,
  },
  {
    name: "another choice of a sampled answer is another answer",
    one: { ...origin, sampling: warm },
    other: { ...origin, sampling: warm, choice: 1 },
    isSame: false,
  },
  {
    name: "a penalty answers otherwise",
    one: origin,
    other: { ...origin, sampling: { ...greedy, penalties: [0.5, 0, 1] } },
    isSame: false,
  },
];
for (const { name, one, other, isSame } of origins) {
  test(name, () => {
    const prompt = tokenize("What does the gate do?");
    if (isSame) assert.deepEqual(answer(one, prompt, 100), answer(other, prompt, 100));
    else assertDiverges(answer(one, prompt, 200), answer(other, prompt, 200));
  });
}

test("answers end by themselves, after a sentence", () => {
  const lengths = Array.from({ length: 200 }, (_, index) => {
    const source = createContextSource(origin, tokenize(`Question ${index}?`));
    const ids: number[] = [];
    while (ids.length < 5_000 && ids.at(-1) !== END_ID) ids.push(source.next());
    assert.match(detokenize(ids.slice(0, -1)), /\.$/);
    return ids.length;
  });
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  assert.ok(mean > 100 && mean < 400, `mean ${mean}`);
});

test("answers contain characters that lie across tokens, always whole", () => {
  const text = detokenize(answer(origin, tokenize("Tell me of the sea."), 3_000));
  assert.match(text, /[海潮世界]|🌊|🚢/u);
  assert.ok(!text.slice(0, -4).includes("\uFFFD"));
});

test("a scripted answer says its text and ends, or goes on blank when it must", () => {
  const source = createScriptSource(tokenize("ok"));
  assert.deepEqual([source.next(), source.next()], [...tokenize("ok"), END_ID]);
  assert.deepEqual(source.nextWithoutEnd(), tokenize("\n")[0]);
});

test("garbage is exclamation marks without end", () => {
  const source = createGarbageSource();
  assert.equal(detokenize([source.next(), source.next(), source.nextWithoutEnd()]), "!!!");
});

test("a stop string is found wherever the tokens cut it, and never shown", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", "b", " ", "é") }), fc.constantFrom("ab", "b a", "é", "aba"), (text, stop) => {
      const matcher = createAnswerText({ stops: [stop], isStopShown: false, minTokens: 0 });
      let seen = "";
      for (const id of tokenize(text)) seen += matcher.push(id);
      seen += matcher.end();
      const at = text.indexOf(stop);
      assert.equal(seen, at < 0 ? text : text.slice(0, at));
      assert.equal(matcher.isStopped, at >= 0);
    }),
  );
});

test("the earliest of several stop strings wins", () => {
  const matcher = createAnswerText({ stops: ["gate", "tide"], isStopShown: false, minTokens: 0 });
  assert.equal(
    tokenize("the tide gate")
      .map((id) => matcher.push(id))
      .join("") + matcher.end(),
    "the ",
  );
});
