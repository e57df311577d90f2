import assert from "node:assert/strict";
import { test } from "node:test";
import { MIG_GPUS, MIG_PROFILES, MIG_SHAPES, migResourceName } from "../../src/api/mig-geometry.ts";
import { compareGeometry } from "./compare-geometry.ts";
import type { GpuRecord, ProfileRecord } from "./parse-profiles.ts";

/** A file that says what our table says. */
const agreeing = (): Record<string, GpuRecord> =>
  Object.fromEntries(
    MIG_GPUS.map((gpu) => {
      const profiles = MIG_PROFILES.map((profile): ProfileRecord => {
        const { starts, maxCount, ...shape } = MIG_SHAPES[profile];
        const { name, memoryMiB, multiprocessors } = gpu.figures[profile];
        const memoryGiB = memoryMiB === null ? null : Math.floor((memoryMiB * 100) / 1_024) / 100;
        const more = { profile: name, memoryGiB, multiprocessors, resourceName: migResourceName(gpu, profile) };
        return { ...shape, ...more, placementStarts: [...starts], maxInstances: maxCount };
      });
      const counts = { maximalPlacedLayouts: 78, maximalMultisets: 38 };
      return [
        gpu.models[0] === "B200-180GB" ? "B200" : (gpu.models[0] ?? ""),
        { multiprocessors: gpu.multiprocessors ?? 148, profiles, ...counts },
      ];
    }),
  );

test("a file that agrees with our MIG table has no differences", () => assert.deepEqual(compareGeometry(agreeing()), []));

const planted: readonly { readonly name: string; readonly change: Partial<ProfileRecord>; readonly says: string }[] = [
  { name: "start", change: { placementStarts: [0] }, says: "H100-80GB 3g.40gb: starts: 0,4 here and 0 there" },
  { name: "size", change: { memorySlices: 3 }, says: "H100-80GB 3g.40gb: memory slices: 4 here and 3 there" },
  { name: "memory", change: { memoryGiB: 39.25 }, says: "H100-80GB 3g.40gb: memory is 40448 MiB here and 39.25 GiB there" },
  { name: "number of multiprocessors", change: { multiprocessors: 48 }, says: "H100-80GB 3g.40gb: multiprocessors: 60 here and 48 there" },
];
for (const { name, change, says } of planted) {
  test(`another ${name} in the file of MIG profiles is told`, () => {
    const records = agreeing();
    const h100 = records["H100-80GB"];
    assert.ok(h100 !== undefined);
    const profiles = h100.profiles.map((profile) => (profile.profile === "3g.40gb" ? { ...profile, ...change } : profile));
    assert.deepEqual(compareGeometry({ ...records, "H100-80GB": { ...h100, profiles } }), [says]);
  });
}

test("a card that only one of the two MIG tables has is told", () => {
  const { "A100-40GB": left, ...rest } = agreeing();
  assert.ok(left !== undefined);
  assert.deepEqual(compareGeometry({ ...rest, "X1-10GB": left }), ["X1-10GB: not in our table", "A100-40GB: not in the file"]);
});
