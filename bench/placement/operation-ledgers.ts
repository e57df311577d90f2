import { GiB } from "../../src/base/bytes.ts";
import { migRoom, type MigRoom } from "../../src/base/ids.ts";
import { createFleetIndex, releaseShape, type FleetNode, type FleetPlace, type PlacementShape } from "../../src/placement/fleet-index.ts";
import type { MigProfile } from "../../src/api/mig-geometry.ts";
import { EMPTY_ROOM, placementIndex, roomAfter, roomBefore } from "../../src/api/mig-layout.ts";
import { bestStart } from "../../src/placement/mig-value.ts";
import { PartitionIndex, type PartitionAsk, type PartitionGpu } from "../../src/placement/partition-index.ts";
import { createFleetPlacer } from "../../src/placement/place-on-fleet.ts";
import { createLeastStranded } from "../../src/placement/score-least-stranded.ts";
import { seeded } from "../failover/seeded.ts";

/** One thing under test: does something by chance, and says what it did and what is wrong by books of its own. */
export interface Ledger {
  readonly name: string;
  /** @returns a number that stands for what was decided. */
  step(chance: () => number): number;
  /** Of all steps so far. */
  wrongCount(): number;
}

const pick = <Item>(items: readonly Item[], chance: () => number): Item | undefined => items[Math.floor(chance() * items.length)];
/** Takes one out by chance, in constant time. */
function draw<Item>(items: Item[], chance: () => number): Item | undefined {
  const at = Math.floor(chance() * items.length);
  const [last, drawn] = [items.pop(), items[at]];
  if (last !== undefined && at < items.length) items[at] = last;
  return drawn ?? last;
}
/** More comes than goes until it is nearly full, as in life. */
const COMES = 0.55;

const MODELS = ["G2", "T4", "V100"];
const GPUS_PER_NODE = 8;
const NODE_CPU_MILLI = 96_000;
const WHOLE = 1_000;

/** Requests of the indexed fleet, placed by our policy and released again. */
export function fleetLedger(nodeCount: number): Ledger {
  const nodes = Array.from({ length: nodeCount }, (_, index): FleetNode => ({
    name: `node-${String(index).padStart(4, "0")}`,
    model: MODELS[index % MODELS.length] ?? "G2",
    gpuCount: GPUS_PER_NODE,
    cpuMilli: NODE_CPU_MILLI,
    memoryMib: 786_432,
  }));
  const fleet = createFleetIndex(nodes, { boundMax: 1_001 });
  const placer = createFleetPlacer(fleet, createLeastStranded(fleet));
  // As many as the trace has: what is asked for repeats itself.
  const kinds = seeded(nodeCount);
  const shapes = Array.from({ length: 90 }, () => shapeBy(kinds));
  const usedGpu = new Float64Array(nodeCount * GPUS_PER_NODE);
  const usedCpu = new Float64Array(nodeCount);
  const placed: { readonly shape: PlacementShape; readonly place: FleetPlace }[] = [];
  let wrong = 0;
  const count = ({ shape, place }: (typeof placed)[number], sign: 1 | -1): void => {
    usedCpu[place.node] = (usedCpu[place.node] ?? 0) + sign * shape.cpuMilli;
    if ((usedCpu[place.node] ?? 0) > NODE_CPU_MILLI || (usedCpu[place.node] ?? 0) < 0) wrong++;
    if (new Set(place.gpus).size !== shape.gpuCount) wrong++;
    for (const gpu of place.gpus) {
      const at = place.node * GPUS_PER_NODE + gpu;
      usedGpu[at] = (usedGpu[at] ?? 0) + sign * shape.gpuMilli;
      if ((usedGpu[at] ?? 0) > WHOLE || (usedGpu[at] ?? 0) < 0) wrong++;
    }
    const model = nodes[place.node]?.model ?? "";
    if (shape.models.length > 0 && !shape.models.includes(model)) wrong++;
  };
  return {
    name: "fleet",
    wrongCount: () => wrong,
    step(chance) {
      if (placed.length > 0 && chance() > COMES) {
        const gone = draw(placed, chance);
        if (gone === undefined) return 0;
        releaseShape(fleet, gone.shape, gone.place);
        count(gone, -1);
        return -1 - gone.place.node;
      }
      const shape = pick(shapes, chance) ?? shapeBy(chance);
      const place = placer.place(shape);
      if (place === null) return 0;
      const one = { shape, place };
      placed.push(one);
      count(one, 1);
      return 1 + place.node * GPUS_PER_NODE + (place.gpus[0] ?? 0);
    },
  };
}

function shapeBy(chance: () => number): PlacementShape {
  const kind = chance();
  const gpuCount = kind < 0.1 ? 0 : kind < 0.9 ? 1 : (pick([2, 4, 8], chance) ?? 2);
  const gpuMilli = gpuCount === 0 ? 0 : gpuCount > 1 || chance() < 0.5 ? WHOLE : 100 * (1 + Math.floor(chance() * 9));
  const models = chance() < 0.2 ? [pick(MODELS, chance) ?? "G2"] : [];
  return {
    cpuMilli: 1_000 * (1 + Math.floor(chance() * 16)),
    memoryMib: 1_024 * (1 + Math.floor(chance() * 64)),
    gpuCount,
    gpuMilli,
    models,
  };
}

const ZONES = 4;
const GPU_BYTES = 80 * GiB;

