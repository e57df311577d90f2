import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { EjectionCause } from "../api/link-message.ts";
import { monotonicMs } from "../base/ids.ts";
import { isSoft, mayEjectSoftly } from "./ejection-limit.ts";
import { endpoint } from "./fake-attempt.ts";
import { HealthIndex } from "./health.ts";

const cases: readonly { readonly name: string; readonly alive: number; readonly softlyOut: number; readonly may: boolean }[] = [
  { name: "the only one stays", alive: 1, softlyOut: 0, may: false },
  { name: "one of two goes", alive: 2, softlyOut: 0, may: true },
  { name: "the second of two stays", alive: 2, softlyOut: 1, may: false },
  { name: "one of three goes", alive: 3, softlyOut: 0, may: true },
  { name: "the second of three stays", alive: 3, softlyOut: 1, may: false },
  { name: "the second of four goes", alive: 4, softlyOut: 1, may: true },
  { name: "the third of four stays", alive: 4, softlyOut: 2, may: false },
  { name: "where others died meanwhile nobody more goes", alive: 2, softlyOut: 2, may: false },
];
for (const c of cases) test(`ejection limit: ${c.name}`, () => assert.equal(mayEjectSoftly(c), c.may));

test("ejection limit: in any order of faults and returns soft causes never put out more than half, and hard ones are not bound", () => {
  const causes: readonly EjectionCause[] = ["5xx", "stall", "refused", "silent"];
  const events = fc.array(fc.record({ who: fc.nat(6), what: fc.constantFrom("return" as const, ...causes) }), { maxLength: 80 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), events, (size, list) => {
      const pool = Array.from({ length: size }, (_, index) => endpoint(`e${index}`));
      const health = new HealthIndex();
      for (const [index, { who, what }] of list.entries()) {
        const one = pool[who % size];
        if (one === undefined) continue;
        const wasIn = health.ejectionOf(one) === null;
        if (what === "return") health.restore(one, monotonicMs(index));
        else health.eject(one, pool, { cause: what, now: monotonicMs(index) });
        const softlyOut = pool.filter((other) => health.isAiling(other)).length;
        assert.ok(softlyOut <= size / 2, `${softlyOut} of ${size} are out for soft causes`);
        if (what !== "return" && !isSoft(what)) assert.notEqual(health.ejectionOf(one), null);
        if (what !== "return" && isSoft(what) && wasIn) {
          assert.notEqual(health.ejectionOf(one) === null, health.isDoubted(one) === false, "out, or in and doubted");
        }
      }
    }),
    { seed: 62, numRuns: 300 },
  );
});
