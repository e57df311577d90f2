import assert from "node:assert/strict";
import { test } from "node:test";
import { fillEvenly } from "./fill-evenly.ts";

const cases = [
  { name: "nothing asked for takes nothing", demands: [], capacityMilli: [4_000, 8_000], is: [0, 0] },
  {
    name: "a demand is spread by what each pool has",
    demands: [{ choices: [0, 1], milli: 6_000 }],
    capacityMilli: [4_000, 8_000],
    is: [0.5, 0.5],
  },
  {
    name: "who has one pool to choose from goes first, in whatever order they are listed",
    demands: [
      { choices: [0, 1], milli: 4_000 },
      { choices: [0], milli: 4_000 },
    ],
    capacityMilli: [8_000, 8_000],
    is: [0.5, 0.5],
  },
  { name: "a pool is never more than taken", demands: [{ choices: [0], milli: 9_000 }], capacityMilli: [4_000, 8_000], is: [1, 0] },
  { name: "a demand without a pool is passed over", demands: [{ choices: [], milli: 9_000 }], capacityMilli: [4_000], is: [0] },
];
for (const { name, demands, capacityMilli, is } of cases)
  test(`filled evenly: ${name}`, () => {
    const ratios = fillEvenly(demands, capacityMilli);
    assert.deepEqual(
      ratios.map((ratio) => Math.round(20 * ratio) / 20),
      is,
    );
  });
