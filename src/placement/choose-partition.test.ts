import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GB } from "../base/bytes.ts";
import { tenantId } from "../base/ids.ts";
import type { PartitionMode } from "../api/gpu-partition.ts";
import { choosePartition, explainChoice, type PartitionChoice } from "./choose-partition.ts";
import { EMPTY_LAYOUT, enumerateLayouts, layoutOf, withPlacement, type MigPlacement } from "../api/mig-layout.ts";
import { DEFAULT_PLANNING_LOSS_PERCENT, isolationRank, PARTITION_MODES } from "./partition-modes.ts";
import { partitionRequirements, type CandidateGpu, type GpuCut, type PartitionRequirements } from "./partition-requirements.ts";

const seed = 6_025;
const all: readonly PartitionMode[] = ["exclusive", "mig", "vgpu", "mps", "time-slicing"];
const gold = tenantId("gold");

const asks = (more: Partial<PartitionRequirements> = {}): PartitionRequirements => ({
  tenant: gold,
  isolation: "none",
  isWholeGpu: false,
  memoryBytes: 16 * GB,
  leastComputePercent: 0,
  ceilingPercent: 50,
  mayBeOversold: false,
  ...more,
});
const h100 = (more: Partial<CandidateGpu> = {}): CandidateGpu => ({
  model: "H100-80GB",
  memoryBytes: 80 * GB,
  modes: all,
  cut: null,
  tenants: new Set(),
  unsafeToolkit: null,
  ...more,
});
const migCut = (...placements: readonly MigPlacement[]): GpuCut => {
  const layout = layoutOf(placements);
  assert.ok(layout.ok);
  return { mode: "mig", layout: layout.value };
};
const soft = (
  mode: "vgpu" | "mps" | "time-slicing",
  more: Partial<{ usedBytes: number; promisedPercent: number; holderCount: number }> = {},
): GpuCut => ({
  mode,
  usedBytes: 20 * GB,
  promisedPercent: 0,
  holderCount: 1,
  ...more,
});

const chosen: readonly {
  readonly name: string;
  readonly needs: PartitionRequirements;
  readonly gpu?: CandidateGpu;
  readonly says: string;
}[] = [
  { name: "without isolation the mode that loses least: MPS", needs: asks(), says: "mps 0.2" },
  { name: "medium isolation: vGPU", needs: asks({ isolation: "medium" }), says: "vgpu 0.2" },
  {
    name: "strong isolation of a share: the smallest MIG profile that has the bytes",
    needs: asks({ isolation: "strong" }),
    says: "mig 0.25 1g.20gb@6",
  },
  {
    name: "strong isolation of half a card: MIG 3g",
    needs: asks({ isolation: "strong", memoryBytes: 40 * GB }),
    says: "mig 0.5 3g.40gb@4",
  },
  {
    name: "strong isolation and compute that no 4g has: the whole card, which loses less than a 7g",
    needs: asks({ isolation: "strong", leastComputePercent: 60 }),
    says: "exclusive 1",
  },
  {
    name: "compute that a 4g has just left",
    needs: asks({ isolation: "strong", leastComputePercent: 46 }),
    says: `mig ${4 / 7} 4g.40gb@0`,
  },
  {
    name: "strong isolation where MIG is not offered: the whole card",
    needs: asks({ isolation: "strong" }),
    gpu: h100({ modes: ["exclusive", "mps"] }),
    says: "exclusive 1",
  },
  { name: "a whole GPU asked: exclusive, though nothing is isolated", needs: asks({ isWholeGpu: true }), says: "exclusive 1" },
  {
    name: "a card that is cut by vGPU takes vGPU",
    needs: asks(),
    gpu: h100({ cut: soft("vgpu"), tenants: new Set([gold]) }),
    says: "vgpu 0.2",
  },
  {
    name: "a card that is cut by MIG takes MIG, soft though the wish is",
    needs: asks(),
    gpu: h100({ cut: migCut({ profile: "4g", start: 0 }) }),
    says: "mig 0.25 1g.20gb@6",
  },
  {
    name: "time-slicing for bronze that agreed, where nothing better is offered",
    needs: asks({ mayBeOversold: true }),
    gpu: h100({ modes: ["time-slicing"] }),
    says: "time-slicing 0.2",
  },
  {
    name: "a promise of compute: vGPU takes 27 over 0.9 percent",
    needs: asks({ isolation: "medium", leastComputePercent: 27 }),
    says: "vgpu 0.3",
  },
];
const sayChoice = ({ share }: PartitionChoice): string =>
  `${share.mode} ${share.cardRatio}${"profileName" in share ? ` ${share.profileName}@${share.placement.start}` : ""}`;
