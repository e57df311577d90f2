import { z } from "zod";
import { parseLines } from "../../src/cmd/parse-lines.ts";
import type { SeedEntry } from "./row-seeds.ts";

const seedEntry = z.object({
  row: z.string(),
  seed: z.int(),
  commit: z.string(),
  options: z.string(),
  violations: z.array(z.string()),
  counts: z.record(z.string(), z.number()),
  timesMs: z.record(z.string(), z.array(z.number())),
  virtualMs: z.number(),
  hash: z.string(),
});

/** One JSON line a seed. */
export const parseSeeds = (text: string): readonly SeedEntry[] => parseLines(text, seedEntry);
