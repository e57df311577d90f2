import { MiB } from "../base/bytes.ts";
import { err, ok, type Explanation, type Result } from "../base/result.ts";

/** GPU-instance profiles by shape, smallest first. Their names tell a card's memory too: `nameOf`. */
export const MIG_PROFILES = ["1g", "1g+me", "1g-double", "2g", "3g", "4g", "7g"] as const;
/** `1g+me` has the media engines, `1g-double` twice the memory of a 1g. */
export type MigProfile = (typeof MIG_PROFILES)[number];

export const MIG_MEMORY_SLICES = 8;
export const MIG_COMPUTE_SLICES = 7;

/** A placement takes memory slices [start, start + memorySlices); all placements of a GPU together at most 7 compute slices. */
export interface MigShape {
  readonly giProfileId: number;
  readonly computeSlices: number;
  readonly memorySlices: number;
  readonly starts: readonly number[];
  readonly maxCount: number;
}

/**
 * The same on every card below. Sources: `nvidia-smi mig -lgipp` of an A100 (ALCF ThetaGPU) and of an H100 80GB HBM3; NVIDIA/go-nvml@2f9e261
 * pkg/nvml/mock/gpus/a100.go. Its mocks of H100, H200 and B200 are wrong (a 3g of 3 slices, a 7g of 7), and the MIG User Guide's table of
 * the A100 prints 1/8 of the memory for the 1g of double memory: it is 2/8.
 */
export const MIG_SHAPES: Readonly<Record<MigProfile, MigShape>> = {
  "1g": { giProfileId: 19, computeSlices: 1, memorySlices: 1, starts: [0, 1, 2, 3, 4, 5, 6], maxCount: 7 },
  // One set of media engines on a GPU.
  "1g+me": { giProfileId: 20, computeSlices: 1, memorySlices: 1, starts: [0, 1, 2, 3, 4, 5, 6], maxCount: 1 },
  "1g-double": { giProfileId: 15, computeSlices: 1, memorySlices: 2, starts: [0, 2, 4, 6], maxCount: 4 },
  "2g": { giProfileId: 14, computeSlices: 2, memorySlices: 2, starts: [0, 2, 4], maxCount: 3 },
  "3g": { giProfileId: 9, computeSlices: 3, memorySlices: 4, starts: [0, 4], maxCount: 2 },
  "4g": { giProfileId: 5, computeSlices: 4, memorySlices: 4, starts: [0], maxCount: 1 },
  "7g": { giProfileId: 0, computeSlices: 7, memorySlices: 8, starts: [0], maxCount: 1 },
};

/** What one profile gives on one card; null = nobody has read it from a card. */
interface MigFigures {
  readonly name: string;
  readonly memoryMiB: number | null;
  readonly multiprocessors: number | null;
}

export interface MigGpu {
  /** As in a GPUNode. */
  readonly models: readonly string[];
  /** Of the whole card without MIG; null = not verified. */
  readonly multiprocessors: number | null;
  /** inferred = the shapes of the A100 and H100 are taken over, with the memory fractions of the guide. */
  readonly starts: "read" | "inferred";
  readonly figures: Readonly<Record<MigProfile, MigFigures>>;
}

type Row = readonly [name: string, memoryMiB: number | null, multiprocessors: number | null];
function figuresOf(one: Row, double: Row, two: Row, three: Row, four: Row, seven: Row): MigGpu["figures"] {
  const figures = ([name, memoryMiB, multiprocessors]: Row): MigFigures => ({ name, memoryMiB, multiprocessors });
  const rest = { "1g-double": figures(double), "2g": figures(two), "3g": figures(three), "4g": figures(four), "7g": figures(seven) };
  return { "1g": figures(one), "1g+me": { ...figures(one), name: `${one[0]}+me` }, ...rest };
}

/**
 * Memory in MiB: A100 from NVIDIA/go-nvml@2f9e261 a100.go; H100 from `nvidia-smi mig -lgip` of an H100 80GB HBM3; H200 from mig-parted#120;
 * B200 from mig-parted#166 and #187, which end after the 2g. A list prints GiB with two digits: those are rounded down here. A name rounds
 * the card's memory over 8 and is not the memory. Drivers differ: a real card is read, these figures are for simulated ones and plans.
 */
