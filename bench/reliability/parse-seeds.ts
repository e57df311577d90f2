import { z } from "zod";
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

/** One JSON line a seed. A line that was cut off is left out, and so is what is no entry. */
export function parseSeeds(text: string): readonly SeedEntry[] {
  return text.split("\n").flatMap((line) => {
    const entry = seedEntry.safeParse(parseLine(line));
    return entry.success ? [entry.data] : [];
  });
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
