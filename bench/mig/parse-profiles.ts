import { z } from "zod";

const profile = z.object({
  profile: z.string(),
  giProfileId: z.int(),
  computeSlices: z.int(),
  memorySlices: z.int(),
  placementStarts: z.array(z.int()),
  maxInstances: z.int(),
  memoryGiB: z.number().nullable(),
  multiprocessors: z.int().nullable(),
  resourceName: z.string(),
});
const gpu = z.object({ multiprocessors: z.int(), profiles: z.array(profile), maximalPlacedLayouts: z.int(), maximalMultisets: z.int() });
const file = z.object({ gpus: z.record(z.string(), gpu) });

export type ProfileRecord = z.infer<typeof profile>;
export type GpuRecord = z.infer<typeof gpu>;

/** By GPU model, as `mig-profiles.json` has it. @throws Error that names the field. */
export const parseProfiles = (text: string): Readonly<Record<string, GpuRecord>> => file.parse(JSON.parse(text)).gpus;