export const MIG_GPUS: readonly MigGpu[] = [
  {
    models: ["A100-40GB"],
    multiprocessors: 108,
    starts: "read",
    figures: figuresOf(
      ["1g.5gb", 4_864, 14],
      ["1g.10gb", 9_856, 14],
      ["2g.10gb", 9_856, 28],
      ["3g.20gb", 19_968, 42],
      ["4g.20gb", 19_968, 56],
      ["7g.40gb", 40_192, 98],
    ),
  },
  {
    models: ["A100-80GB"],
    multiprocessors: 108,
    starts: "read",
    figures: figuresOf(
      ["1g.10gb", 9_856, 14],
      ["1g.20gb", 19_968, 14],
      ["2g.20gb", 19_968, 28],
      ["3g.40gb", 40_192, 42],
      ["4g.40gb", 40_192, 56],
      ["7g.80gb", 80_384, 98],
    ),
  },
  {
    models: ["H100-80GB"],
    multiprocessors: 132,
    starts: "read",
    figures: figuresOf(
      ["1g.10gb", 9_984, 16],
      ["1g.20gb", 20_090, 26],
      ["2g.20gb", 20_090, 32],
      ["3g.40gb", 40_448, 60],
      ["4g.40gb", 40_448, 64],
      ["7g.80gb", 81_152, 132],
    ),
  },
  {
    models: ["H200-141GB"],
    multiprocessors: 132,
    starts: "inferred",
    figures: figuresOf(
      ["1g.18gb", 16_384, 16],
      ["1g.35gb", 33_024, 26],
      ["2g.35gb", 33_024, 32],
      ["3g.71gb", 71_168, 60],
      ["4g.71gb", 71_168, 64],
      ["7g.141gb", 143_104, 132],
    ),
  },
  {
    // One card by two names: the memory of its 7g, and all of it.
    models: ["B200-180GB", "B200-192GB"],
    multiprocessors: null,
    starts: "inferred",
    figures: figuresOf(
      // 22.0 GiB on the older driver (#166), 20.5 on the newer one (#187): never more than there is.
      ["1g.23gb", 20_992, 18],
      ["1g.45gb", 45_312, 30],
      ["2g.45gb", 45_312, 36],
      ["3g.90gb", null, null],
      ["4g.90gb", null, null],
      ["7g.180gb", null, null],
    ),
  },
];

const byModel = new Map(MIG_GPUS.flatMap((gpu) => gpu.models.map((model) => [model, gpu] as const)));

/** The MIG table of a GPUNode's model, or null: no MIG there, or none that we know. */
export const migGpuOf = (model: string): MigGpu | null => byModel.get(model) ?? null;

/** What the device plugin calls it: `nvidia.com/mig-1g.5gb`, `nvidia.com/mig-1g.5gb.me`. */
export const migResourceName = (gpu: MigGpu, profile: MigProfile): string =>
  `nvidia.com/mig-${gpu.figures[profile].name.replace("+", ".")}`;

/** What a profile gives, all of it known. */
export interface MigGrant {
  readonly name: string;
  readonly memoryBytes: number;
  readonly multiprocessors: number;
}

export interface UnknownMigFigure {
  readonly code: "GEOMETRY_UNKNOWN";
  readonly model: string;
  readonly profileName: string;
  readonly figure: "memory" | "multiprocessors";
}

/** @errors GEOMETRY_UNKNOWN: a figure of this profile has never been read; it is not guessed from its name. */
export function migGrantOf(gpu: MigGpu, profile: MigProfile): Result<MigGrant, UnknownMigFigure> {
  const { name, memoryMiB, multiprocessors } = gpu.figures[profile];
  const unknown = (figure: UnknownMigFigure["figure"]): Result<MigGrant, UnknownMigFigure> =>
    err({ code: "GEOMETRY_UNKNOWN", model: gpu.models[0] ?? "", profileName: name, figure });
  if (memoryMiB === null) return unknown("memory");
  if (multiprocessors === null) return unknown("multiprocessors");
  return ok({ name, memoryBytes: memoryMiB * MiB, multiprocessors });
}

export const explainUnknownMigFigure = ({ model, profileName, figure }: UnknownMigFigure): Explanation => ({
  what: `MIG profile ${profileName} of ${model} is not planned.`,
  why: `Its ${figure === "memory" ? "memory" : "number of multiprocessors"} has not been read from a card, and its name tells only a rounded share.`,
  next: "Choose a profile whose figures are known, or use the whole GPU.",
});