for (const { name, needs, gpu = h100(), says } of chosen) {
  test(`partition mode for ${name}`, () => {
    const choice = choosePartition(needs, gpu);
    assert.equal(choice.ok ? sayChoice(choice.value) : choice.error.code, says);
  });
}

const refused: readonly {
  readonly mode: PartitionMode;
  readonly needs: PartitionRequirements;
  readonly gpu?: CandidateGpu;
  readonly why: RegExp;
}[] = [
  {
    mode: "vgpu",
    needs: asks({ isolation: "strong" }),
    why: /^It isolates medium \(memory kept by hooks, faults shared\); asked is strong\.$/,
  },
  { mode: "mig", needs: asks({ isWholeGpu: true }), why: /wants its GPU for itself/ },
  { mode: "mig", needs: asks(), gpu: h100({ modes: ["exclusive", "mps"] }), why: /driver offers exclusive, mps\./ },
  { mode: "mps", needs: asks(), gpu: h100({ cut: migCut() }), why: /cut by mig now/ },
  { mode: "exclusive", needs: asks(), gpu: h100({ cut: { mode: "exclusive" } }), why: /held whole now/ },
  {
    mode: "mps",
    needs: asks(),
    gpu: h100({ cut: soft("mps"), tenants: new Set([gold, tenantId("bad")]), unsafeToolkit: "1.17.4" }),
    why: /^bad is on the GPU, and its node has NVIDIA Container Toolkit 1\.17\.4: below 1\.17\.8 a container can reach its neighbours\.$/,
  },
  {
    mode: "mps",
    needs: asks(),
    gpu: h100({ cut: soft("mps"), tenants: new Set([null]), unsafeToolkit: "1.17.4" }),
    why: /^a process of no known tenant is on the GPU/,
  },
  { mode: "time-slicing", needs: asks(), why: /explicit class of bronze/ },
  { mode: "mps", needs: asks({ memoryBytes: 70 * GB }), gpu: h100({ cut: soft("mps") }), why: /^It needs 70 GB; 60 GB are free\.$/ },
  {
    mode: "vgpu",
    needs: asks({ leastComputePercent: 50 }),
    gpu: h100({ cut: soft("vgpu", { promisedPercent: 50 }) }),
    why: /^To leave 50 % after 10 % of loss it needs 55\.6 % of the card; 50 % are not promised\.$/,
  },
  { mode: "vgpu", needs: asks(), gpu: h100({ cut: soft("vgpu", { holderCount: 10 }) }), why: /10 holders of at most 10/ },
  { mode: "exclusive", needs: asks({ memoryBytes: 90 * GB }), why: /^It needs 90 GB; 80 GB are free\.$/ },
  { mode: "mig", needs: asks({ memoryBytes: 86 * GB }), why: /^It needs 86 GB; 7g\.80gb, the largest, has 80 GB\.$/ },
  {
    mode: "mig",
    needs: asks({ memoryBytes: 40 * GB }),
    gpu: h100({ cut: migCut({ profile: "1g", start: 0 }, { profile: "1g", start: 4 }) }),
    why: /^3g\.40gb would do, and has no legal start beside 1g@0 1g@4\.$/,
  },
  {
    mode: "mig",
    needs: asks({ leastComputePercent: 96 }),
    why: /^96 % of the card's compute are asked; 7g\.80gb has 132 of 132 multiprocessors, 95\.0 % after 5 % of loss\.$/,
  },
  {
    mode: "mig",
    needs: asks({ memoryBytes: 60 * GB }),
    gpu: h100({ model: "B200-192GB", memoryBytes: 192 * GB }),
    why: /^MIG profile 3g\.90gb of B200-180GB is not planned\. Its memory has not been read/,
  },
  {
    mode: "mig",
    needs: asks({ leastComputePercent: 5 }),
    gpu: h100({ model: "B200-192GB", memoryBytes: 192 * GB }),
    why: /^What part of the card's multiprocessors 1g\.23gb has is not known\.$/,
  },
  { mode: "mig", needs: asks(), gpu: h100({ model: "L4-24GB" }), why: /^No MIG geometry is known of L4-24GB\.$/ },
];
for (const { mode, needs, gpu = h100(), why } of refused) {
  test(`partition mode ${mode} is refused: ${why.source}`, () => {
    const choice = choosePartition(needs, gpu);
    const verdict = (choice.ok ? choice.value : choice.error).verdicts.find((each) => each.mode === mode);
    assert.equal(verdict?.verdict, "refused");
    assert.match(verdict?.why ?? "", why);
  });
}

