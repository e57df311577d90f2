import { test } from "node:test";
import assert from "node:assert/strict";
import { createSeededRandom } from "./simulated.ts";

const draw = (seed: number | string, count: number): readonly number[] => {
  const random = createSeededRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

test("seeded chance repeats for its seed and differs for another", () => {
  assert.deepEqual(draw(7, 50), draw(7, 50));
  assert.notDeepEqual(draw(7, 50), draw(8, 50));
  assert.notDeepEqual(draw("7/network", 50), draw("7/client", 50));
});

test("seeded chance spreads evenly over 0 to 1, also across neighbouring seeds", () => {
  const firsts = Array.from({ length: 2_000 }, (_, seed) => draw(seed, 1)[0] ?? -1);
  for (const numbers of [draw(1, 2_000), firsts]) {
    assert.ok(numbers.every((x) => x >= 0 && x < 1));
    const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
    assert.ok(Math.abs(mean - 0.5) < 0.03, `the mean is ${mean}`);
  }
});

test("a seeded token has two hexadecimal characters for each byte", () => {
  const random = createSeededRandom(1);
  assert.match(random.token(5), /^[0-9a-f]{10}$/);
  assert.match(random.token(32), /^[0-9a-f]{64}$/);
  assert.notEqual(random.token(8), random.token(8));
});
