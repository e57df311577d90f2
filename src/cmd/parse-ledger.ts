import { z } from "zod";

const counts = z.record(z.string(), z.int().min(0));

const ledgerEntry = z.object({
  seed: z.int(),
  /** Virtual seconds of load. */
  seconds: z.int(),
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

/** One JSON line a seed. A last line that was cut off by the end of its writer is left out, and so is what is no entry. */
export function parseLedger(text: string): readonly LedgerEntry[] {
  return text.split("\n").flatMap((line) => {
    const entry = ledgerEntry.safeParse(parseLine(line));
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
