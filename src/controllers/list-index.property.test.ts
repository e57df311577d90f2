import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Resource } from "../api/resource.ts";
import { uid, wallMs } from "../base/ids.ts";
import { createListIndex } from "./list-index.ts";

const resource = (name: string, group: string): Resource => ({
  kind: "GPUPartition",
  name,
  labels: {},
  annotations: {},
  spec: { group },
  uid: uid(name),
  version: "1",
  generation: 1,
  createdAt: wallMs(0),
  status: null,
});
const groupOf = ({ spec }: Resource): string => (typeof spec["group"] === "string" ? spec["group"] : "none");
const readGroup = (of: Resource) => (groupOf(of) === "none" ? null : { key: groupOf(of), value: `${of.name} of ${groupOf(of)}` });
const step = fc.record({
  name: fc.constantFrom("a", "aa", "b", "c", "d"),
  group: fc.constantFrom("one", "two", "none", null),
  isBack: fc.nat(4).map((chance) => chance === 0),
});

test("list index: after any writes, also seen out of order, each group is what the listing says", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const index = createListIndex(readGroup);
      const objects = new Map<string, Resource>();
      const listings: (readonly Resource[])[] = [[]];
      for (const { name, group, isBack } of steps) {
        if (group === null) objects.delete(name);
        else objects.set(name, resource(name, group));
        listings.push([...objects.values()].toSorted((left, right) => (left.name < right.name ? -1 : 1)));
        const items = listings.at(isBack ? -2 : -1) ?? [];
        for (const key of ["one", "two"])
          assert.deepEqual(
            index.group(items, key),
            items.flatMap((item) => (groupOf(item) === key ? [`${item.name} of ${key}`] : [])),
          );
      }
    }),
  );
});

test("list index: a group is one object until something of it changes, and nothing is read twice", () => {
  let reads = 0;
  const index = createListIndex((of) => {
    reads += 1;
    return readGroup(of);
  });
  const [a, b] = [resource("a", "one"), resource("b", "two")];
  const one = index.group([a, b], "one");
  const two = index.group([a, b], "two");
  const next = [a, resource("b", "two")];
  assert.equal(index.group(next, "one"), one);
  assert.notEqual(index.group(next, "two"), two);
  assert.equal(reads, 3);
});
