import { MIG_GPUS, MIG_SHAPES, migGpuOf, migResourceName, type MigGpu, type MigProfile } from "../../src/api/mig-geometry.ts";
import { MIG_PROFILES } from "../../src/api/mig-geometry.ts";
import { countsOf, enumerateLayouts, isMaximal } from "../../src/api/mig-layout.ts";
import type { GpuRecord, ProfileRecord } from "./parse-profiles.ts";

/** Ours on purpose: two drivers were read, and the lower figure is planned with. */
const LOWER_READINGS: Readonly<Record<string, number>> = { "1g.23gb": 20.5, "1g.23gb+me": 20.5 };
/** The file itself calls these remembered, not read. */
const UNREAD_MULTIPROCESSORS: readonly string[] = ["B200"];

/** Where our table and the file of collected readings say different things; empty = nowhere. */
export function compareGeometry(records: Readonly<Record<string, GpuRecord>>): readonly string[] {
  const known = new Set<MigGpu>();
  const differences = Object.entries(records).flatMap(([model, record]) => {
    const ours = migGpuOf(model) ?? MIG_GPUS.find(({ models }) => models.some((name) => name.startsWith(`${model}-`))) ?? null;
    if (ours === null) return [`${model}: not in our table`];
    known.add(ours);
    return [...compareCard(model, ours, record), ...record.profiles.flatMap((profile) => compareProfile(model, ours, profile))];
  });
  return [...differences, ...MIG_GPUS.filter((gpu) => !known.has(gpu)).map(({ models }) => `${models[0]}: not in the file`)];
}

function compareCard(model: string, ours: MigGpu, record: GpuRecord): readonly string[] {
  const plain = MIG_PROFILES.filter((profile) => profile !== "1g+me");
  const maximal = enumerateLayouts(plain).filter((layout) => isMaximal(layout, plain));
  const multisets = new Set(maximal.map((layout) => JSON.stringify(countsOf(layout)))).size;
  return [
    ...differ(`${model}: profiles`, MIG_PROFILES.length, record.profiles.length),
    ...differ(`${model}: maximal layouts`, maximal.length, record.maximalPlacedLayouts),
    ...differ(`${model}: multisets of maximal layouts`, multisets, record.maximalMultisets),
    ...(UNREAD_MULTIPROCESSORS.includes(model) ? [] : differ(`${model}: multiprocessors`, ours.multiprocessors, record.multiprocessors)),
  ];
}

function compareProfile(model: string, ours: MigGpu, theirs: ProfileRecord): readonly string[] {
  const at = `${model} ${theirs.profile}`;
  const profile = MIG_PROFILES.find((each) => ours.figures[each].name === theirs.profile && isSameKind(each, theirs));
  if (profile === undefined) return [`${at}: not in our table`];
  const shape = MIG_SHAPES[profile];
  const { memoryMiB, multiprocessors } = ours.figures[profile];
  const memoryGiB = LOWER_READINGS[theirs.profile] ?? theirs.memoryGiB;
  // The file prints two digits: ours may be the exact figure, or those digits rounded down to a MiB.
  const isSameMemory = memoryMiB === null || memoryGiB === null ? memoryMiB === memoryGiB : Math.abs(memoryMiB / 1_024 - memoryGiB) < 0.01;
  return [
    ...differ(`${at}: GPU instance profile`, shape.giProfileId, theirs.giProfileId),
    ...differ(`${at}: compute slices`, shape.computeSlices, theirs.computeSlices),
    ...differ(`${at}: memory slices`, shape.memorySlices, theirs.memorySlices),
    ...differ(`${at}: starts`, shape.starts.join(), theirs.placementStarts.join()),
    ...differ(`${at}: most`, shape.maxCount, theirs.maxInstances),
    ...differ(`${at}: multiprocessors`, multiprocessors, theirs.multiprocessors),
    ...differ(`${at}: resource name`, migResourceName(ours, profile), theirs.resourceName),
    ...(isSameMemory ? [] : [`${at}: memory is ${memoryMiB} MiB here and ${memoryGiB} GiB there`]),
  ];
}

const isSameKind = (profile: MigProfile, { giProfileId }: ProfileRecord): boolean => MIG_SHAPES[profile].giProfileId === giProfileId;
const differ = (what: string, ours: number | string | null, theirs: number | string | null): readonly string[] =>
  ours === theirs ? [] : [`${what}: ${ours} here and ${theirs} there`];
