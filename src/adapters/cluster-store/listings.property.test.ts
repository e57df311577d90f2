import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Resource } from "../../api/resource.ts";
import { uid, wallMs } from "../../base/ids.ts";
import { createListings } from "./listings.ts";

const resource = (name: string, version: number): Resource => ({
  kind: "GPUNode",
  name,
  labels: {},
  annotations: {},
  spec: {},
  uid: uid(name),
  version: `${version}`,
  generation: 1,
  createdAt: wallMs(0),
  status: null,
});
const steps = fc.array(fc.record({ name: fc.constantFrom("a", "b", "ba", "c", "d", "e"), isGone: fc.boolean(), isRead: fc.boolean() }), {
  maxLength: 40,
});

test("listings: whatever is written, a listing is what a sort of all objects gives, and one object until the next write", () => {
  fc.assert(
    fc.property(steps, (written) => {
      const listings = createListings();
      listings.replace("GPUNode", { items: [], ageMs: 0 });
      const objects = new Map<string, Resource>();
      for (const [index, { name, isGone, isRead }] of written.entries()) {
        const next = isGone ? null : resource(name, index);
        if (next === null) objects.delete(name);
        else objects.set(name, next);
        listings.changed({ kind: "GPUNode", name }, next);
        if (isRead) assert.equal(listings.of("GPUNode"), listings.of("GPUNode"));
      }
      const sorted = [...objects.values()].toSorted((left, right) => (left.name < right.name ? -1 : 1));
      assert.deepEqual(listings.of("GPUNode")?.items, sorted);
    }),
  );
});

test("listings: of a kind that was never read nothing is kept, and after a doubt nothing is known", () => {
  const listings = createListings();
  listings.changed({ kind: "GPUNode", name: "a" }, resource("a", 1));
  assert.equal(listings.of("GPUNode"), null);
  listings.replace("GPUNode", { items: [resource("a", 1)], ageMs: 0 });
  listings.forgetAll();
  assert.equal(listings.of("GPUNode"), null);
});
