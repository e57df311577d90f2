import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { generation, instanceName, uid } from "../base/ids.ts";
import type { RunningEngine } from "../ports/engine-launcher.ts";
import { createEngineIndex } from "./engine-index.ts";

const engine = (name: string, pid: number): RunningEngine => ({
  instance: instanceName(name),
  uid: uid(`u${pid}`),
  generation: generation(pid),
  address: { host: "127.0.0.1", port: pid },
  pid,
});
const ownerOf = ({ instance }: RunningEngine): string => instance.slice(0, 1);
const step = fc.record({ name: fc.constantFrom("a1", "a2", "a3", "b1", "b2"), isGone: fc.boolean(), isTurned: fc.boolean() });

test("engine index: whoever comes, goes or changes places, each owner has the engines that were observed", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const index = createEngineIndex(ownerOf);
      let running: readonly RunningEngine[] = [];
      for (const [at, { name, isGone, isTurned }] of steps.entries()) {
        const rest = running.filter(({ instance }) => instance !== name);
        running = isGone ? rest : [...rest, engine(name, at)];
        if (isTurned) running = running.toReversed();
        for (const owner of ["a", "b"]) {
          const expected = running.filter((one) => ownerOf(one) === owner).map(({ instance, pid }) => `${instance} ${pid}`);
          const found = [...index.of(running, owner)].map(([instance, { pid }]) => `${instance} ${pid}`);
          assert.deepEqual(found.toSorted(), expected.toSorted());
        }
      }
    }),
  );
});

test("engine index: what is known of an owner stays one object while only others come and go", () => {
  const index = createEngineIndex(ownerOf);
  const [a, b] = [engine("a1", 1), engine("b1", 2)];
  const first = index.of([a, b], "a");
  assert.equal(index.of([a], "a"), first);
  assert.equal(index.of([a, engine("b1", 3)], "a"), first);
  assert.equal(index.of([a], "b").size, 0);
});
