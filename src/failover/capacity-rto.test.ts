import { test } from "node:test";
import assert from "node:assert/strict";
import { wallMs } from "../base/ids.ts";
import { NONE_RETURNED } from "../api/link-message.ts";
import { capacityRtoMs, type CapacitySample } from "./capacity-rto.ts";

const FAULT_S = 300;
const sample = (second: number, firstTokenP99Ms: number | null, goodRequests: number): CapacitySample => ({
  atMs: wallMs(second * 1_000),
  firstTokenP99Ms,
  goodRequests,
  failedRequests: 0,
  returned: NONE_RETURNED,
});
const seconds = (from: number, to: number, firstTokenMs: number | null, good: number): readonly CapacitySample[] =>
  Array.from({ length: to - from }, (_, index) => sample(from + index, firstTokenMs, good));
const usual = seconds(0, FAULT_S, 100, 20);

const cases: readonly { readonly name: string; readonly samples: readonly CapacitySample[]; readonly expected: number | null }[] = [
  {
    name: "capacity is back at the first good second of ten in a row",
    samples: [...usual, ...seconds(300, 307, 800, 5), ...seconds(307, 330, 110, 20)],
    expected: 7_000,
  },
  { name: "capacity is not back before it held for ten seconds", samples: [...usual, ...seconds(301, 310, 100, 20)], expected: null },
  {
    name: "a relapse begins the ten seconds anew",
    samples: [...usual, ...seconds(301, 309, 100, 20), ...seconds(309, 311, 400, 20), ...seconds(311, 330, 100, 20)],
    expected: 11_000,
  },
  { name: "a p99 up to one and a half times the usual is good", samples: [...usual, ...seconds(301, 315, 150, 20)], expected: 1_000 },
  { name: "a p99 above one and a half times the usual is not good", samples: [...usual, ...seconds(301, 340, 151, 20)], expected: null },
  { name: "a goodput of nine tenths of the usual is good", samples: [...usual, ...seconds(301, 315, 100, 18)], expected: 1_000 },
  { name: "a goodput below nine tenths of the usual is not good", samples: [...usual, ...seconds(301, 340, 100, 17)], expected: null },
  { name: "seconds without a first token are not good", samples: [...usual, ...seconds(301, 340, null, 0)], expected: null },
  {
    name: "a service without traffic before has nothing to compare with",
    samples: [...seconds(0, 300, null, 0), ...seconds(301, 340, 100, 20)],
    expected: null,
  },
  {
    name: "a few seconds of history are nothing to compare with",
    samples: [...seconds(292, 300, 100, 20), ...seconds(301, 340, 100, 20)],
    expected: null,
  },
  {
    name: "a hole in the samples is no held stretch",
    samples: [...usual, ...seconds(301, 306, 100, 20), ...seconds(320, 325, 100, 20)],
    expected: null,
  },
];
for (const c of cases) test(c.name, () => assert.equal(capacityRtoMs(c.samples, wallMs(FAULT_S * 1_000)), c.expected));
