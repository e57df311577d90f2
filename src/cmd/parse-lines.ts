import type { z } from "zod";

/** One JSON value a line. A line that its writer's end cut off is left out, and so is whatever the schema does not know. */
export function parseLines<Entry>(text: string, schema: z.ZodType<Entry>): readonly Entry[] {
  return text.split("\n").flatMap((line) => {
    const entry = schema.safeParse(parseLine(line));
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