/** Partitions of services that keep apart, or alone on their GPUs. */
export function partitionLedger(gpuCount: number): Ledger {
  const gpus = Array.from({ length: gpuCount }, (_, index): PartitionGpu => {
    const node = Math.floor(index / GPUS_PER_NODE);
    return { node: `node-${node}`, zone: `zone-${node % ZONES}`, memoryBytes: GPU_BYTES };
  });
  const index = new PartitionIndex(gpus);
  const placed: { readonly ask: PartitionAsk; readonly gpu: number }[] = [];
  const holders = new Map<number, PartitionAsk[]>();
  let wrong = 0;
  const look = (gpu: number): void => {
    const here = holders.get(gpu) ?? [];
    if (here.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) > GPU_BYTES) wrong++;
    if (here.some(({ isExclusive }) => isExclusive) && here.length > 1) wrong++;
  };
  /** Those of its service that were there stand where it may not. */
  const lookApart = ({ service, apart, zone }: PartitionAsk, gpu: number): void => {
    const own = gpus[gpu];
    if (zone !== null && own?.zone !== zone) wrong++;
    for (const other of placed) {
      if (other.ask.service !== service) continue;
      const theirs = gpus[other.gpu];
      if (other.gpu === gpu || (apart === "node" && theirs?.node === own?.node) || (apart === "zone" && theirs?.zone === own?.zone))
        wrong++;
    }
  };
  return {
    name: "partitions",
    wrongCount: () => wrong,
    step(chance) {
      if (placed.length > 0 && chance() > COMES) {
        const gone = draw(placed, chance);
        if (gone === undefined) return 0;
        index.release(gone.ask, gone.gpu);
        holders.set(
          gone.gpu,
          (holders.get(gone.gpu) ?? []).filter((ask) => ask !== gone.ask),
        );
        return -1 - gone.gpu;
      }
      const ask = askBy(chance);
      const gpu = index.place(ask);
      if (gpu === null) return 0;
      lookApart(ask, gpu);
      placed.push({ ask, gpu });
      holders.set(gpu, [...(holders.get(gpu) ?? []), ask]);
      look(gpu);
      return 1 + gpu;
    },
  };
}

/** A service asks the same of all its partitions. */
function askBy(chance: () => number): PartitionAsk {
  const service = Math.floor(chance() * 400);
  const apart = pick(["gpu", "node", "zone"] as const, () => (service % 7) / 7) ?? "gpu";
  const zone = apart !== "zone" && service % 3 === 0 ? `zone-${service % ZONES}` : null;
  return { service: `service-${service}`, memoryBytes: (1 + Math.floor(chance() * 60)) * GiB, isExclusive: service % 5 === 0, zone, apart };
}

/** Said once more, from NVIDIA's guide: memory slices, legal starts and the most of each on one GPU; compute slices. */
const PROFILES: Readonly<
  Record<MigProfile, { readonly memory: number; readonly compute: number; readonly starts: readonly number[]; readonly max: number }>
> = {
  "1g": { memory: 1, compute: 1, starts: [0, 1, 2, 3, 4, 5, 6], max: 7 },
  "1g+me": { memory: 1, compute: 1, starts: [0, 1, 2, 3, 4, 5, 6], max: 1 },
  "1g-double": { memory: 2, compute: 1, starts: [0, 2, 4, 6], max: 4 },
  "2g": { memory: 2, compute: 2, starts: [0, 2, 4], max: 3 },
  "3g": { memory: 4, compute: 3, starts: [0, 4], max: 2 },
  "4g": { memory: 4, compute: 4, starts: [0], max: 1 },
  "7g": { memory: 8, compute: 7, starts: [0], max: 1 },
};
const PROFILE_NAMES: readonly MigProfile[] = ["1g", "1g+me", "1g-double", "2g", "3g", "4g", "7g"];

/** MIG instances that come and go on many GPUs, each put where it leaves the most room. */
export function migLedger(gpuCount: number): Ledger {
  const rooms: MigRoom[] = Array.from({ length: gpuCount }, () => EMPTY_ROOM);
  const standing: { readonly profile: MigProfile; readonly start: number }[][] = rooms.map(() => []);
  let wrong = 0;
  const look = (gpu: number): void => {
    const here = standing[gpu] ?? [];
    const slices = here.flatMap(({ profile, start }) => Array.from({ length: PROFILES[profile].memory }, (_, at) => start + at));
    if (new Set(slices).size !== slices.length || slices.some((slice) => slice > 7)) wrong++;
    if (here.reduce((sum, { profile }) => sum + PROFILES[profile].compute, 0) > 7) wrong++;
    for (const name of PROFILE_NAMES) {
      const own = here.filter(({ profile }) => profile === name);
      if (own.length > PROFILES[name].max || own.some(({ start }) => !PROFILES[name].starts.includes(start))) wrong++;
    }
  };
  return {
    name: "mig",
    wrongCount: () => wrong,
    step(chance) {
      const gpu = Math.floor(chance() * gpuCount);
      const here = standing[gpu] ?? [];
      const room = rooms[gpu] ?? EMPTY_ROOM;
      if (here.length > 0 && chance() > COMES) {
        const gone = draw(here, chance);
        if (gone === undefined) return 0;
        rooms[gpu] = roomBefore(room, placementIndex(gone));
        return -1 - gpu;
      }
      const profile = pick(PROFILE_NAMES, chance) ?? "1g";
      const start = bestStart(room, profile);
      if (start === null) return 0;
      rooms[gpu] = roomAfter(room, placementIndex({ profile, start })) ?? migRoom(0);
      here.push({ profile, start });
      look(gpu);
      return 1 + gpu * 8 + start;
    },
  };
}