const codes: readonly (readonly [string, PartitionRequirements, CandidateGpu])[] = [
  ["ISOLATION_UNAVAILABLE", asks({ isolation: "strong" }), h100({ cut: soft("mps") })],
  ["NO_CAPACITY", asks({ memoryBytes: 90 * GB }), h100()],
  ["PERFORMANCE", asks({ leastComputePercent: 60 }), h100({ cut: soft("mps", { promisedPercent: 50 }) })],
  ["GEOMETRY", asks({ isolation: "strong" }), h100({ cut: migCut({ profile: "7g", start: 0 }) })],
  ["GEOMETRY_UNKNOWN", asks({ memoryBytes: 60 * GB }), h100({ model: "B200-192GB", cut: migCut() })],
  ["TOO_MANY_HOLDERS", asks(), h100({ cut: soft("vgpu", { holderCount: 10 }) })],
];
for (const [code, needs, gpu] of codes) {
  test(`where nothing will do the code is ${code}`, () => {
    const choice = choosePartition(needs, gpu);
    assert.equal(choice.ok ? "chosen" : choice.error.code, code);
    assert.match(explainChoice(choice).why, /exclusive: .* mig: .* time-slicing: /);
  });
}

test("the explanation begins with what was chosen and names who keeps a soft share", () => {
  const { what, why, next } = explainChoice(choosePartition(asks(), h100()));
  assert.equal(what, "The share is cut by mps; it is not hard.");
  assert.ok(why.startsWith("mps: It takes 20 % of the card: 16 GB of 80 GB, soft, with 5 % of compute planned as lost."));
  assert.match(next, /MPS daemon/);
});

test("hard is said of exclusive and MIG alone, and hardware keeps both", () => {
  const hard = all.filter((mode) => PARTITION_MODES[mode].isHard);
  assert.deepEqual(hard, ["exclusive", "mig"]);
  for (const mode of all) {
    const { isHard, memory, compute, faults } = PARTITION_MODES[mode];
    assert.equal(isHard, memory === "hardware" && compute === "hardware" && faults === "own");
    assert.ok(!/hard/.test(PARTITION_MODES[mode].enforcedBy));
  }
  assert.deepEqual(DEFAULT_PLANNING_LOSS_PERCENT, { exclusive: 0, mig: 5, vgpu: 10, mps: 5, "time-slicing": 15 });
});

