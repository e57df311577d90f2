import { z } from "zod";
import { parseLines } from "./parse-lines.ts";

const counts = z.record(z.string(), z.int().min(0));

const ledgerEntry = z.object({
  seed: z.int(),
  /** Virtual seconds of load. */
  seconds: z.int(),
  hasGpuFaults: z.boolean().default(false),
  /** Of the code that ran; `-dirty` = it was changed since. */
  commit: z.string(),
  /** Of the run's event log: equal for equal seed and commit. */
  hash: z.string(),
  virtualMs: z.number(),
  /** How often each fault class happened. */
  events: counts,
  violations: z.array(z.string()),
  coverage: z.record(z.string(), counts),
});

/** One seed of a campaign. */
export type LedgerEntry = z.infer<typeof ledgerEntry>;

/** One JSON line a seed. */
export const parseLedger = (text: string): readonly LedgerEntry[] => parseLines(text, ledgerEntry);