const anyCut: fc.Arbitrary<GpuCut | null> = fc.oneof(
  fc.constant(null),
  fc.constant({ mode: "exclusive" as const }),
  fc.constantFrom(...enumerateLayouts()).map((layout) => ({ mode: "mig" as const, layout })),
  fc.record({
    mode: fc.constantFrom("vgpu" as const, "mps" as const, "time-slicing" as const),
    usedBytes: fc.integer({ min: 0, max: 80 }).map((gigabytes) => gigabytes * GB),
    promisedPercent: fc.integer({ min: 0, max: 100 }),
    holderCount: fc.integer({ min: 1, max: 12 }),
  }),
);
const anyNeeds = fc
  .record({
    isolation: fc.constantFrom("none" as const, "weak" as const, "medium" as const, "strong" as const),
    isWholeGpu: fc.constantFrom(false, false, true),
    memoryBytes: fc.integer({ min: 1, max: 90 }).map((gigabytes) => gigabytes * GB),
    leastComputePercent: fc.constantFrom(0, 10, 40, 80),
    mayBeOversold: fc.boolean(),
  })
  .map(asks);
const anyGpu = fc
  .record({
    model: fc.constantFrom("A100-40GB", "A100-80GB", "H100-80GB", "B200-192GB", "L4-24GB"),
    modes: fc.subarray([...all]),
    cut: anyCut,
    tenants: fc.subarray([gold, tenantId("other"), null]).map((tenants) => new Set(tenants)),
    unsafeToolkit: fc.constantFrom(null, "1.17.4"),
  })
  .map(h100);

test("what is chosen isolates enough, fits, and no possible mode takes less of the card", () => {
  const property = fc.property(anyNeeds, anyGpu, (needs, gpu) => {
    const choice = choosePartition(needs, gpu);
    const { verdicts } = choice.ok ? choice.value : choice.error;
    assert.deepEqual(
      verdicts.map(({ mode }) => mode),
      all,
    );
    assert.ok(verdicts.every(({ why }) => why.length > 10));
    assert.equal(verdicts.filter(({ verdict }) => verdict === "chosen").length, choice.ok ? 1 : 0);
    if (!choice.ok) return;
    const { share, isHard } = choice.value;
    assert.ok(gpu.modes.includes(share.mode));
    assert.ok(isolationRank(PARTITION_MODES[share.mode].isolation) >= isolationRank(needs.isolation));
    assert.equal(isHard, share.mode === "exclusive" || share.mode === "mig");
    assert.ok(share.memoryBytes >= needs.memoryBytes && share.computePercent >= 1 && share.computePercent <= 100);
    const isFixed = (mode: PartitionMode): boolean => PARTITION_MODES[mode].isHard && needs.isolation !== "strong";
    const rivals = verdicts.flatMap((verdict) => (verdict.verdict === "refused" ? [] : [verdict]));
    const nearer = rivals.filter(({ mode }) => isFixed(mode) <= isFixed(share.mode));
    assert.ok(nearer.every(({ mode, cardRatio }) => isFixed(mode) === isFixed(share.mode) && cardRatio >= share.cardRatio));
    if (needs.isWholeGpu) assert.equal(share.mode, "exclusive");
    if (gpu.cut !== null) assert.equal(share.mode, gpu.cut.mode);
    if ("placement" in share) {
      const layout = gpu.cut?.mode === "mig" ? gpu.cut.layout : EMPTY_LAYOUT;
      assert.notEqual(withPlacement(layout, share.placement), null);
    }
  });
  fc.assert(property, { seed, numRuns: 5_000 });
});

test("what an instance asks: its largest member's bytes, and where it wants a whole GPU all of its compute", () => {
  const request = {
    tenant: gold,
    isolation: "weak" as const,
    isExclusive: false,
    memberBytes: [7, 5],
    computePercent: 20,
    mayBeOversold: true,
  };
  assert.deepEqual(partitionRequirements(request), {
    tenant: gold,
    isolation: "weak",
    isWholeGpu: false,
    memoryBytes: 7,
    leastComputePercent: 0,
    ceilingPercent: 20,
    mayBeOversold: true,
  });
  assert.equal(partitionRequirements({ ...request, isExclusive: true }).leastComputePercent, 100);
});
